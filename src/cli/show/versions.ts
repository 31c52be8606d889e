import * as z from 'zod/mini';
import { kindPath, NODE_HOST } from '../../api/kinds.ts';
import { COMPONENT_LABEL, PART_OF } from '../../api/names.ts';
import { nodeHostOf } from '../../cluster/views.ts';
import type { KubeClient } from '../../kube/client.ts';
import { MissingRightsError } from '../errors.ts';
import { VIEWER } from '../fleet.ts';
import { ListReader } from '../list-reader.ts';

/** What runs where, as `-o json` prints it. */
export interface Versions {
  client: string;
  /** Images of the controllers' pods. */
  controllers: readonly { pod: string; image: string; ready: boolean }[];
  /** How many agents of each version have reported. */
  agents: Readonly<Record<string, number>>;
  kubernetes?: string;
}

const podSchema = z.object({
  spec: z.object({ containers: z.array(z.object({ image: z.string() })) }),
  status: z.optional(z.object({ conditions: z.optional(z.array(z.object({ type: z.string(), status: z.string() }))) })),
});
const serverSchema = z.object({ gitVersion: z.string() });

/** Reads which versions of Lockkeeper and of Kubernetes there are. Rejects with a MissingRightsError, a NotInstalledError, or as the client does. */
export async function readVersions(client: Pick<KubeClient, 'get' | 'listPages'>, own: string): Promise<Versions> {
  const reader = new ListReader(client);
  const labels = `${PART_OF.key}=${PART_OF.value},${COMPONENT_LABEL}=controller`;
  const [pods, hosts, server] = await Promise.all([
    reader.list('/api/v1/pods', (raw) => z.parse(podSchema, raw), { labelSelector: labels }),
    reader.list(kindPath(NODE_HOST), nodeHostOf),
    reader.get('/version'),
  ]);
  if (reader.missing.length > 0) throw new MissingRightsError(reader.missing, VIEWER, reader.said);
  const agents: Record<string, number> = {};
  for (const { status } of hosts.items.values())
    if (status.agentVersion !== undefined) agents[status.agentVersion] = (agents[status.agentVersion] ?? 0) + 1;
  const kubernetes = z.safeParse(serverSchema, server);
  return {
    client: own,
    controllers: [...pods.items].map(([pod, { spec, status }]) => ({
      pod,
      image: spec.containers[0]?.image ?? '',
      ready: status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true,
    })),
    agents,
    ...(kubernetes.success && { kubernetes: kubernetes.data.gitVersion }),
  };
}

/** Versions for people. */
export function renderVersions({ client, controllers, agents, kubernetes }: Versions): string {
  const told = Object.entries(agents).map(([version, count]) => `${version} on ${count} ${count === 1 ? 'node' : 'nodes'}`);
  return [
    `Client: ${client}`,
    ...(controllers.length === 0
      ? ['Controller: none']
      : controllers.map(({ pod, image, ready }) => `Controller: ${image} (${pod}${ready ? '' : ', not Ready'})`)),
    `Agents: ${told.length === 0 ? 'none has reported' : told.join(', ')}`,
    `Kubernetes: ${kubernetes ?? 'unknown'}`,
    '',
  ].join('\n');
}
