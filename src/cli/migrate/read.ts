import * as z from 'zod/mini';
import { kindPath, NODE_HOST, NODE_UPDATE, UPDATE_POLICY } from '../../api/kinds.ts';
import { OTHER_OPERATOR_COMPONENT } from '../../api/names.ts';
import { daemonSetOf } from '../../cluster/daemon-sets.ts';
import { nodeHostOf, nodeOf, nodeUpdateOf, policyOf } from '../../cluster/views.ts';
import type { KubeClient } from '../../kube/client.ts';
import { MissingRightsError, RefusedError } from '../errors.ts';
import { ListReader } from '../list-reader.ts';
import type { Found, Shadow, Workload } from './found.ts';

/** Group of the old operator's one kind. Source: its models/src/node/crd/v2.rs. */
export const SHADOW_GROUP = 'brupop.bottlerocket.aws';
/** The component of its controller. Source: its models/src/constants.rs. */
const CONTROLLER = 'brupop-controller';

const strings = z.optional(z.record(z.string(), z.string()));
const workloadSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    resourceVersion: z.string(),
    generation: z.optional(z.int()),
    labels: strings,
    annotations: strings,
  }),
  spec: z.object({
    replicas: z.optional(z.int()),
    template: z.object({
      spec: z.object({
        nodeSelector: strings,
        containers: z.array(
          z.object({
            image: z.optional(z.string()),
            env: z.optional(z.array(z.object({ name: z.string(), value: z.optional(z.string()), valueFrom: z.optional(z.unknown()) }))),
          }),
        ),
      }),
    }),
  }),
  status: z.optional(
    z.object({
      observedGeneration: z.optional(z.int()),
      desiredNumberScheduled: z.optional(z.int()),
      currentNumberScheduled: z.optional(z.int()),
    }),
  ),
});

function workloadOf(kind: Workload['kind'], raw: unknown): Workload {
  const { metadata, spec, status } = z.parse(workloadSchema, raw);
  const { nodeSelector = {}, containers } = spec.template.spec;
  const [container] = containers;
  return {
    kind,
    namespace: metadata.namespace,
    name: metadata.name,
    resourceVersion: metadata.resourceVersion,
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    env: new Map((container?.env ?? []).map(({ name, value, valueFrom }) => [name, valueFrom === undefined ? (value ?? '') : undefined])),
    image: container?.image ?? '',
    nodeSelector,
    replicas: spec.replicas ?? 1,
    active: kind === 'DaemonSet' && daemonSetOf(raw).otherOperator === true,
    settled:
      status?.observedGeneration !== undefined &&
      status.observedGeneration >= (metadata.generation ?? 0) &&
      status.desiredNumberScheduled === status.currentNumberScheduled,
  };
}

const shadowSchema = z.object({
  metadata: z.object({ name: z.string(), ownerReferences: z.optional(z.array(z.object({ name: z.string() }))) }),
  spec: z.object({ state: z.string() }),
  status: z.optional(z.nullable(z.object({ current_state: z.string() }))),
});

function shadowOf(raw: unknown): Shadow {
  const { metadata, spec, status } = z.parse(shadowSchema, raw);
  return {
    node: metadata.ownerReferences?.[0]?.name ?? metadata.name.replace(/^brs-/, ''),
    wanted: spec.state,
    ...(status && { state: status.current_state }),
  };
}

const groupSchema = z.object({ versions: z.array(z.object({ version: z.string() })) });

/**
 * Reads the old operator and ours, once; `namespace` is the old one's, where there are several. Rejects with a MissingRightsError that
 * names every right that is missing, with a RefusedError where it cannot be told what there is, with a NotInstalledError, or as the client does.
 */
export async function readFound(client: Pick<KubeClient, 'get' | 'listPages'>, namespace: string | undefined): Promise<Found> {
  const reader = new ListReader(client);
  const within = namespace === undefined ? '' : `namespaces/${encodeURIComponent(namespace)}/`;
  const component = (value: string) => ({ labelSelector: `${OTHER_OPERATOR_COMPONENT}=${value}` });
  // First: what a controller wrote before it said that a policy is paused is then among what is read after.
  const policies = await reader.list(kindPath(UPDATE_POLICY), policyOf);
  const [deployments, daemonSets, group, nodes, updates, hosts] = await Promise.all([
    reader.list(`/apis/apps/v1/${within}deployments`, (raw) => workloadOf('Deployment', raw), component(CONTROLLER)),
    reader.list(`/apis/apps/v1/${within}daemonsets`, (raw) => workloadOf('DaemonSet', raw), component('agent')),
    reader.get(`/apis/${SHADOW_GROUP}`),
    reader.list('/api/v1/nodes', nodeOf),
    reader.list(kindPath(NODE_UPDATE), nodeUpdateOf),
    reader.list(kindPath(NODE_HOST), nodeHostOf),
  ]);
  const controller = only([...deployments.items.values()]);
  const agents = only([...daemonSets.items.values()]);
  const home = namespace ?? agents?.namespace ?? controller?.namespace;
  if (controller !== undefined && agents !== undefined && controller.namespace !== agents.namespace)
    throw new RefusedError(several([controller, agents]));
  const version = versionOf(group);
  const pods =
    home === undefined || controller === undefined
      ? undefined
      : await reader.list(`/api/v1/namespaces/${encodeURIComponent(home)}/pods`, podNameOf, component(CONTROLLER));
  // After the pods: once there is none, what the last one wrote is here.
  const shadows = version === undefined ? undefined : await reader.list(`/apis/${SHADOW_GROUP}/${version}/bottlerocketshadows`, shadowOf);
  if (reader.missing.length > 0) throw new MissingRightsError(reader.missing, undefined, reader.said);
  // What cannot be read may be in flight.
  if (reader.unreadable.length > 0)
    throw new RefusedError(
      `cannot be read, so it cannot be told whether a node is in flight: ${reader.unreadable.slice(0, 10).join(', ')}\nUpgrade kubectl-lockkeeper, or delete them if they are left over.`,
    );
  return {
    ...(controller !== undefined && { controller }),
    ...(agents !== undefined && { agents }),
    controllerPods: [...(pods?.items.values() ?? [])],
    shadows: [...(shadows?.items.values() ?? [])],
    nodes: [...nodes.items.values()].map((node) => {
      const update = updates.items.get(node.name);
      const host = hosts.items.get(node.name);
      return {
        ...node,
        ...(update?.nodeUID === node.uid && { update }),
        ...(host?.nodeUID === node.uid && { host }),
        agent: 'unknown' as const,
      };
    }),
    policies: [...policies.items.values()],
  };
}

const podSchema = z.object({ metadata: z.object({ name: z.string() }) });
const podNameOf = (raw: unknown): string => z.parse(podSchema, raw).metadata.name;

/** The version to read its kind in: its second, where it has that; every release that has it stores it. */
function versionOf(group: unknown): string | undefined {
  if (group === undefined) return undefined;
  const versions = z.parse(groupSchema, group).versions.map(({ version }) => version);
  return versions.includes('v2') ? 'v2' : versions[0];
}

function only(found: readonly Workload[]): Workload | undefined {
  if (found.length > 1) throw new RefusedError(several(found));
  return found[0];
}

const several = (found: readonly Workload[]): string =>
  `the old operator is there several times: ${found.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`).join(', ')}; name one namespace with --namespace`;
