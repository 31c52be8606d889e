import type { Verdict } from '../command.ts';
import type { Facts } from '../facts.ts';
import { inZone } from '../schedule.ts';
import { hurries, pass, type Rule } from './rule.ts';

/** Holds a node while an exclusion of its policy's schedule is in force. */
export const exclusion: Rule = (candidate) => (hurries(candidate) ? pass : excluded(candidate.facts));

/** What keeps nodes of a policy from being begun while an exclusion is in force. */
export function excluded({ schedule: { exclusion } }: Pick<Facts, 'schedule'>): Verdict | undefined {
  if (exclusion === undefined) return undefined;
  const what = exclusion.reason === undefined ? 'the exclusion' : `the exclusion (${exclusion.reason})`;
  return { reason: 'InExclusion', message: `waits for ${what} to end at ${inZone(exclusion)}`, until: exclusion.at };
}
