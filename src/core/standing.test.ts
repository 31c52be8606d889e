import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Member } from './facts.ts';
import type { Ground } from './ground.ts';
import { standingInFlight, standingOnGround } from './standing.ts';
import { aNode, aRollout, NEW, OLD } from './testing/builders.ts';

const settled = (status: NodeUpdateStatus): Ground => ({ kind: 'settled', status });
const staged: Ground = { kind: 'staged', status: { phase: 'Staged' }, version: NEW, rollout: 'rollout-1' };
const stage: Ground = { kind: 'stage', status: { phase: 'Idle' }, ignoreWaves: false, version: NEW };
const failedThrice = { phase: 'Staging', reason: 'StagingFailed', attempts: 3, failedOrder: 'order' } as const;

describe('in flight', () => {
  test.each([
    [{ phase: 'Draining' }, 'pending'],
    [{ phase: 'Rebooting' }, 'pending'],
    [{ phase: 'Verifying' }, 'pending'],
    [{ phase: 'Uncordoning' }, 'pending'],
    [{ phase: 'Failed' }, 'failed'],
    [{ phase: 'RolledBack' }, 'failed'],
    [{ phase: 'Blocked' }, 'held'],
    [{ phase: 'Staging' }, 'pending'],
    [{ phase: 'Idle', reason: 'UpToDate' }, 'updated'],
    [{ phase: 'Idle', reason: 'TakingBack' }, 'pending'],
  ] as const)('%j: %s', (status, standing) => {
    const node = aNode('n1', { os: { ...aNode('n1').os!, version: NEW } });
    expect(standingInFlight({ node }, status, aRollout())).toBe(standing);
  });

  test('one that has reached an earlier target is to come', () => {
    const landed = { phase: 'Idle', reason: 'UpToDate' } as const;
    expect(standingInFlight({ node: aNode('n1') }, landed, aRollout())).toBe('pending');
  });
});

describe('on the ground', () => {
  test.each<[string, Ground, Partial<Member['byHand']>, string, boolean, string]>([
    ['runs the target', settled({ phase: 'Idle', reason: 'UpToDate' }), {}, NEW, false, 'updated'],
    ['runs a newer one', settled({ phase: 'Idle', reason: 'UpToDate' }), {}, '1.99.0', false, 'updated'],
    ['runs what it is pinned to', settled({ phase: 'Idle', reason: 'UpToDate' }), { pin: OLD }, OLD, false, 'held'],
    ['failed before', settled({ phase: 'RolledBack', reason: 'KnownBad' }), {}, OLD, false, 'failed'],
    ['blocked', settled({ phase: 'Blocked', reason: 'CannotEvict' }), {}, OLD, false, 'held'],
    ['its agent says nothing', settled({ phase: 'Idle', reason: 'AwaitingReport' }), {}, OLD, false, 'held'],
    ['a download failed', settled({ ...failedThrice, attempts: 2 }), {}, OLD, false, 'pending'],
    ['three downloads failed', settled(failedThrice), {}, OLD, false, 'held'],
    ['three downloads failed, the next one runs', { kind: 'staging', status: failedThrice }, {}, OLD, false, 'held'],
    ['downloads', { kind: 'staging', status: { phase: 'Staging', reason: 'Staging' } }, {}, OLD, false, 'pending'],
    ['is to download', stage, {}, OLD, false, 'pending'],
    ['is to download, but something of its own holds it', stage, {}, OLD, true, 'held'],
    ['staged', staged, {}, OLD, false, 'pending'],
    ['staged, but something of its own holds it', staged, {}, OLD, true, 'held'],
    ['staged, and pinned to the target', staged, { pin: NEW }, OLD, false, 'pending'],
    ['staged, and pinned to another', staged, { pin: '1.25.0' }, OLD, false, 'held'],
    ['staged, and blocked until now', { ...staged, status: { phase: 'Blocked' } }, {}, OLD, false, 'held'],
  ])('%s', (_, ground, byHand, version, ownHold, standing) => {
    const node = aNode('n1', { os: { ...aNode('n1').os!, version } });
    const target = { version: NEW, rollout: 'rollout-1' };
    const member = { node, target, byHand: { paused: false, problems: [], ...byHand } } as unknown as Member;
    expect(standingOnGround(member, ground, aRollout(), ownHold)).toBe(standing);
  });

  test('to be taken back: it has failed, whatever it waits for', () => {
    const target = { version: OLD, rollout: 'rollout-1', rollsBack: true };
    const member = { node: aNode('n1'), target, byHand: { paused: false, problems: [] } } as unknown as Member;
    for (const ground of [stage, staged]) expect(standingOnGround(member, ground, aRollout(), false)).toBe('failed');
  });
});
