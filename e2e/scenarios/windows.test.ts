import { describe, expect, test } from '@jest/globals';
import type { CordonRecord } from '../../src/api/cordon-record.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import type { Fleet } from './fleet.ts';
import { guardNode } from './guarded-pod.ts';
import { cordonAnnotation } from './judge.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const zone = 'Asia/Seoul';

/** A window of every day in Seoul: from and to so many milliseconds from now, to the second. */
function windowAround(fromMs: number, toMs: number) {
  const from = Math.floor((Date.now() + fromMs) / 1000) * 1000;
  const clock = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, timeStyle: 'medium' }).format(from);
  const [hour, minute, second] = clock.split(':').map(Number);
  const seconds = Math.ceil((Date.now() + toMs - from) / 1000);
  const window = { cron: `${second} ${minute} ${hour} * * *`, duration: `${seconds}s`, timeZone: zone };
  return { from, to: from + seconds * 1000, window };
}

const hour = 3_600_000;

function watched(fleet: Fleet) {
  const condition = async (type: string) => (await fleet.policy()).status?.conditions?.find((one) => one.type === type);
  return {
    condition,
    /** Waits until the policy says that it is open, or closed, for a reason. */
    window: (status: 'True' | 'False', reason: string) =>
      fleet.eventually(async () => {
        const now = await condition('WindowOpen');
        return now?.status === status && now.reason === reason && now;
      }),
    /** When we cordoned a node, each time. */
    cordons: (name: string) =>
      changes(fleet.history.versions, name, ({ metadata }) => metadata.annotations?.[cordonAnnotation])
        .filter((record) => record !== undefined)
        .map((record) => Date.parse((JSON.parse(record) as CordonRecord).at)),
  };
}

describe('a window that closes in the middle of a rollout', () => {
  test('lets finish what is in flight, begins nothing more, and goes on by itself when it opens again', async () => {
    const fleet = await start({ nodes: 3 });
    const { bed, history, judge, machines, patchPolicy, phase, policy, refreshed, releaseInOrder, updated } = fleet;
    const { condition, cordons, window } = watched(fleet);
    await window('True', 'AlwaysOpen');
    const guard = await guardNode(bed, 'node-1');
    await releaseInOrder('1.26.1');
    await phase('node-1', 'Draining');

    const closing = windowAround(-hour, 3_000);
    await patchPolicy({ schedule: { windows: [closing.window] } });
    await window('False', 'OutsideWindow');
    await guard.open();
    await updated('1.26.1', ['node-1']);
    const waiting = await Promise.all(['node-2', 'node-3'].map((name) => phase(name, 'Staged', 'OutsideWindow')));
    expect(waiting[0]?.message).toMatch(/^waits for the window to open at \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? Asia\/Seoul \(.*Z\)$/);
    await refreshed(['node-2', 'node-3']);
    for (const name of ['node-2', 'node-3']) expect(changes(history.versions, name, isCordoned)).toEqual([false]);

    await patchPolicy({ schedule: { windows: [{ ...closing.window, timeZone: 'Mars/Phobos' }] } });
    await phase('node-2', 'Staged', 'PolicyNotReady');
    const unreadable = 'spec.schedule.windows[0].timeZone "Mars/Phobos" is no time zone';
    await fleet.eventually(async () => (await condition('Ready'))?.message?.includes(unreadable));
    expect((await policy()).status?.window).toEqual({ open: false });

    const opening = windowAround(4_000, hour);
    await patchPolicy({ schedule: { windows: [closing.window, opening.window] } });
    await updated('1.26.1');
    expect((await policy()).status?.window).toMatchObject({ open: true });
    expect(await condition('Ready')).toMatchObject({ status: 'True' });
    for (const name of ['node-2', 'node-3']) expect(cordons(name)[0]).toBeGreaterThanOrEqual(opening.from);
    await judge.invariants();
    await judge.onceEach(machines);
  }, 120_000);

  test('takes back what may still be taken back where the policy says so, and so does an exclusion that begins', async () => {
    const fleet = await start({ nodes: 3, policy: { rollout: { maxUnavailable: 2 } } });
    const { bed, judge, machines, node, patchPolicy, phase, releaseInOrder, updated } = fleet;
    const { cordons, window } = watched(fleet);
    const guard = await guardNode(bed, 'node-2');
    const { host } = machines[0]!;
    host.faults.arm('neverReturns');
    await releaseInOrder('1.26.1');
    await phase('node-1', 'Rebooting', 'RebootAsked');
    await phase('node-2', 'Draining');

    const closing = windowAround(-hour, 3_000);
    await patchPolicy({ schedule: { windows: [closing.window], onClose: 'Release' } });
    await window('False', 'OutsideWindow');
    await phase('node-2', 'Staged', 'OutsideWindow');
    expect(isCordoned(await node('node-2'))).toBe(false);
    await host.release();
    await updated('1.26.1', ['node-1']);

    await patchPolicy({ schedule: { windows: null, always: true } });
    await updated('1.26.1', ['node-3']);
    await phase('node-2', 'Draining');
    const exclusion = { from: new Date(Date.now() + 3_000).toISOString(), to: new Date(Date.now() + hour).toISOString(), reason: 'fair' };
    await patchPolicy({ schedule: { exclusions: [exclusion] } });
    await window('False', 'InExclusion');
    expect((await phase('node-2', 'Staged', 'InExclusion')).message).toContain('waits for the exclusion (fair) to end at ');
    await patchPolicy({ schedule: { exclusions: null } });
    await phase('node-2', 'Draining');
    await guard.open();
    await updated('1.26.1');
    const [first, ...later] = cordons('node-2');
    expect(first).toBeLessThan(closing.to);
    for (const at of later) expect(at).toBeGreaterThan(closing.to);
    const orders = (await judge.orders('node-2')).map(({ action }) => action);
    expect([orders.slice(0, 2), orders.at(-1)]).toEqual([['Stage', 'Cancel'], 'Reboot']);
    await judge.invariants();
    await judge.onceEach(machines);
  }, 120_000);
});

describe('a window that is shorter than the absence of the controller', () => {
  test('is missed, and nothing is begun late', async () => {
    const fleet = await start({ nodes: 2, policy: { schedule: { windows: [windowAround(-2 * hour, -hour).window] } } });
    const { bed, eventually, history, judge, leader, patchPolicy, phase, refreshed, release, updated } = fleet;
    const { window } = watched(fleet);
    const names = ['node-1', 'node-2'];
    release('1.26.1');
    await Promise.all(names.map((name) => phase(name, 'Staged', 'OutsideWindow')));
    const away = await leader();
    await away.hold();
    const missed = windowAround(-1_000, 2_000);
    await patchPolicy({ schedule: { windows: [missed.window] } });
    await eventually(() => Date.now() > missed.to);
    await away.release();
    const nextDay = new Date(missed.from + 24 * hour).toISOString();
    const state = await eventually(async () => {
      const { status } = await fleet.policy();
      return status?.window?.nextChange === nextDay && status.window;
    });
    expect(state.open).toBe(false);
    await refreshed(names);
    for (const name of names) expect(changes(history.versions, name, isCordoned)).toEqual([false]);
    expect((await judge.claims()).flatMap(({ claims }) => claims)).toEqual([]);

    // In the middle of one it begins at once.
    await patchPolicy({ schedule: { windows: [windowAround(-hour, hour).window] } });
    await window('True', 'Open');
    await updated('1.26.1');
    await judge.invariants();
    expect(bed.pods.processes('controller')).toHaveLength(1);
  }, 120_000);
});
