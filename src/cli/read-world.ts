import * as z from 'zod/mini';
import { kindPath, NODE_HOST, NODE_UPDATE, UPDATE_POLICY } from '../api/kinds.ts';
import { AGENT_ADMISSION_POLICY, COMPONENT_LABEL, PART_OF } from '../api/names.ts';
import type { PlanWarning } from '../api/plan.ts';
import { daemonSetOf } from '../cluster/daemon-sets.ts';
import { gather, type Self } from '../cluster/gather.ts';
import { parseServerVersion } from '../cluster/server-version.ts';
import { type BoundPod, budgetOf, denies, failsClosed, nodeHostOf, nodeOf, nodeUpdateOf, podOf, policyOf } from '../cluster/views.ts';
import type { World } from '../core/world.ts';
import type { KubeClient } from '../kube/client.ts';
import { type ControllerSettings, controllerSettings } from './controller-settings.ts';
import { MissingRightsError } from './errors.ts';
import { ListReader } from './list-reader.ts';

/** The chart's ClusterRole that allows exactly what is read here. */
const ROLE = 'lockkeeper-plan';

/** The cluster as a controller sees it, with the pods of every Bottlerocket node. */
export interface ReadWorld {
  world: World;
  warnings: readonly PlanWarning[];
}

const leaseSchema = z.object({ spec: z.optional(z.object({ holderIdentity: z.optional(z.nullable(z.string())) })) });

/**
 * Reads all of the cluster that a decision looks at, once, by lists and gets alone; `namespace` is the controllers', where it is not
 * found by their pods. Rejects with a MissingRightsError that names every right that is missing, with a NotInstalledError, or as the client does.
 */
export async function readWorld(
  client: Pick<KubeClient, 'get' | 'listPages'>,
  namespace: string | undefined,
  signal?: AbortSignal,
): Promise<ReadWorld> {
  const reader = new ListReader(client, signal);
  const guardPath = '/apis/admissionregistration.k8s.io/v1';
  const guardQuery = { fieldSelector: `metadata.name=${AGENT_ADMISSION_POLICY}` };
  const [nodes, policies, nodeUpdates, nodeHosts, budgets, daemonSets, listed, guardPolicy, guardBinding, version] = await Promise.all([
    reader.list('/api/v1/nodes', nodeOf),
    reader.list(kindPath(UPDATE_POLICY), policyOf),
    reader.list(kindPath(NODE_UPDATE), nodeUpdateOf),
    reader.list(kindPath(NODE_HOST), nodeHostOf),
    reader.list('/apis/policy/v1/poddisruptionbudgets', budgetOf),
    reader.list('/apis/apps/v1/daemonsets', daemonSetOf),
    // What has ended keeps nobody.
    reader.list('/api/v1/pods', readPod, { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' }),
    reader.list(`${guardPath}/validatingadmissionpolicies`, failsClosed, guardQuery),
    reader.list(`${guardPath}/validatingadmissionpolicybindings`, (raw) => denies(raw, AGENT_ADMISSION_POLICY), guardQuery),
    reader.get('/version'),
  ]);
  const pods = [...listed.items.values()];
  const ours = pods.filter(({ labels }) => labels[PART_OF.key] === PART_OF.value);
  const controllers = ours.filter(isController);
  const home = namespace ?? controllers.map((pod) => pod.namespace).sort()[0];
  const own = ours.filter((pod) => pod.namespace === home);
  const settings = own.find(isController)?.settings ?? controllerSettings(undefined);
  const self = home === undefined ? undefined : await readSelf(reader, home, settings.leaseName, controllers);
  if (reader.missing.length > 0) throw new MissingRightsError(reader.missing, ROLE, reader.said);

  const ownPods = { items: new Map(own.map((pod) => [`${pod.namespace}/${pod.name}`, pod])) };
  const kubernetes = parseServerVersion(version);
  const bottlerocket = new Set([...nodes.items.values()].filter(({ os }) => os !== undefined).map(({ name }) => name));
  const byNode = Map.groupBy(pods, ({ node }) => node);
  const world = gather({
    objects: { nodes, policies, nodeUpdates, nodeHosts, budgets, daemonSets, ownPods, guardPolicy, guardBinding },
    self,
    retry: settings.retry,
    // A node without any has been looked at, too.
    pods: new Map([...bottlerocket].map((name) => [name, byNode.get(name) ?? []])),
    blockedPods: new Map(),
    hookNamespaces: settings.hookNamespaces,
    jobs: new Map(),
    kubernetes: kubernetes.success ? kubernetes.data : undefined,
    checks: new Map(),
    prometheusHosts: settings.prometheusHosts,
  });
  return { world, warnings: [...controllerWarnings(controllers, home), ...unreadableWarnings(reader.unreadable)] };
}

/** A pod, and what it tells of its program where that is a controller. */
type ReadPod = BoundPod & { settings?: ControllerSettings };

function readPod(raw: unknown): ReadPod {
  const pod = podOf(raw);
  return isController(pod) && pod.labels[PART_OF.key] === PART_OF.value ? { ...pod, settings: controllerSettings(raw) } : pod;
}

const isController = ({ labels }: BoundPod): boolean => labels[COMPONENT_LABEL] === 'controller';

/** The controller that leads, by its Lease. */
async function readSelf(reader: ListReader, namespace: string, lease: string, controllers: readonly BoundPod[]): Promise<Self | undefined> {
  const raw = await reader.get(
    `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases/${encodeURIComponent(lease)}`,
  );
  const parsed = z.safeParse(leaseSchema, raw);
  const holder = parsed.success ? parsed.data.spec?.holderIdentity : undefined;
  const pod = controllers.find((one) => one.namespace === namespace && one.name === holder);
  return pod === undefined ? undefined : { namespace, pod: pod.name, node: pod.node };
}

function controllerWarnings(controllers: readonly BoundPod[], namespace: string | undefined): PlanWarning[] {
  if (controllers.some((pod) => pod.namespace === namespace && pod.ready)) return [];
  const where = namespace === undefined ? 'anywhere in the cluster' : `in namespace ${namespace}`;
  return [
    {
      name: 'ControllerMissing',
      endless: true,
      message: `no controller pod is Ready ${where}: nothing begins until one is (--namespace names another namespace)`,
    },
  ];
}

function unreadableWarnings(objects: readonly string[]): PlanWarning[] {
  if (objects.length === 0) return [];
  const named = objects.slice(0, 10).join(', ');
  const message = `left out, for this version of the program cannot read them: ${named}${objects.length > 10 ? ` and ${objects.length - 10} more` : ''}`;
  return [{ name: 'Unreadable', endless: false, message }];
}
