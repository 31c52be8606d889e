import { BY_HAND } from '../api/names.ts';
import type { BadRelease, Rollout } from '../api/update-policy.ts';
import { clearCommand } from './bad-releases.ts';
import { tokenCommand } from './by-hand.ts';
import type { Verdict } from './command.ts';
import { countedFailures } from './rollouts.ts';
import type { PolicyView } from './world.ts';

const MAX_NAMED = 10;

/** The verdict of a policy whose failures have used up its budget: which nodes, why, and how to go on. */
export function haltVerdict(
  { name, spec: { rollout } }: PolicyView,
  rollouts: readonly Rollout[],
  badReleases: readonly BadRelease[],
): Verdict {
  const failures = countedFailures(rollouts);
  const named = failures.slice(0, MAX_NAMED).map(({ node, reason, target }) => `${node} (${reason}, ${target})`);
  const more = failures.length > MAX_NAMED ? ` and ${failures.length - MAX_NAMED} more` : '';
  const bad = badReleases.map(({ version }) => version).join(', ');
  const goOn =
    bad === ''
      ? `to go on: ${tokenCommand('updatepolicy', name, BY_HAND.resume)}`
      : `marked bad: ${bad}, and the nodes that it was brought to are taken back; to go on with it: ${clearCommand(name)}`;
  return {
    reason: 'Halted',
    message: `halted: the failure budget (${rollout.failureBudget}) is used up by ${named.join(', ')}${more}; ${goOn}`,
  };
}
