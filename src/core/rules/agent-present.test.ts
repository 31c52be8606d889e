import { describe, expect, test } from '@jest/globals';
import { aCandidate, aNode, aWorld, NOW } from '../testing/builders.ts';
import { agentPresent } from './agent-present.ts';

describe('agentPresent', () => {
  test.each([
    ['ready', undefined],
    ['unknown', undefined],
    ['missing', 'AgentMissing'],
  ] as const)('an agent that is %s: %s', (agent, reason) => {
    expect(agentPresent(aCandidate(aWorld({ nodes: [aNode('n1', { agent })] })), NOW)?.reason).toBe(reason);
  });
});
