import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../bed/api.ts';
import type { AuditEntry } from '../../bed/audit.ts';
import type { NodeObject } from '../../bed/node-object.ts';
import type { WatchHistory } from '../../bed/watch-history.ts';
import { type AgentPod, agentBack, productTimes, productTotal } from './product-times.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const time = (seconds: number) => new Date(start + seconds * 1000).toISOString();

function entry(seconds: number, resource: string, request: object, more: Partial<AuditEntry> = {}): AuditEntry {
  const [name = '', subresource] = resource.split('/');
  return {
    auditID: `${seconds}`,
    level: 'RequestResponse',
    stage: 'ResponseComplete',
    verb: 'patch',
    requestURI: '/',
    user: { username: 'x' },
    userAgent: 'lockkeeper-controller/0.1.0',
    objectRef: { resource: name, name: 'node-1', ...(subresource !== undefined && { subresource }) },
    responseStatus: { code: 200 },
    requestObject: request,
    requestReceivedTimestamp: time(seconds),
    stageTimestamp: time(seconds),
    ...more,
  };
}

const audit = [
  entry(
    0,
    'updatepolicies/status',
    {},
    { responseObject: { metadata: { name: 'default' }, status: { claims: [{ node: 'node-1' }] } } as KubeObject },
  ),
  entry(1, 'nodes', { spec: { unschedulable: true } }),
  entry(4, 'nodehosts', { spec: { order: { action: 'Reboot' } } }),
  entry(5, 'nodehosts/status', { status: { answer: { state: 'RebootAsked' } } }),
  entry(9, 'nodes', { spec: { unschedulable: null } }),
  entry(10, 'nodehosts/status', { status: { bootID: 'boot-2' } }),
];

function history<T extends KubeObject>(...versions: [seconds: number, object: T][]): WatchHistory<T> {
  const all = versions.map(([seconds, object]) => ({ type: 'MODIFIED' as const, object, at: start + seconds * 1000, missed: false }));
  return { versions: all, of: () => all, reaches: async () => undefined, stop: () => undefined };
}
const node = (bootID: string, ready = 'True') =>
  ({
    metadata: { name: 'node-1' },
    spec: {},
    status: { conditions: [{ type: 'Ready', status: ready }], nodeInfo: { bootID } },
  }) as NodeObject;
const agent = (containerID: string, ready: boolean): AgentPod => ({
  metadata: { name: 'agent' },
  spec: { nodeName: 'node-1' },
  status: { containerStatuses: [{ containerID, ready }] },
});

const nodes = history<NodeObject>([-1, node('boot-1')], [2, node('boot-1')], [6, node('boot-2', 'False')], [7, node('boot-2')]);
const agents = history<AgentPod>([-1, agent('c1', true)], [6.5, agent('c1', true)], [8, agent('c2', false)], [8.5, agent('c2', true)]);

describe('the times of an update on real nodes', () => {
  test('are those of the new boot: what a pod is reported as before it runs again does not count', () => {
    const [times, ...others] = productTimes({ audit, nodes, agents });
    expect(others).toEqual([]);
    const seconds = Object.fromEntries(
      Object.entries(times ?? {}).map(([key, at]) => [key, typeof at === 'number' ? (at - start) / 1000 : at]),
    );
    expect(seconds).toMatchObject({ node: 'node-1', claimed: 0, booted: 6, ready: 7, agentReady: 8.5, uncordoned: 9, agentReported: 10 });
    expect(times && [productTotal(times), agentBack(times)]).toEqual([9_000, 4_000]);
  });

  test.each([
    ['the boot', { audit, nodes: history<NodeObject>([-1, node('boot-1')]), agents }],
    ['the agent’s pod', { audit, nodes, agents: history<AgentPod>([-1, agent('c1', true)]) }],
    ['the agent’s report', { audit: audit.slice(0, -1), nodes, agents }],
    ['the uncordon', { audit: audit.filter((_, index) => index !== 4), nodes, agents }],
  ])('are left out where %s is missing', (_what, watched) => {
    expect(productTimes(watched)).toEqual([]);
  });
});
