import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../api/names.ts';
import { isRetried, isSkipped, mergeByHand, readByHand, tokensOf } from './by-hand.ts';

describe('readByHand', () => {
  test.each([
    ['nothing', {}, { paused: false }],
    ['other annotations', { 'example.com/paused': 'true' }, { paused: false }],
    ['paused', { [BY_HAND.paused]: 'true' }, { paused: true }],
    ['not paused', { [BY_HAND.paused]: 'false' }, { paused: false }],
    ['an empty value is none', { [BY_HAND.paused]: '', [BY_HAND.pinVersion]: '' }, { paused: false }],
    ['a pin', { [BY_HAND.pinVersion]: '1.26.1' }, { paused: false, pin: '1.26.1' }],
    ['an approval', { [BY_HAND.approvedVersion]: '1.26.1' }, { paused: false, approved: '1.26.1' }],
    ['an urgent version', { [BY_HAND.urgent]: '1.26.1' }, { paused: false, urgent: '1.26.1' }],
    ['tokens', { [BY_HAND.retry]: 'a', [BY_HAND.resume]: 'b', [BY_HAND.skip]: 'c' }, { paused: false, retry: 'a', resume: 'b', skip: 'c' }],
  ])('%s', (_, annotations, expected) => {
    expect(readByHand(annotations)).toEqual({ ...expected, problems: [] });
  });

  test.each([
    [BY_HAND.paused, 'yes'],
    [BY_HAND.paused, 'True'],
    [BY_HAND.pinVersion, 'v1.26.1'],
    [BY_HAND.pinVersion, 'latest'],
    [BY_HAND.approvedVersion, '>=1.26.1'],
    [BY_HAND.urgent, 'true'],
    [BY_HAND.retry, 'a'.repeat(257)],
    [BY_HAND.resume, 'a'.repeat(257)],
    [BY_HAND.skip, 'a'.repeat(257)],
  ])('%s: %s makes no sense, and is set to nothing', (name, value) => {
    const { problems, ...rest } = readByHand({ [name]: value });
    expect(rest).toEqual({ paused: false });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(name);
    expect(problems[0]?.length).toBeLessThan(256);
  });
});

describe('mergeByHand', () => {
  const none = readByHand({});

  test.each([
    ['any pause pauses: the Node’s', { ...none, paused: true }, none, true],
    ['any pause pauses: the NodeUpdate’s', none, { ...none, paused: true }, true],
    ['none', none, none, false],
  ])('%s', (_, node, update, paused) => {
    expect(mergeByHand(node, update).paused).toBe(paused);
  });

  test('the Node’s own word comes first, and the NodeUpdate’s where it says nothing', () => {
    const update = { ...none, pin: '1.0.0', approved: '1.0.0', retry: 'u', problems: ['u'] };
    expect(mergeByHand({ ...none, pin: '2.0.0', problems: ['n'] }, update)).toEqual({ ...update, pin: '2.0.0', problems: ['n', 'u'] });
  });
});

describe('tokens of a Node and of its NodeUpdate', () => {
  const merged = (node: string | undefined, update: string | undefined) =>
    mergeByHand(
      readByHand(node === undefined ? {} : { [BY_HAND.retry]: node }),
      readByHand(update === undefined ? {} : { [BY_HAND.retry]: update }),
    );

  test('each counts once, whichever else is there', () => {
    let tokens: ReturnType<typeof tokensOf>;
    const acts = (node: string | undefined, update: string | undefined) => {
      const asked = merged(node, update);
      const due = isRetried({ tokens }, asked, undefined);
      tokens = tokensOf({ tokens }, asked, undefined);
      return due;
    };
    expect([acts('a', undefined), acts('a', 'b'), acts('a', 'b'), acts(undefined, 'b'), acts('c', 'b'), acts('c', 'd')]).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
    ]);
  });
});

describe('skip tokens', () => {
  test.each([
    ['no token', {}, undefined, false],
    ['a new one', { retry: 'a' }, 'a', true],
    ['another one', { skip: 'a' }, 'b', true],
    ['one that was acted upon', { skip: 'a' }, 'a', false],
  ])('%s', (_, tokens, token, expected) => {
    const node = readByHand(token === undefined ? {} : { [BY_HAND.skip]: token });
    expect(isSkipped({ tokens }, node)).toBe(expected);
    expect(isSkipped({ tokens: tokensOf({ tokens }, node, undefined) ?? {} }, node)).toBe(false);
  });
});

describe('retry tokens', () => {
  const asks = (retry?: string) => readByHand(retry === undefined ? {} : { [BY_HAND.retry]: retry });

  test.each([
    ['no token', {}, undefined, undefined, false],
    ['a new one on the node', {}, 'a', undefined, true],
    ['another one on the node', { retry: 'a' }, 'b', undefined, true],
    ['one that was acted upon', { retry: 'a' }, 'a', undefined, false],
    ['a new one on the policy', { retry: 'a' }, 'a', 'p', true],
    ['one on the policy that was acted upon', { policyRetry: 'p' }, undefined, 'p', false],
    ['one that was taken away', { retry: 'a', policyRetry: 'p' }, undefined, undefined, false],
  ])('%s', (_, tokens, node, policy, expected) => {
    expect(isRetried({ tokens }, asks(node), asks(policy))).toBe(expected);
    const acted = tokensOf({ tokens }, asks(node), asks(policy));
    expect(isRetried(acted === undefined ? {} : { tokens: acted }, asks(node), asks(policy))).toBe(false);
  });
});
