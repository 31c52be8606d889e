import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../../api/names.ts';
import type { BadRelease } from '../../api/update-policy.ts';
import { aCandidate, ago, aNode, aPolicy, aRollout, aWorld, HOUR, NEW, NOW } from '../testing/builders.ts';
import { knownBad } from './known-bad.ts';

const bad: BadRelease = { variant: 'aws-k8s-1.31', arch: 'amd64', version: NEW, markedAt: ago(HOUR) };

describe('knownBad', () => {
  test.each<[string, BadRelease[], Record<string, string>, string | undefined]>([
    ['nothing is bad', [], {}, undefined],
    ['its target is bad', [bad], {}, 'KnownBad'],
    ['another version is', [{ ...bad, version: '1.25.0' }], {}, undefined],
    ['it is bad for another variant', [{ ...bad, variant: 'metal-k8s-1.31' }], {}, undefined],
    ['it is bad for another architecture', [{ ...bad, arch: 'arm64' }], {}, undefined],
    ['a person has cleared it', [bad], { [BY_HAND.clearBadRelease]: 'now' }, undefined],
    ['a person had cleared it before', [bad], { [BY_HAND.clearBadRelease]: 'before' }, 'KnownBad'],
    ['a resume does not clear it', [bad], { [BY_HAND.resume]: 'now' }, 'KnownBad'],
  ])('%s', (_, badReleases, annotations, reason) => {
    const status = { badReleases, rollouts: [aRollout()], tokens: { clearBadRelease: 'before' } };
    const candidate = aCandidate(aWorld({ policies: [aPolicy({ annotations, status })], nodes: [aNode('n1')] }));
    expect(knownBad(candidate, NOW)?.reason).toBe(reason);
  });

  test('says since when, and how it is tried again', () => {
    const policies = [aPolicy({ status: { badReleases: [bad], rollouts: [aRollout()] } })];
    const message = knownBad(aCandidate(aWorld({ policies, nodes: [aNode('n1')] })), NOW)?.message;
    expect(message).toContain(`${NEW} is marked bad for policy default since ${ago(HOUR)}`);
    expect(message).toContain('kubectl annotate updatepolicy default --overwrite lockkeeper.dev/clear-bad-release=$(date +%s)');
  });
});
