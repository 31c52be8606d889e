import { describe, expect, test } from '@jest/globals';
import { aCandidate, aHost, aNode, aWorld, NOW } from '../testing/builders.ts';
import { hostReachable } from './host-reachable.ts';

describe('hostReachable', () => {
  test.each([
    ['was reached', undefined, undefined],
    ['is not reached', 'HostUnreachable', 'HostUnreachable'],
    ['was reached, and had no news', 'RefreshFailed', undefined],
  ] as const)('a host that %s', (_what, code, reason) => {
    const refreshError = code && { code, message: 'GET /updates/status: no such file', at: new Date(NOW).toISOString() };
    const node = aNode('n1', { host: aHost({ ...(refreshError && { refreshError }) }) });
    const held = hostReachable(aCandidate(aWorld({ nodes: [node] })), NOW);
    expect(held?.reason).toBe(reason);
    if (code !== undefined && reason !== undefined) expect(held?.message).toContain('no such file');
  });
});
