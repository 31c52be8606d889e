import * as z from 'zod/mini';
import type { CordonRecord } from '../../api/cordon-record.ts';
import { MANAGED_LABEL } from '../../api/names.ts';
import type { Answer, NodeHostStatus, Order } from '../../api/node-host.ts';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import { type Claim, type Rollout, updatePolicySpecSchema } from '../../api/update-policy.ts';
import type { DrainContext } from '../drain-settings.ts';
import { factsOf, type Member } from '../facts.ts';
import type { Flight } from '../flight/flight.ts';
import type { Candidate } from '../rules/rule.ts';
import { closedBudget, daemonSetPod, replicaSetPod } from '../simulate/pods.ts';
import { type DisruptionBudget, type NodeView, type PolicyView, timestamp, type World } from '../world.ts';

/** The time at which tests decide. */
export const NOW = Date.parse('2026-03-01T12:00:00Z');

const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** A time before (negative: after) NOW, as statuses carry it. */
export const ago = (milliseconds: number): string => timestamp(NOW - milliseconds);

/** The version that nodes of these builders run, and the one that they are offered. */
export const OLD = '1.26.0';
export const NEW = '1.26.1';

const VARIANT = 'aws-k8s-1.31';
const ARCH = 'amd64';

/** A Ready Bottlerocket node that runs OLD and was offered NEW; named `name`, with a uid and a host ID of that name. */
export function aNode(name: string, change: Partial<NodeView> = {}): NodeView {
  return {
    name,
    uid: `uid-${name}`,
    resourceVersion: '1',
    createdAt: ago(24 * HOUR),
    labels: { [MANAGED_LABEL]: 'true' },
    annotations: {},
    unschedulable: false,
    ready: { status: true, since: ago(24 * HOUR) },
    bootID: 'boot-1',
    hostID: `host-${name}`,
    deleting: false,
    os: { version: OLD, variant: VARIANT, arch: ARCH },
    update: anUpdate(),
    host: aHost(),
    agent: 'ready',
    ...change,
  };
}

/** A NodeUpdate's part of a node. */
export function anUpdate(status: NodeUpdateStatus = {}, annotations: Record<string, string> = {}): NonNullable<NodeView['update']> {
  return { resourceVersion: '1', annotations, status };
}

/** A NodeHost's part of a node: the host runs OLD and was offered NEW. */
export function aHost(status: NodeHostStatus = {}, order?: Order): NonNullable<NodeView['host']> {
  return {
    resourceVersion: '1',
    spec: { refreshInterval: '1h', ignoreWaves: false, ...(order !== undefined && { order }) },
    status: { version: OLD, bootID: 'boot-1', available: [NEW, OLD], agentVersion: '0.1.0', ...status },
  };
}

/** A proof that a version is staged. */
export const proof = (version: string = NEW) => ({ version, provenAt: ago(HOUR), lastCommandAt: ago(HOUR) });

/** An agent's answer. */
export const anAnswer = (id: string, state: Answer['state'], code?: NonNullable<Answer['error']>['code']): Answer => ({
  id,
  state,
  startedAt: ago(MINUTE),
  ...(code !== undefined && { error: { code, message: 'the host said so' } }),
});

/** A node with NEW staged, which waits for its turn. */
export function aStagedNode(name: string, change: Partial<NodeView> = {}): NodeView {
  return aNode(name, {
    update: anUpdate({ policy: 'default', phase: 'Staged', since: ago(HOUR), reason: 'CapacityReached', message: 'waits for its turn' }),
    host: aHost({ staged: proof() }),
    ...change,
  });
}

/** The policy `default`, which selects every node, with the API server's defaults under `spec`. */
export function aPolicy(change: Partial<Omit<PolicyView, 'spec'>> & { spec?: z.input<typeof updatePolicySpecSchema> } = {}): PolicyView {
  const { spec, ...rest } = change;
  const name = rest.name ?? 'default';
  return {
    name,
    uid: `uid-${name}`,
    resourceVersion: '1',
    generation: 1,
    deleting: false,
    annotations: {},
    status: {},
    ...rest,
    spec: z.parse(updatePolicySpecSchema, spec ?? {}),
  };
}

/** A rollout of NEW to the builders' variant. */
export function aRollout(change: Partial<Rollout> = {}): Rollout {
  return { id: 'rollout-1', variant: VARIANT, arch: ARCH, target: NEW, startedAt: ago(HOUR), updated: 0, failed: [], ...change };
}

/** One failed machine of a rollout. */
export function aFailure(name: string, change: Partial<Rollout['failed'][number]> = {}): Rollout['failed'][number] {
  return { node: name, hostID: `host-${name}`, target: NEW, reason: 'RolledBackByHost', at: ago(MINUTE), ...change };
}

