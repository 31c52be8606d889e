import path from 'node:path';
import { type ContainerSpec, fieldOf, type PodObject } from './pod-object.ts';

export interface CommandContext {
  readonly pod: PodObject;
  readonly container: ContainerSpec;
  readonly mounts: ReadonlyMap<string, string>;
  /** The folder that stands for the image's /app. */
  readonly app: string;
  /** The program that stands for the image's `node`. */
  readonly node: string;
  /** Which free port stands for which port of the container. */
  readonly ports: ReadonlyMap<number, number>;
  readonly hostIP: string;
  readonly extraArgs: readonly string[];
  readonly extraEnv: Readonly<Record<string, string>>;
}

/** What to run for a container, with everything of the image's and the node's replaced by what is really there. */
export function commandOf(context: CommandContext): { command: string; args: string[]; env: Record<string, string> } {
  const { container, mounts, app, node, ports } = context;
  const [program = 'node', ...rest] = [...(container.command ?? []), ...(container.args ?? [])];
  const places = new Map([...mounts, ['/app', app] as const]);
  const translate = (text: string) => translatePort(translatePath(text, places), ports);
  return {
    command: program === 'node' ? node : translatePath(program, places),
    args: [...rest.map(translate), ...context.extraArgs],
    env: { ...environmentOf(context, translate), ...context.extraEnv },
  };
}

/** Replaces a path at the beginning of an argument, or after its first `=`. */
export function translatePath(text: string, places: ReadonlyMap<string, string>): string {
  const start = text.startsWith('/') ? 0 : text.indexOf('=') + 1;
  const name = text.slice(start);
  for (const [from, to] of places) {
    if (name === from) return text.slice(0, start) + to;
    if (name.startsWith(`${from}/`)) return text.slice(0, start) + path.join(to, name.slice(from.length + 1));
  }
  return text;
}

/** Replaces a listen address such as `:8080` or `--listen=0.0.0.0:8080` by the free port on the loopback address. */
export function translatePort(text: string, ports: ReadonlyMap<number, number>): string {
  const found = /^(?<before>[^:]*=)?(?:[\d.]+|\[[\da-f:]*\])?:(?<port>\d+)$/.exec(text);
  const port = ports.get(Number(found?.groups?.['port']));
  return port === undefined ? text : `${found?.groups?.['before'] ?? ''}127.0.0.1:${port}`;
}

function environmentOf({ container, pod, hostIP }: CommandContext, translate: (text: string) => string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef !== undefined) env[name] = fieldOf(pod, valueFrom.fieldRef.fieldPath, hostIP);
    else if (valueFrom === undefined) env[name] = translate((value ?? '').replace(/\$\((\w+)\)/g, (whole, other) => env[other] ?? whole));
    else throw new Error(`${pod.metadata.name}: the bed fills env ${name} from a field only`);
  }
  return env;
}
