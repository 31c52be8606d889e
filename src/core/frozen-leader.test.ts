import { describe, expect, test } from '@jest/globals';
import { ON_NODE } from '../api/names.ts';
import type { Action } from './simulate/actions.ts';
import { aPlainSetup } from './simulate/setup.ts';
import type { Simulation } from './simulate/simulation.ts';
import { playWatched } from './testing/watched.ts';

/** Two nodes, one at a time. Controller 0 works; controller 1 is frozen, and thaws with some of its caches far behind. */
const setup = aPlainSetup(2);

const work = (rounds: number): Action => ({ do: 'work', leader: 0, rounds });
const pause = (value: 'true' | null): Action => ({ do: 'annotateNode', node: 0, key: 'paused', value });
const guard = (on: boolean): Action => ({ do: 'guard', on });
const thaw = (calls: number, lags = {}): Action[] => [
  { do: 'pass', leader: 1, lags },
  { do: 'step', leader: 1, calls },
];

const claimed = [work(4)];
/** Its pods are gone, and what holds it is the missing admission policy. */
const drained = [work(6), guard(false), work(1)];

const phaseOf = ({ cluster }: Simulation) => cluster.updates.get('n0')?.status.phase;
const recordOf = ({ cluster }: Simulation) => cluster.nodes.get('n0')?.record;
const orderOf = ({ cluster }: Simulation) => cluster.hosts.get('n0')?.spec.order?.action;

describe('the worlds of these tests', () => {
  test('node 0 is claimed, and not cordoned yet', () => {
    const world = playWatched({ setup, actions: claimed });
    expect(world.cluster.policies.get('a')?.status.claims).toHaveLength(1);
    expect(recordOf(world)).toBeUndefined();
  });

  test('node 0 is drained, and its reboot not ordered yet', () => {
    const world = playWatched({ setup, actions: drained });
    expect([phaseOf(world), orderOf(world)]).toEqual(['Draining', 'Stage']);
    expect(world.cluster.pods.items.filter(({ node }) => node === 'n0').map(({ name }) => name)).toEqual(['cni-n0']);
  });
});

describe('a leader that comes back', () => {
  test('orders no reboot of a node that was given back meanwhile', () => {
    const actions = [...drained, guard(true), ...thaw(1), pause('true'), work(3), { do: 'step', leader: 1, calls: 20 } as const];
    const world = playWatched({ setup, actions });
    expect([phaseOf(world), recordOf(world), orderOf(world)]).toEqual(['Staged', undefined, 'Cancel']);
  });

  test('orders none either where only its view of the Node is old, and the node has been staged again since', () => {
    const away: Action[] = [pause('true'), work(3), { do: 'flaw', node: 1, flaw: 'staysNotReady' }];
    const again: Action[] = [{ do: 'loseProof', node: 0 }, guard(true), pause(null), work(5)];
    const before = playWatched({ setup, actions: [...drained, ...thaw(20), ...away, ...again] });
    expect([phaseOf(before), recordOf(before), orderOf(before)]).toEqual(['Staged', undefined, 'Stage']);
    const after = playWatched({ setup, actions: [...drained, ...thaw(20), ...away, ...again, ...thaw(20, { nodes: 'still' })] });
    expect(orderOf(after)).not.toBe('Reboot');
    expect(after.cluster.machines[0]?.boot).toBe(1);
  });

  test('cordons no node by a claim that was given up, where only its view of the policy is old', () => {
    const alone: Action = { do: 'annotateNode', node: 1, key: 'paused', value: 'true' };
    const once = [alone, ...claimed, ...thaw(20), pause('true'), work(3)];
    const twice = [...once, pause(null), work(2), pause('true'), work(3), pause(null)];
    const fences = [once, twice].map((actions) => playWatched({ setup, actions }).cluster.nodes.get('n0')?.annotations[ON_NODE.fence]);
    expect(new Set([undefined, ...fences]).size).toBe(3);
    expect(recordOf(playWatched({ setup, actions: [...twice, ...thaw(20, { policies: 'still' })] }))).toBeUndefined();
  });

  test('claims nothing by an old view of the lock', () => {
    const seen = [work(3)];
    const world = playWatched({ setup, actions: [...seen, ...thaw(20), ...thaw(0), work(2), ...thaw(20)] });
    expect(world.cluster.policies.get('a')?.status.claims).toHaveLength(1);
  });
});
