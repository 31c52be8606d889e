import { describe, expect, test } from '@jest/globals';
import { enter, failureOf, hasMemory, passed, withFailure, withHistory, withoutFailure } from './status.ts';
import { ago, aNode, MINUTE, NEW, NOW, OLD } from './testing/builders.ts';

const verdict = { reason: 'Paused' as const, message: 'the node is paused' };

describe('enter', () => {
  test.each([
    ['the first phase', {}, ago(0)],
    ['another phase', { phase: 'Staged' as const, since: ago(MINUTE) }, ago(0)],
    ['the same phase', { phase: 'Idle' as const, since: ago(MINUTE) }, ago(MINUTE)],
    ['the same phase without a time', { phase: 'Idle' as const }, ago(0)],
  ])('%s', (_, before, since) => {
    expect(enter(before, 'Idle', verdict, NOW)).toEqual({ ...verdict, phase: 'Idle', since });
  });

  test('removes what is set to undefined, keeps the rest, and bounds the message', () => {
    const before = { claim: 'c', attempts: 2 };
    const status = enter(before, 'Idle', { ...verdict, message: 'x'.repeat(5_000) }, NOW, { claim: undefined, from: OLD });
    expect(status).toMatchObject({ attempts: 2, from: OLD });
    expect('claim' in status).toBe(false);
    expect(status.message).toHaveLength(1_024);
  });

  test('is the very same status where nothing is new, and no other where anything is', () => {
    const before = enter({}, 'Idle', verdict, NOW, { from: OLD, attempts: 1 });
    expect(enter(before, 'Idle', verdict, NOW + MINUTE, { from: OLD, claim: undefined })).toBe(before);
    expect(enter(before, 'Idle', verdict, NOW + MINUTE, { from: NEW })).toEqual({ ...before, from: NEW });
    expect('attempts' in enter(before, 'Idle', verdict, NOW + MINUTE, { attempts: undefined })).toBe(false);
    expect(enter(before, 'Staged', verdict, NOW + MINUTE)).toEqual({ ...before, phase: 'Staged', since: ago(-MINUTE) });
    expect(enter(before, 'Idle', { ...verdict, message: 'another' }, NOW)).toEqual({ ...before, message: 'another' });
  });
});

describe('failures', () => {
  const node = aNode('n1');

  test('one for each target, the newest last, at most 16', () => {
    let status = {};
    for (let patch = 0; patch < 20; patch += 1) status = { failures: withFailure(status, node, `1.0.${patch}`, verdict, NOW) };
    status = { failures: withFailure(status, node, '1.0.10', { ...verdict, message: 'again' }, NOW) };
    const failures = withoutFailure(status, 'none');
    expect(failures).toHaveLength(16);
    expect(failures.at(-1)).toEqual({
      target: '1.0.10',
      at: ago(0),
      reason: 'Paused',
      message: 'again',
      bootID: 'boot-1',
      readySince: node.ready.since,
    });
    expect(failureOf(status, '1.0.19')).toBeDefined();
    expect(failureOf(status, '1.0.0')).toBeUndefined();
    expect(withoutFailure(status, '1.0.10')).toHaveLength(15);
  });
});

describe('history', () => {
  test('the last ten', () => {
    let status = {};
    for (let run = 0; run < 12; run += 1) {
      status = { history: withHistory(status, { from: OLD, target: NEW, at: ago(run) }, `run ${run}`, NOW) };
    }
    expect(withHistory(status, { from: OLD, target: NEW, at: ago(0) }, 'last', NOW).map(({ outcome }) => outcome)).toEqual([
      ...Array.from({ length: 9 }, (_, index) => `run ${index + 3}`),
      'last',
    ]);
  });
});

describe('history, beyond the last ten', () => {
  test('keeps the last update: it says where a node came from whose release is taken back', () => {
    let status = { history: withHistory({}, { from: OLD, target: NEW, at: ago(0) }, 'Updated', NOW) };
    for (let run = 0; run < 12; run += 1)
      status = { history: withHistory(status, { from: NEW, target: OLD, at: ago(run) }, 'Blocked', NOW) };
    expect(status.history).toHaveLength(10);
    expect(status.history.map(({ outcome }) => outcome)).toEqual(['Updated', ...Array.from({ length: 9 }, () => 'Blocked')]);
  });
});

describe('passed', () => {
  test.each([
    [undefined, true],
    ['soon', true],
    [ago(1), true],
    [ago(0), true],
    [ago(-1), false],
  ])('%s: %s', (time, expected) => {
    expect(passed(time, NOW)).toBe(expected);
  });
});

describe('hasMemory', () => {
  test.each([
    [undefined, false],
    [{}, false],
    [{ phase: 'Idle' as const }, true],
  ])('%j: %s', (status, expected) => {
    expect(hasMemory(status)).toBe(expected);
  });
});
