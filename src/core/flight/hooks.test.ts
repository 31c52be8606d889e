import { describe, expect, test } from '@jest/globals';
import type { HookPosition, HookStatus, RecordedHook } from '../../api/hook.ts';
import { aFlight, ago, aRecord, inFlightNode, MINUTE, NOW } from '../testing/builders.ts';
import { type JobView, timestamp } from '../world.ts';
import { drainDeadline, hooksTimeMs, pendingHooks, retriedHooks, runHooks } from './hooks.ts';

const hook = (at: HookPosition, name: string): RecordedHook => ({ at, namespace: 'db', name, timeoutMs: 10 * MINUTE });
const hooks = [hook('BeforeDrain', 'flush'), hook('Finally', 'unset'), hook('BeforeDrain', 'noout'), hook('Finally', 'tell')];
const job = (index: number, attempt = '') => `db/lockkeeper-claim-a-${index}${attempt}`;
const active: JobView = { state: 'Active', createdAt: ago(MINUTE) };
const succeeded: JobView = { state: 'Succeeded' };
const failed: JobView = { state: 'Failed', timedOut: false, message: 'BackoffLimitExceeded' };

/** A flight with these hooks, whose statuses are as given, by index. */
function flight(known: Record<number, Partial<HookStatus>> = {}, jobs: Record<string, JobView> = {}, namespaces = ['db']) {
  const record = aRecord('a', { hooks });
  const statuses = pendingHooks(record)!.map((entry, index) => ({ ...entry, ...known[index] }));
  const node = inFlightNode('a', { phase: 'Draining', hooks: statuses }, { record });
  return aFlight(node, {}, { hookNamespaces: namespaces, jobs: new Map(Object.entries(jobs)) });
}

const outcomes = (list: readonly HookStatus[] | undefined) => list?.map(({ outcome }) => outcome);

describe('hooks of one position', () => {
  test('a node without any is done with them', () => {
    const node = inFlightNode('a', { phase: 'Draining' });
    expect(runHooks(aFlight(node), 'BeforeDrain')).toEqual({ state: 'done', hooks: undefined });
  });

  test('begin with the first: its Job is made, and looked at', () => {
    const step = runHooks(flight(), 'BeforeDrain');
    expect(step).toMatchObject({
      state: 'running',
      jobs: [{ namespace: 'db', name: 'lockkeeper-claim-a-0', claim: 'claim-a' }],
      commands: [
        {
          type: 'RunHook',
          hook: { at: 'BeforeDrain', cronJob: 'flush', node: 'a', from: '1.26.0', to: '1.26.1', policy: 'default', timeoutMs: 10 * MINUTE },
        },
      ],
    });
    expect(outcomes(step.hooks)).toEqual(['Pending', 'Pending', 'Pending', 'Pending']);
  });

  test('whose Job is there, whoever made it, wait for it until its deadline', () => {
    const step = runHooks(flight({}, { [job(0)]: active }), 'BeforeDrain');
    expect(step).toMatchObject({ state: 'running', commands: [], until: NOW + 9 * MINUTE + 5_000 });
    expect(step.hooks?.[0]).toEqual({
      at: 'BeforeDrain',
      job: job(0),
      outcome: 'Running',
      deadline: ago(-9 * MINUTE),
      log: 'kubectl logs -n db job/lockkeeper-claim-a-0',
    });
  });

  test('that have succeeded say when: by the Job’s own word, else when it was seen', () => {
    const endedAt = (view: JobView) => runHooks(flight({}, { [job(0)]: view }), 'BeforeDrain').hooks?.[0]?.endedAt;
    expect(endedAt({ state: 'Succeeded', endedAt: ago(7) })).toBe(ago(7));
    expect(endedAt(succeeded)).toBe(ago(0));
  });

  test('go on with the next when one has succeeded, and are done after the last', () => {
    const step = runHooks(flight({}, { [job(0)]: succeeded }), 'BeforeDrain');
    expect(step).toMatchObject({ state: 'running', commands: [{ hook: { cronJob: 'noout', name: 'lockkeeper-claim-a-2' } }] });
    expect(outcomes(step.hooks)).toEqual(['Succeeded', 'Pending', 'Pending', 'Pending']);
    const done = runHooks(flight({ 0: { outcome: 'Succeeded' } }, { [job(2)]: succeeded }), 'BeforeDrain');
    expect(done.state).toBe('done');
    expect(outcomes(done.hooks)).toEqual(['Succeeded', 'Pending', 'Succeeded', 'Pending']);
  });

  test('are at an end with the first that fails; one that has ended is not looked at again', () => {
    expect(runHooks(flight({}, { [job(0)]: failed }), 'BeforeDrain')).toMatchObject({
      state: 'failed',
      message: `hook BeforeDrain failed: its Job ${job(0)} failed (BackoffLimitExceeded): kubectl logs -n db job/lockkeeper-claim-a-0`,
    });
    expect(runHooks(flight({ 0: { outcome: 'Failed', message: 'no' } }, { [job(0)]: succeeded }), 'BeforeDrain')).toMatchObject({
      state: 'failed',
      message: 'hook BeforeDrain failed: no',
    });
  });

  test('Finally all run, whatever became of those before', () => {
    const step = runHooks(flight({}, { [job(1)]: failed }), 'Finally');
    expect(step).toMatchObject({ state: 'running', commands: [{ hook: { cronJob: 'tell' } }] });
    const done = runHooks(flight({ 1: { outcome: 'TimedOut' } }, { [job(3)]: { state: 'Refused', message: 'no' } }), 'Finally');
    expect(done.state).toBe('done');
    expect(outcomes(done.hooks)).toEqual(['Pending', 'TimedOut', 'Pending', 'Failed']);
  });

  const running = (minutesLeft: number) => ({ 0: { outcome: 'Running' as const, deadline: timestamp(NOW + minutesLeft * MINUTE) } });
  test.each<[string, Record<number, Partial<HookStatus>>, JobView | undefined, string[], HookStatus['outcome'], string | undefined]>([
    ['not looked at yet', {}, undefined, ['db'], 'Pending', undefined],
    ['running, not looked at yet', running(1), undefined, ['db'], 'Running', undefined],
    ['running, not looked at in time', running(-1), undefined, ['db'], 'TimedOut', 'could not be looked at in time'],
    ['running, and gone', running(1), { state: 'Absent' }, ['db'], 'Failed', 'nobody knows how it ended'],
    ['running past its deadline', running(-1), active, ['db'], 'TimedOut', 'has not ended in time'],
    ['at its deadline, which the Job itself keeps', running(0), active, ['db'], 'Running', undefined],
    ['ended by its deadline', {}, { state: 'Failed', timedOut: true, message: 'DeadlineExceeded' }, ['db'], 'TimedOut', 'DeadlineExceeded'],
    ['refused', {}, { state: 'Refused', message: 'CronJob db/flush is not there' }, ['db'], 'Failed', 'CronJob db/flush is not there'],
    ['of a namespace that is not allowed', {}, active, ['web'], 'Failed', "not one of the chart's hooks.namespaces (web): add it there"],
    ['of a namespace where none is allowed', {}, undefined, [], 'Failed', 'hooks.namespaces (none)'],
  ])('a hook %s', (_what, known, view, namespaces, outcome, words) => {
    const step = runHooks(flight(known, view === undefined ? {} : { [job(0)]: view }, namespaces), 'BeforeDrain');
    expect(step.hooks?.[0]?.outcome).toBe(outcome);
    if (words !== undefined) expect(step.hooks?.[0]?.message).toContain(words);
    expect(step.state).toBe(outcome === 'Failed' || outcome === 'TimedOut' ? 'failed' : 'running');
  });

  test('of an earlier claim, or with another Job, are not believed', () => {
    const stale = { 0: { outcome: 'Succeeded' as const, job: 'db/lockkeeper-claim-b-0' } };
    expect(runHooks(flight(stale), 'BeforeDrain')).toMatchObject({ state: 'running', commands: [{ hook: { cronJob: 'flush' } }] });
  });
});

