import { describe, expect, test } from '@jest/globals';
import type { Verdict } from './command.ts';
import { targetOf } from './target.ts';
import { aPolicy, aRollout, NEW, OLD } from './testing/builders.ts';

const os = { version: OLD, variant: 'aws-k8s-1.31', arch: 'amd64' };
const OLDER = '1.25.0';
const usual = aPolicy();
const backwards = aPolicy({ spec: { version: { allowDowngrade: true } } });
const none = { paused: false, problems: [] };
const urgent = (version: string) => ({ ...none, urgent: version });
const bounded = aPolicy({ spec: { version: { range: '<2.0.0' } } });
const pinned = (pin: string) => ({ ...none, pin });

describe('targetOf', () => {
  test.each([
    ['no rollout', usual, undefined, none, undefined, 'UpToDate'],
    ['a newer rollout', usual, aRollout(), none, undefined, { version: NEW, rollout: 'rollout-1' }],
    ['a rollout of what runs', usual, aRollout({ target: OLD }), none, undefined, 'UpToDate'],
    ['an older rollout: never back by itself', backwards, aRollout({ target: OLDER }), none, undefined, 'UpToDate'],
    ['the policy’s pin, a rollout of it', usual, aRollout(), none, NEW, { version: NEW, rollout: 'rollout-1' }],
    ['the policy’s pin, not offered yet', usual, undefined, none, NEW, 'NotOffered'],
    ['the policy’s pin is what runs', usual, undefined, none, OLD, 'UpToDate'],
    ['the policy’s pin is older', usual, aRollout({ target: OLDER }), none, OLDER, 'DowngradeNotAllowed'],
    ['the policy’s pin is older, by leave', backwards, aRollout({ target: OLDER }), none, OLDER, { version: OLDER, rollout: 'rollout-1' }],
    ['the node’s pin beats the rollout', usual, aRollout(), pinned('1.26.2'), undefined, { version: '1.26.2', rollout: 'pinned-1.26.2' }],
    ['the node’s pin is the rollout’s target', usual, aRollout(), pinned(NEW), undefined, { version: NEW, rollout: 'rollout-1' }],
    ['the node’s pin beats the policy’s', usual, aRollout(), pinned(OLD), NEW, 'UpToDate'],
    ['the node’s pin needs no rollout', usual, undefined, pinned(NEW), undefined, { version: NEW, rollout: `pinned-${NEW}` }],
    [
      'the node’s urgent version beats the rollout',
      usual,
      aRollout(),
      urgent('1.26.2'),
      undefined,
      { version: '1.26.2', rollout: 'urgent-1.26.2' },
    ],
    [
      'the node’s urgent version is the rollout’s target',
      usual,
      aRollout(),
      urgent(NEW),
      undefined,
      { version: NEW, rollout: 'rollout-1' },
    ],
    [
      'the node’s urgent version is older than what runs',
      usual,
      aRollout(),
      urgent(OLDER),
      undefined,
      { version: NEW, rollout: 'rollout-1' },
    ],
    [
      'the node’s urgent version lies outside the range',
      bounded,
      aRollout(),
      urgent('2.0.0'),
      undefined,
      { version: NEW, rollout: 'rollout-1' },
    ],
    ['the node’s urgent version is not its pin', usual, aRollout(), { ...pinned(OLD), urgent: NEW }, undefined, 'UpToDate'],
    ['the node’s urgent version is not the policy’s pin', usual, aRollout(), urgent('1.26.2'), NEW, { version: NEW, rollout: 'rollout-1' }],
    ['the node’s pin is older', usual, aRollout(), pinned(OLDER), undefined, 'DowngradeNotAllowed'],
    ['the node’s pin is older, by leave', backwards, undefined, pinned(OLDER), undefined, { version: OLDER, rollout: `pinned-${OLDER}` }],
  ])('%s', (_, policy, rollout, node, policyPin, expected) => {
    const target = targetOf(policy, rollout, os, node, policyPin);
    if (typeof expected === 'string') expect(target).toMatchObject({ verdict: { reason: expected } });
    else expect(target).toEqual(expected);
  });

  const young = { version: NEW, firstSeen: '2026-03-01T00:00:00.000Z', until: Date.parse('2026-03-08T00:00:00Z') };
  test.each([
    ['is what the node waits for', undefined, none, undefined, 'ReleaseTooYoung'],
    ['is what a node waits for that has reached its rollout', aRollout({ target: OLD }), none, undefined, 'ReleaseTooYoung'],
    ['is nothing to a pinned node', undefined, pinned(OLD), undefined, 'UpToDate'],
    ['is nothing to a pinned policy', undefined, none, OLD, 'UpToDate'],
  ])('a release that is too young %s', (_, rollout, node, pin, reason) => {
    expect(targetOf(usual, rollout, os, node, pin, young)).toMatchObject({ verdict: { reason } });
  });

  test('says since when a release is known, and from when on it is wanted', () => {
    const { verdict } = targetOf(aPolicy({ spec: { version: { minAge: '168h' } } }), undefined, os, none, undefined, young) as {
      verdict: Verdict;
    };
    expect(verdict.message).toBe(
      'runs 1.26.0; 1.26.1 was first seen at 2026-03-01T00:00:00.000Z and is wanted from 2026-03-08T00:00:00.000Z on (version.minAge is 168h)',
    );
    expect(verdict.until).toBe(young.until);
  });
});
