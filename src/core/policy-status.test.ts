import { describe, expect, test } from '@jest/globals';
import * as z from 'zod/mini';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import { type UpdatePolicyStatus, updatePolicyStatusSchema } from '../api/update-policy.ts';
import { factsOf } from './facts.ts';
import { policyStatus } from './policy-status.ts';
import { aClaim, ago, aNode, anUpdate, aPolicy, aRollout, aWorld, MINUTE, NEW, NOW, OLD } from './testing/builders.ts';
import type { PolicyView } from './world.ts';

const behind = { from: OLD, target: NEW };
const done = { from: NEW, target: NEW, reason: 'UpToDate' };

function statusOf(
  statuses: NodeUpdateStatus[],
  change: Parameters<typeof aPolicy>[0] = {},
  taken: ReadonlyMap<string, string[]> = new Map(),
): UpdatePolicyStatus {
  const policy: PolicyView = aPolicy(change);
  const nodes = statuses.map((status, index) => aNode(`n${index}`, { update: anUpdate(status) }));
  const facts = factsOf(policy, nodes, aWorld({ policies: [policy], nodes }), NOW);
  return policyStatus({ ...facts, taken }, [aClaim('n0')], new Map(statuses.map((status, index) => [`n${index}`, status])), NOW);
}
const condition = (status: UpdatePolicyStatus, type: string) => status.conditions?.find((found) => found.type === type);

describe('counts and summary', () => {
  test('each node where it is', () => {
    const { counts, summary } = statusOf([
      { phase: 'Idle', ...done },
      { phase: 'Idle', ...behind },
      { phase: 'Staging', ...behind },
      { phase: 'Staged', ...behind },
      { phase: 'Draining', ...behind },
      { phase: 'Verifying', ...behind },
      { phase: 'Blocked', ...behind },
      { phase: 'RolledBack', ...behind },
      { phase: 'Failed', ...behind },
    ]);
    expect(counts).toEqual({
      nodes: 9,
      updated: 1,
      outdated: 8,
      staging: 1,
      staged: 1,
      inFlight: 2,
      blocked: 1,
      failed: 2,
      unavailable: 0,
      overdue: 0,
    });
    expect(summary).toBe('1/9 up to date, 2 in flight, 1 downloading, 1 staged, 1 blocked, 2 failed');
  });

  test('a policy without nodes', () => {
    expect(statusOf([]).summary).toBe('0/0 up to date');
  });
});

