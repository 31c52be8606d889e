import { describe, expect, test } from '@jest/globals';
import type { CordonRecord } from '../../api/cordon-record.ts';
import type { DrainPlan } from '../drain-plan.ts';
import { aDaemonSetPod, aFlight, ago, aNode, aPod, aRecord, inFlightNode } from '../testing/builders.ts';
import type { NodeView, PodView, World } from '../world.ts';
import { draining } from './draining.ts';
import type { Flight } from './flight.ts';
import { volumesToDetach } from './volumes.ts';

const waits = (change: Partial<CordonRecord> = {}): CordonRecord =>
  aRecord('n1', { drain: { deleteEmptyDirData: true, force: false, waitForVolumeDetach: true }, ...change });

describe('the volumes to be detached', () => {
  const leave = (...counts: (number | undefined)[]): DrainPlan['leave'] =>
    counts.map((attachable, index) => ({
      pod: aDaemonSetPod(`cni-${index}`, attachable === undefined ? {} : { attachable }),
      reason: 'DaemonSet',
    }));
  const seven = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

  test.each<[string, readonly string[] | undefined, DrainPlan['leave'], string | undefined]>([
    ['not projected', undefined, [], undefined],
    ['none', [], leave(1), undefined],
    ['one, and nothing stays', ['a'], [], '1 attached volume to be detached: a'],
    ['several, and pods without volumes stay', ['a', 'b'], leave(undefined), '2 attached volumes to be detached: a, b'],
    ['as many as those of pods that stay', ['a', 'b'], leave(1, undefined, 1), undefined],
    ['fewer than those', ['a'], leave(2), undefined],
    ['more than those', ['a', 'b', 'c'], leave(1), '2 of 3 attached volumes to be detached: a, b, c'],
    ['many', seven, [], '7 attached volumes to be detached: a, b, c, d, e and 2 more'],
  ])('%s', (_, attached, left, words) => {
    const node = aNode('n1', attached === undefined ? {} : { volumesAttached: attached });
    expect(volumesToDetach({ node, record: waits() }, { leave: left })).toBe(words);
    expect(volumesToDetach({ node, record: aRecord('n1') }, { leave: left })).toBeUndefined();
  });
});

describe('a drain whose pods are gone', () => {
  function step(
    volumesAttached: readonly string[],
    change: Partial<Flight> = {},
    world: Partial<World> = {},
    node: Partial<NodeView> = {},
  ) {
    const { status, commands, drain, until } = draining(
      aFlight(inFlightNode('n1', { phase: 'Draining' }, { volumesAttached, record: waits(), ...node }), change, world),
    );
    return { status, commands: commands.map(({ type }) => type), drain, until };
  }
  const on = (...pods: PodView[]) => ({ pods: new Map([['n1', pods]]) });
  const hook = { at: 'BeforeReboot', namespace: 'ops', name: 'flush', timeoutMs: 1_000 } as const;

  test('waits for their volumes, before the hooks and the reboot', () => {
    const record = waits({ hooks: [hook] });
    const world = { hookNamespaces: ['ops'], jobs: new Map([['ops/lockkeeper-claim-n1-0', { state: 'Absent' }] as const]) };
    const waiting = step(['vol-a'], {}, world, { record });
    expect(waiting).toMatchObject({ status: { phase: 'Draining', reason: 'VolumesAttached' }, commands: [], drain: { evict: [] } });
    expect(waiting.status.message).toBe('its pods are gone; waits for 1 attached volume to be detached: vol-a');
    expect(waiting.until).toBe(Date.parse(record.drainDeadline));
    expect(step([], {}, world, { record }).commands).toEqual(['WriteStatus', 'RunHook']);
    expect(step([]).commands).toEqual(['OrderReboot']);
  });

  test('says first what it waits for of the pods', () => {
    expect(step(['vol-a'], {}, on(aPod('a'))).status.reason).toBe('Draining');
  });

  test('does not wait for those of pods that stay', () => {
    expect(step(['vol-a'], {}, on(aDaemonSetPod('cni', { attachable: 1 }))).commands).toEqual(['OrderReboot']);
  });

  const late = { record: waits({ drainDeadline: ago(1) }) };
  const words = '1 attached volume to be detached: vol-a';
  test.each<[Flight['onTimeout'], boolean, object, string]>([
    ['Skip', false, { phase: 'Uncordoning', next: 'Blocked', reason: 'DrainTimeout' }, words],
    ['Hold', false, { phase: 'Draining', reason: 'DrainHeld' }, words],
    ['Hold', true, { phase: 'Uncordoning', next: 'Staged', reason: 'Paused' }, words],
    ['Force', false, { phase: 'Rebooting', reason: 'RebootOrdered' }, `does not wait for ${words}`],
  ])('at the deadline does as the policy says: %s (paused: %j)', (onTimeout, policyPaused, status, message) => {
    const timedOut = step(['vol-a'], { onTimeout, policyPaused }, {}, late);
    expect(timedOut.status).toMatchObject(status);
    expect(timedOut.status.message).toContain(message);
    expect(step(['vol-a'], { onTimeout, policyPaused }).status.reason).toBe('VolumesAttached');
  });
});
