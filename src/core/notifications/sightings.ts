import type { NodeUpdateStatus } from '../../api/node-update.ts';
import type { UpdatePolicyStatus } from '../../api/update-policy.ts';
import { asReason } from '../reasons.ts';
import { isOf } from '../releases.ts';
import { inZone, readSchedule } from '../schedule.ts';
import { isCurrent } from '../target.ts';
import { type Instant, instant, type NodeView, type PolicyView, timestamp } from '../world.ts';
import { adviceOn, idOf, type Notification } from './notification.ts';

/** A policy with its nodes, as persisted and as decided now. */
export interface PolicyNews {
  policy: PolicyView;
  /** Decided now. */
  status: UpdatePolicyStatus;
  nodes: readonly NodeNews[];
}

/** A node of a policy. */
export interface NodeNews {
  node: NodeView;
  /** Decided now. */
  status: NodeUpdateStatus;
}

/** So long a node must have been Blocked by its pods, which mostly passes by itself, to be worth saying, in milliseconds. */
const BLOCKED_FOR_MS = 15 * 60_000;

/**
 * What is true of a policy and its nodes that people want to hear of, whether they have heard of it or not; `at` may lie ahead: then it
 * is true from then on, unless it changes. Only what is persisted is seen: any controller that takes over sees the same.
 */
export function sightingsOf(news: PolicyNews, windowNoticeMs: number, now: Instant): Notification[] {
  return [
    ...halted(news),
    ...news.nodes.flatMap((node) => troubled(news, node)),
    ...windowOpening(news, windowNoticeMs, now),
    ...done(news),
  ];
}

function halted({ policy, status }: PolicyNews): Notification[] {
  const isHalted = ({ conditions = [] }: UpdatePolicyStatus) => conditions.find((one) => one.type === 'Halted' && one.status === 'True');
  const [before, after] = [isHalted(policy.status), isHalted(status)];
  if (before === undefined || after?.lastTransitionTime !== before.lastTransitionTime) return [];
  const since = before.lastTransitionTime;
  const about = { type: 'RolloutHalted', ...ofPolicy(policy), reason: 'Halted' } as const;
  return [
    { ...about, id: idOf(about.type, [policy.uid], since), at: instant(since), message: after.message, advice: adviceOn('Halted', about) },
  ];
}

/** A node that failed, or was blocked; a person who skipped a node knows. */
function troubled({ policy }: PolicyNews, { node, status }: NodeNews): Notification[] {
  const { phase, since, target = '', message = '' } = status;
  const persisted = node.update?.status;
  const reason = asReason(status.reason);
  const same = persisted?.phase === phase && persisted?.since === since && persisted?.reason === reason;
  if (!same || since === undefined || reason === undefined) return [];
  const about = { ...ofPolicy(policy), node: node.name, reason, message };
  const advice = adviceOn(reason, about);
  switch (phase) {
    case 'Failed':
    case 'RolledBack':
      return [{ ...about, type: 'NodeFailed', id: idOf('NodeFailed', [node.uid, reason], since), at: instant(since), advice }];
    case 'Blocked': {
      if (reason === 'Skipped') return [];
      const at = instant(since) + (reason === 'CannotEvict' ? BLOCKED_FOR_MS : 0);
      return [{ ...about, type: 'NodeBlocked', id: idOf('NodeBlocked', [node.uid, target, reason], since), at, advice }];
    }
    default:
      return [];
  }
}

