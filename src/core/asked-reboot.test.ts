import { describe, expect, test } from '@jest/globals';
import type { Action, Worker } from './simulate/actions.ts';
import { heal } from './simulate/recovery.ts';
import { aPlainSetup } from './simulate/setup.ts';
import type { Simulation } from './simulate/simulation.ts';
import { playWatched } from './testing/watched.ts';

/** One node that is drained; its reboot is about to be ordered. The model's watchman sees every boot. */
const setup = aPlainSetup(1);

const work = (rounds: number, without?: Worker): Action => ({ do: 'work', leader: 0, rounds, without });
const pause: Action = { do: 'annotateNode', node: 0, key: 'paused', value: 'true' };
const late: Action = { do: 'time', minutes: 11 };

const ordered = [work(6), work(3, 'agents')];
const asked = [...ordered, work(1, 'hosts')];

const seen = ({ cluster }: Simulation) => {
  const { answer } = cluster.hosts.get('n0')?.status ?? {};
  const node = cluster.nodes.get('n0');
  return [cluster.updates.get('n0')?.status.phase, answer?.state, node?.record !== undefined && node.unschedulable];
};

describe('the worlds of these tests', () => {
  test.each([
    ['ordered', ordered, ['Rebooting', 'Done', true]],
    ['asked', asked, ['Rebooting', 'RebootAsked', true]],
  ])('%s', (_, actions, expected) => {
    expect(seen(playWatched({ setup, actions }))).toEqual(expected);
  });
});

describe('a reboot that was asked', () => {
  const fenceDuringGiveBack: Action[] = [
    ...ordered,
    pause,
    { do: 'pass', leader: 0, lags: {} },
    { do: 'step', leader: 0, calls: 1 },
    { do: 'agent', node: 0, steps: 8, lag: 'none' },
    { do: 'step', leader: 0, calls: 9 },
  ];

  test.each<[string, Action[], string]>([
    ['while the node is given back', [...fenceDuringGiveBack, work(4, 'hosts')], 'Rebooting'],
    ['before its letterbox is lost', [...asked, { do: 'deleteHost', node: 0 }, work(4, 'hosts')], 'Rebooting'],
    [
      'before its letterbox is lost, of a node that is given back',
      [...fenceDuringGiveBack, { do: 'deleteHost', node: 0 }, work(4, 'hosts')],
      'Rebooting',
    ],
    ['before its NodeUpdate is lost', [...asked, { do: 'deleteUpdate', node: 0 }, work(4, 'hosts')], 'Rebooting'],
    ['of a node that was paused since', [...asked, pause, work(4, 'hosts')], 'Rebooting'],
    ['of a policy that is gone since', [...asked, { do: 'deletePolicy', policy: 'a' }, work(4, 'hosts')], 'Rebooting'],
    ['and does not come about in time', [...asked, late, work(4, 'hosts')], 'Failed'],
    ['and is waited for in vain, of a node that is given back', [...fenceDuringGiveBack, late, work(4, 'hosts')], 'Failed'],
  ])('%s: the node stays cordoned, and is finished when it comes', (_, actions, phase) => {
    const world = playWatched({ setup, actions });
    expect([seen(world)[0], seen(world)[2]]).toEqual([phase, true]);
    world.act(work(12));
    expect(world.cluster.nodes.get('n0')).toMatchObject({ unschedulable: false, record: undefined, os: { version: '1.1.0' } });
    heal(world);
  });
});
