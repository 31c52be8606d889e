import type { Verdict } from '../command.ts';
import type { Facts } from '../facts.ts';
import { inZone } from '../schedule.ts';
import { excluded } from './exclusion.ts';
import { hurries, pass, type Rule } from './rule.ts';

/** Holds a node while none of its policy's windows is open. */
export const window: Rule = (candidate) => (hurries(candidate) ? pass : outsideWindow(candidate.facts));

/** Why nodes of a policy may not be begun now as far as its schedule goes, if they may not. */
export const whyClosed = (facts: Pick<Facts, 'schedule'>): Verdict | undefined => excluded(facts) ?? outsideWindow(facts);

function outsideWindow({ schedule: { open, exclusion, nextChange } }: Pick<Facts, 'schedule'>): Verdict | undefined {
  if (open || exclusion !== undefined) return undefined;
  if (nextChange === undefined)
    return { reason: 'OutsideWindow', message: 'the schedule names no time to come at which nodes may be begun' };
  return { reason: 'OutsideWindow', message: `waits for the window to open at ${inZone(nextChange)}`, until: nextChange.at };
}
