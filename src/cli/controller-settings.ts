import * as z from 'zod/mini';
import { durationMs, durationSchema } from '../api/primitives.ts';
import type { RetrySettings } from '../core/world.ts';

/** What of its own flags a controller decides by. */
export interface ControllerSettings {
  leaseName: string;
  hookNamespaces: readonly string[];
  prometheusHosts: readonly string[];
  retry: RetrySettings;
  nodeConditions: boolean;
}

const podSchema = z.object({
  spec: z.object({ containers: z.array(z.object({ args: z.optional(z.nullable(z.array(z.string()))) })) }),
});

/** Reads a controller's flags off its pod; what it is not told has the controller's own defaults. */
export function controllerSettings(pod: unknown): ControllerSettings {
  const parsed = z.safeParse(podSchema, pod);
  const args = parsed.success ? parsed.data.spec.containers.flatMap(({ args: of }) => of ?? []) : [];
  const flag = (name: string): string | undefined => {
    const at = args.findLastIndex((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
    const arg = args[at];
    return arg === `--${name}` ? args[at + 1] : arg?.slice(name.length + 3);
  };
  const list = (name: string): string[] => flag(name)?.split(',') ?? [];
  const duration = (name: string, ms: number): number => {
    const value = flag(name);
    return value !== undefined && durationSchema().safeParse(value).success ? durationMs(value) : ms;
  };
  return {
    leaseName: flag('lease-name') ?? 'lockkeeper',
    hookNamespaces: list('hook-namespaces'),
    prometheusHosts: list('prometheus-hosts'),
    retry: { baseMs: duration('retry-base', 15_000), maxMs: duration('retry-max', 1_800_000) },
    nodeConditions: args.includes('--node-conditions'),
  };
}
