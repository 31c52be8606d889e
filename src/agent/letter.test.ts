import { describe, expect, test } from '@jest/globals';
import { isSameOrder, parseLetter } from './letter.ts';
import { mergePatchBetween, withChanges } from './notebook.ts';

const metadata = { name: 'a', uid: 'u', resourceVersion: '7' };

describe('parseLetter', () => {
  test('an empty NodeHost', () => {
    expect(parseLetter({ metadata })).toEqual({
      uid: 'u',
      resourceVersion: '7',
      refreshIntervalMs: 3_600_000,
      ignoreWaves: false,
      order: undefined,
      status: {},
    });
  });

  test.each([
    ['30m', 1_800_000],
    ['10ms', 1_000],
    ['soon', 3_600_000],
    [7, 3_600_000],
  ])('refreshInterval %s is %s ms', (refreshInterval, ms) => {
    expect(parseLetter({ metadata, spec: { refreshInterval } }).refreshIntervalMs).toBe(ms);
  });

  test("an order and a status of another version's are read as far as they can be", () => {
    const answer = { id: 'o', state: 'RebootAsked', startedAt: 't' };
    const letter = parseLetter({
      metadata,
      spec: { order: { id: 'x', action: 'Hibernate', depth: 3 } },
      status: { version: 1, refreshError: { code: 'NewCode', message: '', at: '' }, answer, savedSettings: { versionLock: 'v1' }, more: 1 },
    });
    expect(letter.order).toEqual({ id: 'x', action: 'Hibernate' });
    expect(letter.status).toEqual({ answer, savedSettings: { versionLock: 'v1' } });
  });

  test('what is no NodeHost is refused', () => {
    expect(() => parseLetter({ metadata: { name: 'a' } })).toThrow();
  });
});

test('an order is the same only with all its fields', () => {
  const order = { id: 'o', action: 'Stage', version: '1.26.1' };
  expect(isSameOrder(order, { ...order })).toBe(true);
  expect(isSameOrder(order, { ...order, version: '1.26.2' })).toBe(false);
  expect(isSameOrder(order, { ...order, ignoreWaves: true })).toBe(false);
  expect(isSameOrder(order, undefined)).toBe(false);
  expect(isSameOrder(undefined, undefined)).toBe(true);
});

test.each([
  [{ a: 1 }, { a: 1 }, undefined],
  [{ a: 1, b: { c: 1, d: 2 } }, { b: { c: 1, d: 3 } }, { a: null, b: { d: 3 } }],
  [{ list: [1, 2] }, { list: [2, 1] }, { list: [2, 1] }],
  [{}, { saved: {} }, { saved: {} }],
  [{ saved: { lock: 'v1' } }, { saved: {} }, { saved: { lock: null } }],
  [{ saved: {} }, {}, { saved: null }],
])('the patch from %j to %j is %j', (from, to, patch) => {
  expect(mergePatchBetween(from, to)).toEqual(patch);
});

test('changes set and remove', () => {
  expect(withChanges({ version: '1', bootID: 'b' }, { version: null, arch: 'x' })).toEqual({ bootID: 'b', arch: 'x' });
});