/** A claim on a node. */
export function aClaim(name: string, change: Partial<Claim> = {}): Claim {
  return { id: `claim-${name}`, node: name, uid: `uid-${name}`, rollout: 'rollout-1', at: ago(MINUTE), ...change };
}

/** The record of our cordon on a node, of the claim that `aClaim` makes. */
export function aRecord(name: string, change: Partial<CordonRecord> = {}): CordonRecord {
  return {
    policy: 'default',
    policyUID: 'uid-default',
    claim: `claim-${name}`,
    rollout: 'rollout-1',
    from: OLD,
    target: NEW,
    bootID: 'boot-1',
    at: ago(MINUTE),
    drainDeadline: ago(-29 * MINUTE),
    drain: { deleteEmptyDirData: true, force: false },
    rebootTimeoutMs: 15 * MINUTE,
    minReadySeconds: 10,
    readyDaemonSets: [],
    prior: {
      unschedulable: false,
      annotations: { 'cluster-autoscaler.kubernetes.io/scale-down-disabled': null, 'karpenter.sh/do-not-disrupt': null },
    },
    ...change,
  };
}

/** A pod of a ReplicaSet, Ready. */
export const aPod = replicaSetPod;

/** A budget of the namespace `shop` that covers the pods labelled `app: name` and allows no eviction now; one of the three is to spare. */
export const aBudget = (name: string, change: Partial<DisruptionBudget> = {}): DisruptionBudget => ({
  ...closedBudget(name),
  expectedPods: 3,
  ...change,
});

/** A pod of a DaemonSet, Ready. */
export const aDaemonSetPod = daemonSetPod;

/** What the drain of a node is planned by in such a world. */
export const aDrainContext = (change: Partial<DrainContext> = {}): DrainContext => ({
  now: NOW,
  daemonSets: new Set(['kube-system/cni']),
  evictedOnce: [],
  ...change,
});

/** A world of the policy `default` and no nodes, guarded, that looks at no pods. */
export function aWorld(change: Partial<World> = {}): World {
  return {
    policies: [aPolicy()],
    nodes: [],
    guarded: true,
    standby: false,
    daemonSets: new Set(['kube-system/cni']),
    budgets: new Map(),
    pods: new Map(),
    blockedPods: new Map(),
    hookNamespaces: [],
    jobs: new Map(),
    checks: new Map(),
    prometheusHosts: [],
    retry: { baseMs: MINUTE, maxMs: HOUR },
    ...change,
  };
}

/** What a rule sees of the first node of a world, under the first of its policies. */
export function aCandidate(world: World, change: Partial<Candidate> = {}): Candidate {
  const policy = world.policies[0] ?? aPolicy();
  const facts = factsOf(policy, world.nodes, world, NOW);
  const member = facts.members[0] as Member;
  return { world, facts, node: member.node, member, version: NEW, claimed: new Set(), othersPending: false, ...change };
}

/** A node in flight: cordoned, with record, and its status of that claim in `phase`. */
export function inFlightNode(name: string, status: NodeUpdateStatus, change: Partial<NodeView> = {}): NodeView {
  return aNode(name, {
    unschedulable: true,
    record: aRecord(name),
    update: anUpdate({
      policy: 'default',
      claim: `claim-${name}`,
      from: OLD,
      target: NEW,
      bootIDBefore: 'boot-1',
      since: ago(MINUTE),
      ...status,
    }),
    host: aHost({ staged: proof() }),
    ...change,
  });
}

/** What a step of a flight sees of a node, alone in its world. */
export function aFlight(node: NodeView, change: Partial<Flight> = {}, world: Partial<World> = {}): Flight {
  return {
    world: aWorld({ nodes: [node], pods: new Map([[node.name, []]]), ...world }),
    node,
    record: node.record as CordonRecord,
    status: node.update?.status ?? {},
    byHand: { paused: false, problems: [] },
    retried: false,
    tokens: undefined,
    orphaned: false,
    closed: undefined,
    skipped: false,
    onTimeout: 'Skip',
    policyPaused: false,
    now: NOW,
    ...change,
  };
}

/** Our Reboot order of the claim that `aClaim` makes. */
export const rebootOrder = (name: string): Order => ({ id: `claim-${name}.reboot`, action: 'Reboot', version: NEW, bootID: 'boot-1' });

/** Our Cancel of the claim that `aClaim` makes. */
export const cancelOrder = (name: string): Order => ({ id: `claim-${name}.cancel`, action: 'Cancel' });
