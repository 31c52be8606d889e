import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../../api/names.ts';
import { aCandidate, aNode, aPolicy, aWorld, NEW, NOW, OLD } from '../testing/builders.ts';
import { exclusion } from './exclusion.ts';
import { stagingWindow } from './staging-window.ts';
import { whyClosed, window } from './window.ts';

type Schedule = NonNullable<NonNullable<Parameters<typeof aPolicy>[0]>['spec']>['schedule'];

// NOW is noon in UTC, and 21:00 in Seoul.
const windows = (cron: string) => [{ cron, duration: '2h', timeZone: 'Asia/Seoul' }];
const open: Schedule = { windows: windows('0 20 * * *') };
const shut: Schedule = { windows: windows('0 2 * * *') };
const frozen = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' };

const candidate = (schedule: Schedule, staging = {}) =>
  aCandidate(aWorld({ policies: [aPolicy({ spec: { ...(schedule && { schedule }), staging } })], nodes: [aNode('n1')] }));

const opensAt = 'waits for the window to open at 2026-03-02 02:00 Asia/Seoul (2026-03-01T17:00Z)';

describe('the schedule holds a node', () => {
  test.each<[what: string, schedule: Schedule, reason: string | undefined, message: string, until: string]>([
    ['never, where there is none', undefined, undefined, '', ''],
    ['never, where it is always open', { always: true }, undefined, '', ''],
    ['not while a window is open', open, undefined, '', ''],
    ['while none is open', shut, 'OutsideWindow', opensAt, '2026-03-01T17:00:00Z'],
    [
      'in an exclusion, with its reason',
      { ...open, exclusions: [{ ...frozen, reason: 'year end' }] },
      'InExclusion',
      'waits for the exclusion (year end) to end at 2026-03-02 09:00 Asia/Seoul (2026-03-02T00:00Z)',
      frozen.to,
    ],
    [
      'in an exclusion although the window is shut, too',
      { ...shut, exclusions: [frozen] },
      'InExclusion',
      'waits for the exclusion to end at 2026-03-02 09:00 Asia/Seoul (2026-03-02T00:00Z)',
      frozen.to,
    ],
    ['not before an exclusion', { ...open, exclusions: [{ ...frozen, from: '2026-03-01T12:00:00.001Z' }] }, undefined, '', ''],
    ['not after an exclusion', { ...open, exclusions: [{ ...frozen, to: '2026-03-01T12:00:00Z' }] }, undefined, '', ''],
  ])('%s', (_, schedule, reason, message, until) => {
    const of = candidate(schedule);
    const verdict = exclusion(of, NOW) ?? window(of, NOW);
    expect(verdict).toEqual(reason === undefined ? undefined : { reason, message, until: Date.parse(until) });
    expect(whyClosed(of.facts)).toEqual(verdict);
  });

  test('each rule minds its own', () => {
    const excluded = candidate({ ...shut, exclusions: [frozen] });
    expect(window(excluded, NOW)).toBeUndefined();
    expect(exclusion(candidate(shut), NOW)).toBeUndefined();
  });

  test('for good, where it cannot be read', () => {
    const { facts } = candidate({ windows: windows('0 25 * * *') });
    expect(whyClosed(facts)).toMatchObject({ reason: 'OutsideWindow' });
    expect(facts.problems).toEqual([expect.stringContaining('spec.schedule.windows[0].cron "0 25 * * *"')]);
  });
});

describe('an urgent version', () => {
  test.each([
    ['passes a shut window and an exclusion', NEW, undefined],
    ['is that very one', OLD, 'InExclusion'],
  ])('%s', (_, version, reason) => {
    const schedule = { ...shut, exclusions: [frozen] };
    const policy = aPolicy({ spec: { schedule, staging: { outsideWindow: false } }, annotations: { [BY_HAND.urgent]: version } });
    const of = aCandidate(aWorld({ policies: [policy], nodes: [aNode('n1')] }));
    expect((exclusion(of, NOW) ?? window(of, NOW))?.reason).toBe(reason);
    expect(stagingWindow(of, NOW)?.reason).toBe(reason);
  });
});

describe('a download', () => {
  test.each([
    ['goes on while the schedule is closed', shut, {}, undefined],
    ['waits for the window where the policy says so', shut, { outsideWindow: false }, 'OutsideWindow'],
    ['waits for the end of an exclusion', { ...open, exclusions: [frozen] }, { outsideWindow: false }, 'InExclusion'],
    ['begins in the window', open, { outsideWindow: false }, undefined],
  ])('%s', (_, schedule, staging, reason) => {
    expect(stagingWindow(candidate(schedule, staging), NOW)?.reason).toBe(reason);
  });
});
