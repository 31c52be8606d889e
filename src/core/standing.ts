import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Rollout } from '../api/update-policy.ts';
import type { Member } from './facts.ts';
import type { Ground } from './ground.ts';
import { isCurrent } from './target.ts';
import type { Standing } from './turn.ts';
import { compareVersions } from './versions.ts';
import type { NodeView } from './world.ts';

/** So many failed downloads, and a node holds up nobody any longer. */
const MAX_STAGING_FAILURES = 3;

/** Where a node in flight stands in its rollout, by the status that its step has decided. */
export function standingInFlight(
  { node }: Pick<Member, 'node'>,
  { phase, reason }: NodeUpdateStatus,
  rollout: Rollout | undefined,
): Standing {
  switch (phase) {
    case 'RollingBack':
    case 'Failed':
    case 'RolledBack':
      return 'failed';
    case 'Blocked':
      return 'held';
    default:
      // It may have been begun for an earlier target.
      return phase === 'Idle' && reason === 'UpToDate' && hasReached(node, rollout) ? 'updated' : 'pending';
  }
}

/** Where a node on the ground stands in its rollout; `ownHold` says whether something of its own holds it. */
export function standingOnGround(member: Member, ground: Ground, rollout: Rollout | undefined, ownHold: boolean): Standing {
  const { status } = ground;
  const { target } = member;
  if (status.phase === 'RolledBack' || (target.version !== undefined && target.rollsBack === true)) return 'failed';
  if (status.phase === 'Soaking') return 'pending';
  if (isCurrent(status) || (member.reboot !== undefined && member.target.version === undefined))
    return hasReached(member.node, rollout) ? 'updated' : 'held';
  if (member.byHand.pin !== undefined && member.byHand.pin !== rollout?.target) return 'held';
  if (ownHold || status.phase === 'Blocked') return 'held';
  if (status.failedOrder !== undefined && (status.attempts ?? 0) >= MAX_STAGING_FAILURES) return 'held';
  return ground.kind === 'settled' && status.reason !== 'StagingFailed' ? 'held' : 'pending';
}

const hasReached = ({ os }: NodeView, rollout: Rollout | undefined): boolean =>
  rollout !== undefined && compareVersions(os?.version ?? '0.0.0', rollout.target) >= 0;
