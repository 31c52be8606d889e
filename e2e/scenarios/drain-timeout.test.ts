import { describe, expect, test } from '@jest/globals';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { guardNode } from './guarded-pod.ts';
import { chart } from './helm.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

describe('a drain that takes too long', () => {
  test('is held, with its slot, until a person skips it; an edit to Force deletes what is left, once the chart allows it', async () => {
    const fleet = await start({ nodes: 2, policy: { drain: { timeout: '1s', onTimeout: 'Hold' } } });
    const { bed, annotate, eventually, history, judge, nodeUpdate, patchPolicy, phase, releaseInOrder, updated } = fleet;
    const guard = await guardNode(bed, 'node-1');
    await releaseInOrder('1.26.1');
    const held = await phase('node-1', 'Draining', 'DrainHeld');
    expect(held.message).toContain(guard.budget);
    await phase('node-2', 'Staged', 'CapacityReached');

    await annotate('nodes', 'node-1', { 'lockkeeper.dev/skip': 'a' });
    expect((await phase('node-1', 'Blocked', 'Skipped')).tokens?.skip).toBe('a');
    await updated('1.26.1', ['node-2']);

    // The token counts once: tried again, it is held again.
    await phase('node-1', 'Draining', 'DrainHeld');
    await patchPolicy({ drain: { onTimeout: 'Force' } });
    const forbidden = await phase('node-1', 'Draining', 'ForceForbidden');
    expect(forbidden.message).toContain('controller.allowPodDeletion');
    await bed.helm(
      'upgrade',
      'lockkeeper',
      chart,
      '--namespace',
      'lockkeeper',
      '--reuse-values',
      '--set',
      'controller.allowPodDeletion=true',
    );
    await updated('1.26.1');

    const deletions = await eventually(async () => {
      const found = await bed.audit.find({ verb: 'delete', resource: 'pods', name: guard.name });
      return found.filter(({ user }) => user.username.endsWith(':lockkeeper-controller'));
    });
    expect(deletions.map(({ responseStatus }) => responseStatus?.code).filter((code) => code !== 403)).toEqual([200]);
    expect((await nodeUpdate('node-1')).phase).toBe('Idle');
    expect(changes(history.versions, 'node-1', isCordoned)).toEqual([false, true, false, true, false]);
    await judge.invariants();
  }, 120_000);

  test('of mode None there is none: the node reboots with its pods on it, past their budget', async () => {
    const { bed, judge, machines, releaseInOrder, updated } = await start({ nodes: 1, policy: { drain: { mode: 'None' } } });
    await guardNode(bed, 'node-1');
    await releaseInOrder('1.26.1');
    await updated('1.26.1');
    expect(await judge.evictions()).toEqual([]);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 90_000);
});
