import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../../api/names.ts';
import { aCandidate, aNode, anUpdate, aPolicy, aWorld, NOW } from '../testing/builders.ts';
import { paused } from './paused.ts';

const pause = (value = 'true') => ({ [BY_HAND.paused]: value });

describe('paused', () => {
  test.each([
    ['nothing', aPolicy(), aNode('n1'), undefined],
    ['the spec', aPolicy({ spec: { paused: true } }), aNode('n1'), 'policy default is paused'],
    ['the policy’s annotation', aPolicy({ annotations: pause() }), aNode('n1'), 'policy default is paused'],
    ['the Node', aPolicy(), aNode('n1', { annotations: pause() }), 'the node is paused'],
    ['the NodeUpdate', aPolicy(), aNode('n1', { update: anUpdate({}, pause()) }), 'the node is paused'],
    [
      'the NodeUpdate although the Node says false',
      aPolicy(),
      aNode('n1', { annotations: pause('false'), update: anUpdate({}, pause()) }),
      'the node is paused',
    ],
    [
      'the spec although the annotation says false',
      aPolicy({ spec: { paused: true }, annotations: pause('false') }),
      aNode('n1'),
      'policy default is paused',
    ],
    ['false everywhere', aPolicy({ annotations: pause('false') }), aNode('n1', { annotations: pause('false') }), undefined],
  ])('paused by %s', (_, policy, node, message) => {
    const verdict = paused(aCandidate(aWorld({ policies: [policy], nodes: [node] })), NOW);
    expect(verdict?.message).toBe(message);
    expect(verdict?.reason).toBe(message === undefined ? undefined : 'Paused');
  });
});
