import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import { aNode, aWorld, NOW } from '../core/testing/builders.ts';
import type { NodeView } from '../core/world.ts';
import { ApiError } from '../kube/errors.ts';
import { recordingLogger } from '../kube/testing/fixtures.ts';
import { LifecycleSignals } from './lifecycle-signals.ts';

function signals(fail?: Error) {
  const patches: { path: string; body: unknown }[] = [];
  const observed: unknown[] = [];
  const logger = recordingLogger();
  const told = new LifecycleSignals({
    client: {
      strategicPatch: async <T>(path: string, body: unknown) => {
        patches.push({ path, body });
        if (fail !== undefined) throw fail;
        return { written: true } as T;
      },
    },
    nodes: { observe: (object: unknown) => observed.push(object) },
    logger,
    now: () => NOW,
    assertLeading: () => undefined,
  });
  const tell = (node: NodeView, status: NodeUpdateStatus) =>
    told.tell(
      aWorld({ nodes: [node] }),
      { policies: [], nodes: [{ node: node.name, status, commands: [] }], drains: [], lookAt: [], jobs: [], checks: [], handOver: false },
      new AbortController().signal,
    );
  return { patches, observed, tell, logger };
}

describe('lifecycle conditions', () => {
  test('are merged by type: those that hold are set, ours that do not are taken away', async () => {
    const { patches, observed, tell } = signals();
    await tell(aNode('n1', { lifecycle: ['MaintenancePlanned'] }), { phase: 'Draining', reason: 'Draining', message: 'waits for 1 pod' });
    const at = '2026-03-01T12:00:00Z';
    const set = {
      status: 'True',
      reason: 'Draining',
      message: 'Lockkeeper: waits for 1 pod',
      lastHeartbeatTime: at,
      lastTransitionTime: at,
    };
    expect(patches).toEqual([
      {
        path: '/api/v1/nodes/n1/status',
        body: {
          status: {
            conditions: [
              { type: 'MaintenancePlanned', $patch: 'delete' },
              { type: 'MaintenanceInProgress', ...set },
              { type: 'DrainInProgress', ...set },
              { type: 'Drained', $patch: 'delete' },
            ],
          },
        },
      },
    ]);
    expect(observed).toEqual([{ written: true }]);
  });

  test.each<[string, NodeView, NodeUpdateStatus]>([
    ['a node that carries what it should', aNode('n1', { lifecycle: ['MaintenancePlanned'] }), { phase: 'Staged' }],
    ['a node that is let alone', aNode('n1'), { phase: 'Idle' }],
  ])('nothing is written to %s', async (_, node, status) => {
    const { patches, tell } = signals();
    await tell(node, status);
    expect(patches).toEqual([]);
  });

  test('that cannot be written are in nobody’s way', async () => {
    const { patches, observed, tell, logger } = signals(new ApiError(403, 'no'));
    await tell(aNode('n1', { lifecycle: ['Drained'] }), { phase: 'Idle' });
    expect([patches.length, observed.length, logger.lines.length]).toEqual([1, 0, 1]);
  });
});
