import { expect, test } from '@jest/globals';
import { type NodeUpdateStatus, PHASES } from '../api/node-update.ts';
import { aNode, aWorld, NEW, NOW, OLD } from '../core/testing/builders.ts';
import { BRUPOP_STATES } from './brupop-metrics.ts';
import { createMetrics } from './metrics.ts';

const os = (version: string) => ({ version, variant: 'aws-k8s-1.31', arch: 'amd64' });

/** The metrics of a world of nodes in these phases. */
async function told(phases: Record<string, NodeUpdateStatus>, brupop = true): Promise<string[]> {
  const metrics = createMetrics(() => NOW, { brupop });
  const nodes = [
    ...Object.keys(phases).map((name, index) => aNode(name, { os: os(index === 0 ? NEW : OLD) })),
    aNode('theirs', { otherOperator: true }),
  ];
  const statuses = { ...phases, theirs: { policy: 'default', phase: 'Idle' as const } };
  const decided = Object.entries(statuses).map(([node, status]) => ({ node, status, commands: [] }));
  metrics.decided(aWorld({ nodes }), { policies: [], nodes: decided, drains: [], lookAt: [], jobs: [], checks: [], handOver: false }, 1);
  const text = await metrics.registry.metrics();
  metrics.forget();
  expect((await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('brupop_'))).toEqual([]);
  return text.split('\n').filter((line) => line.startsWith('brupop_'));
}

test('nodes are counted by state and version, those of the other operator and of nobody left out', async () => {
  const all = Object.fromEntries(PHASES.map((phase) => [phase, { policy: 'default', phase }]));
  expect((await told({ ...all, nobody: { phase: 'Idle' } })).sort()).toEqual([
    'brupop_hosts_state{state="ErrorReset"} 3',
    'brupop_hosts_state{state="Idle"} 4',
    'brupop_hosts_state{state="MonitoringUpdate"} 1',
    'brupop_hosts_state{state="RebootedIntoUpdate"} 2',
    'brupop_hosts_state{state="StagedAndPerformedUpdate"} 2',
    `brupop_hosts_version{bottlerocket_version="${OLD}"} ${PHASES.length - 1}`,
    `brupop_hosts_version{bottlerocket_version="${NEW}"} 1`,
  ]);
  expect(Object.keys(BRUPOP_STATES)).toEqual(expect.arrayContaining([...PHASES]));
});

test('they are there only where they are asked for', async () => {
  expect(await told({ a: { policy: 'default', phase: 'Idle' } }, false)).toEqual([]);
});
