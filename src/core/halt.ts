import { BY_HAND } from '../api/names.ts';
import type { Rollout } from '../api/update-policy.ts';
import { tokenCommand } from './by-hand.ts';
import type { Verdict } from './command.ts';
import { countedFailures } from './rollouts.ts';
import type { PolicyView } from './world.ts';

const MAX_NAMED = 10;

/** The verdict of a policy whose failures have used up its budget: which nodes, why, and how to go on. */
export function haltVerdict({ name, spec: { rollout } }: PolicyView, rollouts: readonly Rollout[]): Verdict {
  const failures = countedFailures(rollouts);
  const named = failures.slice(0, MAX_NAMED).map(({ node, reason, target }) => `${node} (${reason}, ${target})`);
  const more = failures.length > MAX_NAMED ? ` and ${failures.length - MAX_NAMED} more` : '';
  return {
    reason: 'Halted',
    message: `halted: the failure budget (${rollout.failureBudget}) is used up by ${named.join(', ')}${more}; to go on: ${tokenCommand('updatepolicy', name, BY_HAND.resume)}`,
  };
}
