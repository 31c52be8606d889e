import type { Rollout } from '../api/update-policy.ts';
import type { ByHand } from './by-hand.ts';
import type { Verdict } from './command.ts';
import type { YoungRelease } from './releases.ts';
import { isWanted } from './rollouts.ts';
import { compareVersions } from './versions.ts';
import { type NodeOS, type PolicyView, timestamp } from './world.ts';

/** What a node should become: a version with the rollout that it belongs to (`rollsBack`: that is taken back), or nothing, with the reason. */
export type Target = { version: string; rollout: string; rollsBack?: true } | { version?: never; verdict: Verdict };

/** The verdict of a node that runs what it should. */
export const upToDate = (version: string): Verdict => ({ reason: 'UpToDate', message: `runs ${version}` });

/** Whether a node that shows a verdict runs what its policy wants now. */
export const isCurrent = ({ reason }: { reason?: string | undefined }): boolean => reason === 'UpToDate' || reason === 'ReleaseTooYoung';

/** The target of a node: its own pin, else the frozen target of its variant's rollout; downgrades only by a pin, and by leave. */
export function targetOf(
  policy: PolicyView,
  rollout: Rollout | undefined,
  os: NodeOS,
  node: ByHand,
  policyPin: string | undefined,
  young?: YoungRelease,
): Target {
  const pin = node.pin ?? policyPin;
  const version = node.pin ?? urgentOn(policy, os, node, policyPin) ?? rollout?.target;
  if (version === undefined) {
    if (pin === undefined || pin === os.version) return { verdict: nothingNewer(policy, os, pin, young) };
    return {
      verdict: {
        reason: 'NotOffered',
        message: `waits for ${pin} to be offered to two nodes of ${os.variant} (${os.arch}); the node runs ${os.version}`,
      },
    };
  }
  const order = compareVersions(version, os.version);
  if (order === 0 || (order < 0 && pin === undefined)) return { verdict: nothingNewer(policy, os, pin, young) };
  if (order < 0 && !policy.spec.version.allowDowngrade) {
    return {
      verdict: {
        reason: 'DowngradeNotAllowed',
        message: `pinned to ${version}, older than ${os.version}: set version.allowDowngrade on the policy to go back`,
      },
    };
  }
  // A node that is to get something else takes no part in its variant's rollout, nor waits for its turn there.
  return { version, rollout: rollout?.target === version ? rollout.id : `${node.pin === version ? 'pinned' : 'urgent'}-${version}` };
}

/** The version that is urgent on a node by its own annotation, as far as its policy wants it: a node is never brought back by it. */
function urgentOn(policy: PolicyView, os: NodeOS, { urgent }: ByHand, pin: string | undefined): string | undefined {
  return urgent !== undefined && isWanted(policy, pin, urgent) && compareVersions(urgent, os.version) > 0 ? urgent : undefined;
}

/** The verdict of a node that runs the newest version that is wanted now; a newer one may only be too young. */
function nothingNewer(policy: PolicyView, { version }: NodeOS, pin: string | undefined, young: YoungRelease | undefined): Verdict {
  if (young === undefined || pin !== undefined || compareVersions(young.version, version) <= 0) return upToDate(version);
  const { minAge } = policy.spec.version;
  return {
    reason: 'ReleaseTooYoung',
    message: `runs ${version}; ${young.version} was first seen at ${young.firstSeen} and is wanted from ${timestamp(young.until)} on (version.minAge is ${minAge})`,
    until: young.until,
  };
}