describe('a retry', () => {
  test('runs what failed of a position anew, by a Job of another name, and keeps the rest', () => {
    const seen = flight({ 0: { outcome: 'Succeeded' }, 1: { outcome: 'Failed' }, 2: { outcome: 'TimedOut', message: 'late' } });
    const anew = retriedHooks(seen, 'BeforeDrain');
    expect(anew?.map(({ outcome, job: name }) => [outcome, name])).toEqual([
      ['Succeeded', job(0)],
      ['Failed', job(1)],
      ['Pending', job(2, '-1')],
      ['Pending', job(3)],
    ]);
    const again = retriedHooks({ ...seen, status: { hooks: anew!.map((entry) => ({ ...entry, outcome: 'Failed' })) } }, 'BeforeDrain');
    expect(again?.map(({ job: name }) => name)).toEqual([job(0, '-1'), job(1), job(2, '-2'), job(3)]);
    expect(runHooks({ ...seen, status: { hooks: anew! } }, 'BeforeDrain')).toMatchObject({
      commands: [{ hook: { name: 'lockkeeper-claim-a-2-1' } }],
    });
  });
});

describe("a drain's deadline", () => {
  const minutesLeft = (known: Record<number, Partial<HookStatus>>) => (drainDeadline(flight(known)) - NOW) / MINUTE;
  const ended = (minutesAgo: number) => ({ outcome: 'Succeeded' as const, endedAt: ago(minutesAgo * MINUTE) });

  test('counts from the end of the last hook before it, and never beyond the record’s', () => {
    // The record's is in 29 minutes, and its hooks may take 20: the drain itself gets 10.
    expect(minutesLeft({})).toBe(29);
    expect(minutesLeft({ 0: ended(1) })).toBe(29);
    expect(minutesLeft({ 0: ended(1), 2: ended(0.5) })).toBe(9.5);
    expect(minutesLeft({ 0: ended(0), 2: ended(-60) })).toBe(29);
  });

  test('is the record’s where no hook runs before it', () => {
    const node = inFlightNode('a', { phase: 'Draining' });
    expect(drainDeadline(aFlight(node))).toBe(NOW + 29 * MINUTE);
  });
});

test('the time of a position is that of all its hooks', () => {
  expect(hooksTimeMs(hooks, 'BeforeDrain')).toBe(20 * MINUTE);
  expect(hooksTimeMs(hooks, 'AfterReboot')).toBe(0);
  expect(hooksTimeMs(undefined, 'Finally')).toBe(0);
});