describe('conditions', () => {
  const failures = [{ target: NEW, at: ago(MINUTE), reason: 'RolledBackByHost', bootID: 'b', readySince: ago(MINUTE) }];
  const failed: NodeUpdateStatus = { phase: 'RolledBack', ...behind, failures };
  const staged: NodeUpdateStatus = { phase: 'Staged', ...behind, reason: 'CapacityReached', message: 'waits for its turn' };
  const rollouts = [aRollout()];
  const nightly = (cron: string) => [{ cron, duration: '4h', timeZone: 'UTC' }];
  const exclusions = [{ from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' }];

  test.each<[string, NodeUpdateStatus[], Parameters<typeof aPolicy>[0], string, string, string]>([
    ['valid', [], {}, 'Ready', 'True', 'Accepted'],
    ['a range that cannot be read', [], { spec: { version: { range: 'new' } } }, 'Ready', 'False', 'PolicyNotReady'],
    ['all done', [{ phase: 'Idle', ...done }], {}, 'Progressing', 'False', 'UpToDate'],
    ['in flight', [{ phase: 'Draining', ...behind }], {}, 'Progressing', 'True', 'RollingOut'],
    ['downloading, although paused', [{ phase: 'Staging', ...behind }], { spec: { paused: true } }, 'Progressing', 'True', 'RollingOut'],
    ['just claimed', [{ ...staged, reason: 'Claimed' }, staged], {}, 'Progressing', 'True', 'RollingOut'],
    ['waiting', [staged], {}, 'Progressing', 'False', 'CapacityReached'],
    ['waiting, paused', [staged], { spec: { paused: true } }, 'Progressing', 'False', 'Paused'],
    ['waiting, halted', [staged, failed], { status: { rollouts } }, 'Progressing', 'False', 'Halted'],
    ['paused', [], { spec: { paused: true } }, 'Paused', 'True', 'Paused'],
    ['not paused', [], {}, 'Paused', 'False', 'NotPaused'],
    ['always open', [], {}, 'WindowOpen', 'True', 'AlwaysOpen'],
    ['in a window', [], { spec: { schedule: { windows: nightly('0 11 * * *') } } }, 'WindowOpen', 'True', 'Open'],
    ['between windows', [], { spec: { schedule: { windows: nightly('0 2 * * *') } } }, 'WindowOpen', 'False', 'OutsideWindow'],
    ['in an exclusion', [], { spec: { schedule: { always: true, exclusions } } }, 'WindowOpen', 'False', 'InExclusion'],
    ['a cron that cannot be read', [], { spec: { schedule: { windows: nightly('0 25 * * *') } } }, 'Ready', 'False', 'PolicyNotReady'],
    ['a cron that cannot be read', [], { spec: { schedule: { windows: nightly('0 25 * * *') } } }, 'WindowOpen', 'False', 'OutsideWindow'],
    ['halted', [failed], { status: { rollouts } }, 'Halted', 'True', 'FailureBudgetReached'],
    ['not halted', [], {}, 'Halted', 'False', 'WithinFailureBudget'],
  ])('%s', (_, statuses, policy, type, value, reason) => {
    expect(condition(statusOf(statuses, policy), type)).toMatchObject({
      status: value,
      reason,
      observedGeneration: 1,
      lastTransitionTime: ago(0),
    });
  });

  test('a halt names the nodes, and how to go on', () => {
    const message = condition(statusOf([failed], { status: { rollouts } }), 'Halted')?.message;
    expect(message).toMatch(
      /^halted: the failure budget \(1\) is used up by n0 \(RolledBackByHost, 1\.26\.1\); to go on: kubectl annotate updatepolicy default --overwrite lockkeeper.dev\/resume=/,
    );
  });

  const saysProgressing = (...statuses: NodeUpdateStatus[]) => condition(statusOf(statuses), 'Progressing');
  const untested: NodeUpdateStatus = { phase: 'Staged', ...behind, reason: 'GroupUntested', message: 'no node could be updated' };
  const paused: NodeUpdateStatus = { phase: 'Idle', ...behind, reason: 'Paused', message: 'the node is paused' };

  test('what most nodes wait for is said, in the words of one of them', () => {
    expect(saysProgressing(paused, staged, staged)).toMatchObject({
      reason: 'CapacityReached',
      message: 'n1 and 1 more: waits for its turn',
    });
    expect(saysProgressing(paused)).toMatchObject({ reason: 'Paused', message: 'n0: the node is paused' });
  });

  test('a download that has failed is no progress', () => {
    const failing: NodeUpdateStatus = { phase: 'Staging', ...behind, reason: 'StagingFailed', message: 'is tried again' };
    expect(saysProgressing(failing, staged, staged)).toMatchObject({ status: 'False', reason: 'CapacityReached' });
    expect(saysProgressing(failing)).toMatchObject({ status: 'False', reason: 'StagingFailed', message: 'n0: is tried again' });
    expect(saysProgressing({ ...failing, reason: 'Staging' }, staged)).toMatchObject({ status: 'True', reason: 'RollingOut' });
  });

  test('a group that waits for a person is said whatever else waits or downloads', () => {
    for (const others of [[staged, staged], [{ phase: 'Staging' as const, ...behind }]])
      expect(saysProgressing(...others, untested)).toMatchObject({ status: 'False', reason: 'GroupUntested', message: untested.message });
  });

  test('the time of a transition stays until there is another', () => {
    const before = statusOf([]).conditions?.map((found) => ({ ...found, lastTransitionTime: ago(MINUTE) })) ?? [];
    const after = statusOf([], { spec: { paused: true }, status: { conditions: before } });
    expect(condition(after, 'Ready')?.lastTransitionTime).toBe(ago(MINUTE));
    expect(condition(after, 'Paused')?.lastTransitionTime).toBe(ago(0));
  });
});

test('keeps the claims it is given, and the tokens that were acted upon', () => {
  const annotations = { 'lockkeeper.dev/retry': 'r', 'lockkeeper.dev/resume': 's' };
  expect(statusOf([], { annotations, generation: 7 })).toMatchObject({
    claims: [aClaim('n0')],
    tokens: { retry: 'r', resume: 's' },
    observedGeneration: 7,
  });
});

describe('the window', () => {
  const schedule = { windows: [{ cron: '0 20 * * *', duration: '2h', timeZone: 'Asia/Seoul' }] };
  const message = (status: UpdatePolicyStatus) => condition(status, 'WindowOpen')?.message;

  test('is open until it closes, in its own zone and in UTC', () => {
    const status = statusOf([], { spec: { schedule } });
    expect(status.window).toEqual({ open: true, nextChange: '2026-03-01T13:00:00.000Z' });
    expect(message(status)).toBe('open; closes at 2026-03-01 22:00 Asia/Seoul (2026-03-01T13:00Z)');
  });

  test('is closed until it opens', () => {
    const status = statusOf([], { spec: { schedule: { ...schedule, exclusions: [{ from: ago(1), to: '2026-03-01T16:00:00Z' }] } } });
    expect(status.window).toEqual({ open: false, nextChange: '2026-03-02T11:00:00.000Z' });
    expect(message(status)).toBe('waits for the exclusion to end at 2026-03-02 01:00 Asia/Seoul (2026-03-01T16:00Z)');
  });

  test('is always open where there is no schedule', () => {
    expect(statusOf([]).window).toEqual({ open: true });
  });
});

describe('a policy whose nodes other policies have', () => {
  test('says which, and who has them', () => {
    const many = Array.from({ length: 12 }, (_, index) => `n${index}`);
    const told = condition(
      statusOf(
        [],
        {},
        new Map([
          ['blue', many],
          ['red', ['m1']],
        ]),
      ),
      'Overlapped',
    );
    expect(told).toMatchObject({ status: 'True', reason: 'OtherPolicyHasNodes' });
    expect(told?.message).toContain(': blue has n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 2 more; red has m1');
    expect(condition(statusOf([]), 'Overlapped')).toMatchObject({ status: 'False', reason: 'NoOverlap' });
  });
});

describe('a status of which each text is as long as it may be can be written', () => {
  const long = (index: number) => `${index}${'n'.repeat(250)}`;
  const nodes = Array.from({ length: 12 }, (_, index) => long(index));
  const taken = new Map(nodes.map((policy) => [policy, nodes]));
  const name = long(0);
  const crons = Array.from({ length: 16 }, () => ({ cron: `${'9'.repeat(120)} * * * *`, duration: '4h', timeZone: 'z'.repeat(64) }));
  const checks = Array.from({ length: 8 }, () => ({ prometheus: { url: `http://${'p'.repeat(500)}`, query: 'up' } }));
  const failed = nodes.map((node) => ({ node, hostID: 'h'.repeat(512), target: NEW, reason: 'r'.repeat(128), at: ago(MINUTE) }));
  const groups = Array.from({ length: 32 }, (_, index) => ({ name: long(index), state: 'Updating' as const }));
  const badReleases = Array.from({ length: 12 }, (_, index) => ({
    variant: 'v'.repeat(128),
    arch: 'a'.repeat(32),
    version: `1.${index}.0-${'r'.repeat(50)}`,
    markedAt: ago(MINUTE),
  }));
  test.each<[string, Parameters<typeof aPolicy>[0]]>([
    ['policies that have its nodes', {}],
    ['windows that cannot be read', { spec: { schedule: { windows: crons } } }],
    ['checks that are not allowed', { spec: { checks } }],
    ['failures', { name, status: { rollouts: [aRollout({ failed, groups })], badReleases } }],
  ])('%s', (_, change) => {
    const statuses = nodes.map(
      (): NodeUpdateStatus => ({ phase: 'Staged', ...behind, reason: 'r'.repeat(128), message: 'm'.repeat(2048) }),
    );
    const status = statusOf(statuses, change, taken);
    expect(z.safeParse(updatePolicyStatusSchema, status).error?.issues ?? []).toEqual([]);
    for (const { message } of status.conditions ?? []) expect(message).not.toBe('');
  });
});
