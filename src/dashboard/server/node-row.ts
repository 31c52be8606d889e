import { durationMs } from '../../api/primitives.ts';
import { withVerbs } from '../../cli/plugin-hints.ts';
import type { BareNode, nodeHostOf, nodeUpdateOf } from '../../cluster/views.ts';
import { isRetried, isSkipped, mergeByHand, readByHand, rebootAskedBy } from '../../core/by-hand.ts';
import { conditionOf, NODE_CONDITIONS } from '../../core/conditions.ts';
import { matches } from '../../core/selector.ts';
import { instant, type PolicyView } from '../../core/world.ts';
import type { ByHand, Drain, Instant, NodeRow } from '../wire.ts';
import { compact, compactOrNothing } from './compact.ts';

/** A node's objects, as far as there are any and the user may read them. */
export interface NodeObjects {
  name: string;
  node: BareNode | undefined;
  update: ReturnType<typeof nodeUpdateOf> | undefined;
  host: ReturnType<typeof nodeHostOf> | undefined;
}

/** When a status says that something is; undefined where it does not, or nobody can read it. */
export function instantOf(time: string | undefined): Instant | undefined {
  const at = time === undefined ? Number.NaN : instant(time);
  return Number.isFinite(at) ? at : undefined;
}

/** What the page shows of a node; what was said of a namesake before it is left out. */
export function nodeRow({ name, node, update, host }: NodeObjects, policies: ReadonlyMap<string, PolicyView>): NodeRow {
  const isOwn = (one: { nodeUID: string } | undefined): boolean => node === undefined || one?.nodeUID === node.uid;
  const own = isOwn(update) ? update : undefined;
  const hostStatus = isOwn(host) ? host?.status : undefined;
  const status = own?.status ?? {};
  const policy = policies.get(status.policy ?? '');
  const version = node?.os?.version ?? status.from;
  const behindSince = instantOf(status.behindSince);
  const { drain, deadlines = {} } = status;
  const group = node === undefined ? undefined : policy?.spec.rollout.groups.find(({ nodeSelector }) => matches(nodeSelector, node.labels));
  const deadline = { Rebooting: deadlines.reboot, Verifying: deadlines.verify, Soaking: deadlines.soak }[status.phase as string];
  const staged = hostStatus?.staged?.version;
  return compact<NodeRow>({
    name,
    uid: node?.uid ?? own?.nodeUID,
    zone: policy === undefined ? node?.labels[ZONE] : node?.labels[policy.spec.rollout.zoneKey],
    policy: status.policy,
    group: group?.name,
    variant: node?.os?.variant ?? hostStatus?.variant,
    arch: node?.os?.arch ?? hostStatus?.arch,
    version,
    target: status.target === version ? undefined : status.target,
    staged: staged === version ? undefined : staged,
    phase: status.phase,
    next: status.next,
    reason: status.reason,
    message: status.message === undefined ? undefined : withVerbs(status.message),
    since: instantOf(status.since),
    behindSince,
    overdueAt: behindSince === undefined || policy === undefined ? undefined : behindSince + durationMs(policy.spec.patchDeadline),
    overdue: conditionOf(status, NODE_CONDITIONS.overdue) !== undefined || undefined,
    retryAt: instantOf(status.retryAt),
    attempts: status.attempts || undefined,
    cordoned: node?.unschedulable || undefined,
    notReady: (node !== undefined && !node.ready.status) || undefined,
    deleting: node?.deleting || undefined,
    byHand: byHandOf(node, own),
    drain: status.phase === 'Draining' && drain !== undefined ? drainOf(drain, deadlines.drain) : undefined,
    deadline: instantOf(deadline),
    hooks: status.hooks,
    failures: status.failures?.map(({ target, reason, message, at }) => compact({ target, reason, message, at: instantOf(at) ?? 0 })),
    conditions: status.conditions?.map(({ type, status: is, reason, message }) => ({ type, status: is, reason, message })),
    agentVersion: hostStatus?.agentVersion,
  });
}

const ZONE = 'topology.kubernetes.io/zone';

function byHandOf(node: BareNode | undefined, update: NodeObjects['update']): ByHand | undefined {
  const { problems, ...asked } = mergeByHand(readByHand(node?.annotations ?? {}), readByHand(update?.annotations ?? {}));
  const status = update?.status ?? {};
  const pending = [
    ...(isRetried(status, { ...asked, problems }, undefined) ? ['retry' as const] : []),
    ...(rebootAskedBy(status, asked, undefined) !== undefined ? ['reboot' as const] : []),
    ...(status.phase === 'Draining' && isSkipped(status, { ...asked, problems }) ? ['skip' as const] : []),
  ];
  return compactOrNothing<ByHand>({
    paused: asked.paused || undefined,
    pin: asked.pin,
    approved: asked.approved,
    urgent: asked.urgent,
    pending: pending.length > 0 ? pending : undefined,
    problems: problems.length > 0 ? problems : undefined,
  });
}

function drainOf(
  { startedAt, total, remaining, blocked, left }: NonNullable<NonNullable<NodeObjects['update']>['status']['drain']>,
  deadline: string | undefined,
): Drain {
  return compact<Drain>({ startedAt: instantOf(startedAt) ?? 0, deadline: instantOf(deadline), total, remaining, blocked, left });
}
