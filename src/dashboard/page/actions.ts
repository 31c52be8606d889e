import type { Access, ForbiddenActions, NodeRow, Phase, PolicyRow, TargetKind, Verb } from '../wire.ts';

/** Something that a person may ask for here and now. */
export interface Offer {
  verb: Verb;
  /** Of `approve`: urgent. */
  now?: true;
  /** On the button. */
  label: string;
  /** Why the user may not: the button is greyed out, and says it. */
  forbidden?: string;
}

/** What makes sense for a policy, as it is. */
export function policyOffers(
  { name, conditions, byHand, pausedBySpec, approval, counts, rollouts = [] }: PolicyRow,
  nodes: Iterable<NodeRow>,
  access: Access,
): Offer[] {
  const holds = (type: string): boolean => conditions.some((one) => one.type === type && one.status === 'True');
  const own = [...nodes].filter(({ policy }) => policy === name);
  const behind = (counts?.outdated ?? 0) > 0;
  const paused = byHand?.paused === true;
  const groups = rollouts.flatMap((rollout) => rollout.groups ?? []);
  return offered('policy', access, [
    !paused && pausedBySpec !== true && { verb: 'pause', label: 'Pause' },
    (paused || holds('Halted')) && { verb: 'resume', label: paused ? 'Resume' : 'Go on after the halt' },
    approval === 'Manual' && own.some(({ reason }) => reason === 'AwaitingApproval') && { verb: 'approve', label: 'Approve' },
    behind && { verb: 'approve', now: true, label: 'Approve now' },
    own.some(canRetry) && { verb: 'retry', label: 'Retry nodes' },
    groups.some(({ state }) => state === 'Untested' || state === 'Soaking' || state === 'Updating') && {
      verb: 'skip',
      label: 'Skip the group',
    },
  ]);
}

/** What makes sense for a node, as it is; nothing where no policy has it. */
export function nodeOffers(node: NodeRow, access: Access): Offer[] {
  const { phase, policy, reason, target, version, byHand } = node;
  if (policy === undefined) return [];
  const waits = target !== undefined && target !== version && phase !== undefined && WAITING.has(phase);
  return offered('node', access, [
    byHand?.paused !== true && { verb: 'pause', label: 'Pause' },
    byHand?.paused === true && { verb: 'resume', label: 'Resume' },
    reason === 'AwaitingApproval' && { verb: 'approve', label: 'Approve' },
    waits && { verb: 'approve', now: true, label: 'Approve now' },
    canRetry(node) && { verb: 'retry', label: 'Retry' },
    phase === 'Draining' && { verb: 'skip', label: 'Give up the drain' },
  ]);
}

const WAITING: ReadonlySet<Phase> = new Set(['Idle', 'Staging', 'Staged', 'Blocked']);
const RETRIED: ReadonlySet<Phase> = new Set(['Failed', 'RolledBack', 'Blocked']);

const canRetry = ({ phase, reason, failures = [] }: NodeRow): boolean =>
  (phase !== undefined && RETRIED.has(phase)) || reason === 'KnownBad' || reason === 'StagingFailed' || failures.length > 0;

function offered(on: TargetKind, { forbidden }: Access, offers: readonly (Offer | false)[]): Offer[] {
  const lacks = forbidden.find((one) => one.on === on);
  return offers.filter((offer) => offer !== false).map((offer) => (lacks === undefined ? offer : { ...offer, forbidden: lackOf(lacks) }));
}

/** Which right is missing, and who has it. */
export const lackOf = ({ right: { verb, resource, namespace }, role }: Pick<ForbiddenActions, 'right' | 'role'>): string =>
  `You may not ${verb} ${resource}${namespace === undefined ? '' : ` in namespace ${namespace}`}: the ClusterRole ${role} allows it.`;