/** A window that is about to open while nodes wait for it. */
function windowOpening({ policy, status, nodes }: PolicyNews, noticeMs: number, now: Instant): Notification[] {
  const { open, nextChange: opens, exclusion } = readSchedule(policy.spec.schedule).stateAt(now);
  if (open || opens === undefined || policy.status.window?.nextChange !== timestamp(opens.at)) return [];
  const holds = ({ type, status: state }: { type: string; status: string }) => (type === 'Paused' || type === 'Halted') && state === 'True';
  if (status.conditions?.some(holds)) return [];
  const waiting = nodes.filter(({ status: one }) => isWaiting(one));
  if (waiting.length === 0) return [];
  const unapproved = waiting.filter(({ status: { reason } }) => reason === 'AwaitingApproval').length;
  const who = waiting.length === 1 ? `${waiting[0]?.node.name} waits` : `${waiting.length} nodes wait`;
  const approval = unapproved === 0 ? '' : `, ${unapproved === waiting.length ? '' : `${unapproved} of them `}also for an approval`;
  const { name } = policy;
  const pause = `to keep it from being used, \`kubectl lockkeeper pause ${name}\`.`;
  return [
    {
      type: 'WindowOpening',
      ...ofPolicy(policy),
      id: idOf('WindowOpening', [policy.uid], timestamp(opens.at)),
      at: opens.at - noticeMs,
      reason: exclusion === undefined ? 'OutsideWindow' : 'InExclusion',
      message: `nodes may be begun from ${inZone(opens)} on, and ${who} for that${approval}`,
      advice: unapproved === 0 ? `Nothing; ${pause}` : `Look at \`kubectl lockkeeper plan\`, then \`kubectl lockkeeper approve\`; ${pause}`,
    },
  ];
}

/** A node that is behind, and is not tried again only by a person. */
function isWaiting({ phase, from, target, reason }: NodeUpdateStatus): boolean {
  if (target === undefined || target === from || reason === 'Paused') return false;
  return phase === 'Idle' || phase === 'Staging' || phase === 'Staged' || phase === 'Blocked';
}

/** A rollout that has brought its target to each of its nodes; those that are paused, or are to get something else, are none of them. */
function done({ policy, status, nodes }: PolicyNews): Notification[] {
  return (status.rollouts ?? []).flatMap((rollout) => {
    const { id, target, variant, arch, startedAt } = rollout;
    if (rollout.updated === 0 || policy.status.rollouts?.every((known) => known.id !== id)) return [];
    const peers = nodes.filter(({ node: { os }, status: one }) => os !== undefined && isOf(rollout, os) && isOfRollout(one, target));
    if (!peers.every(({ node, status: one }) => node.os?.version === target && one.phase === 'Idle' && isCurrent(one))) return [];
    const updates = peers.flatMap(({ node }) =>
      (node.update?.status.history ?? []).filter((update) => isUpdate(update, target, startedAt)),
    );
    if (updates.length === 0) return [];
    const at = Math.max(...updates.map(({ finishedAt }) => instant(finishedAt)));
    const count = peers.length === 1 ? 'the one node' : `all ${peers.length} nodes`;
    return [
      {
        type: 'RolloutDone',
        ...ofPolicy(policy),
        id: idOf('RolloutDone', [policy.uid, id], startedAt),
        at,
        reason: 'UpToDate',
        message: `${count} of ${variant} (${arch}) ${peers.length === 1 ? 'runs' : 'run'} ${target}; it took ${lasting(at - instant(startedAt))}`,
        advice: 'Nothing.',
      },
    ];
  });
}

const isOfRollout = ({ target, reason }: NodeUpdateStatus, of: string): boolean =>
  reason !== 'Paused' && (target === undefined || target === of);

const isUpdate = (
  { from, to, outcome, startedAt }: NonNullable<NodeUpdateStatus['history']>[number],
  target: string,
  since: string,
): boolean => outcome === 'Updated' && to === target && from !== to && instant(startedAt) >= instant(since);

/** A length of time for people: its two largest units. */
function lasting(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const units = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const;
  const largest = units.findIndex(([length]) => seconds >= length);
  if (largest === -1) return 'less than a second';
  const parts = units.slice(largest, largest + 2).map(([length, unit], index) => {
    const rest = index === 0 ? seconds : seconds % (units[largest]?.[0] ?? 1);
    return [Math.floor(rest / length), unit] as const;
  });
  return parts.flatMap(([amount, unit]) => (amount > 0 ? [`${amount} ${unit}`] : [])).join(' ');
}

const ofPolicy = ({ name, uid }: PolicyView) => ({ policy: name, policyUID: uid });
