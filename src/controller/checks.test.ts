import { afterEach, describe, expect, test } from '@jest/globals';
import type { Check } from '../api/check.ts';
import { eventually, FakeClock } from '../kube/testing/fake-clock.ts';
import { Checks } from './checks.ts';

const pods = (namespace: string): Check => ({ pods: { namespace, selector: {}, minReady: 1 } });
const request = (policy: string, generation = 1, checks = [pods('shop')]) => ({ policy, generation, checks });
const ready = {
  metadata: { namespace: 'shop', name: 'a', uid: 'a', resourceVersion: '1' },
  spec: {},
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
};

let looks: string[];
let items: unknown[];
let changes: number;
let checks: Checks;
let clock: FakeClock;

function start(): void {
  looks = [];
  items = [ready];
  changes = 0;
  clock = new FakeClock();
  checks = new Checks({
    clock,
    random: () => 0.5,
    now: () => 1000,
    intervalMs: 15_000,
    changed: () => {
      changes += 1;
    },
    client: {
      get: () => Promise.reject(new Error('not asked')),
      async *listPages(path) {
        looks.push(path);
        yield { items, page: 0, resourceVersion: '1' };
      },
    },
  });
}
afterEach(() => checks.stop());

describe('the checks of policies', () => {
  test('are looked at while they are wanted, again and again', async () => {
    start();
    checks.want([request('a')]);
    expect(checks.snapshot().size).toBe(0);
    await eventually(() => changes === 1);
    expect(checks.snapshot()).toEqual(new Map([['a', { generation: 1, at: 1000 }]]));
    checks.want([request('a')]);
    items = [];
    clock.advance(15_000);
    await eventually(() => changes === 2);
    expect(checks.snapshot().get('a')).toEqual({
      generation: 1,
      at: 1000,
      failed: 'pods of namespace shop: 0 pods are Ready, at least 1 must be',
    });
    checks.want([]);
    clock.advance(60_000);
    await checks.stop();
    expect([looks.length, checks.snapshot().size]).toEqual([2, 0]);
  });

  test('are forgotten when they are not wanted, and looked at anew when they are again, or were changed', async () => {
    start();
    checks.want([request('a')]);
    await eventually(() => changes === 1);
    checks.want([]);
    checks.want([request('a')]);
    expect(checks.snapshot().size).toBe(0);
    await eventually(() => changes === 2);
    checks.want([request('a', 2)]);
    expect(checks.snapshot().size).toBe(0);
    await eventually(() => changes === 3);
    expect(checks.snapshot().get('a')?.generation).toBe(2);
  });

  test('name the first that fails, and how many do', async () => {
    start();
    items = [];
    checks.want([request('a', 1, [pods('x'), pods('y')])]);
    await eventually(() => changes === 1);
    expect(checks.snapshot().get('a')?.failed).toBe('pods of namespace x: 0 pods are Ready, at least 1 must be (2 of 2 checks fail)');
  });
});
