import { describe, test } from '@jest/globals';
import type { FaultKind, SeenRequest } from '../bed/fault-proxy.ts';
import { fleetOfTheTest, type TestFleet } from '../scenarios/started-fleet.ts';
import { isWatch, isWrite, lasting, oneIn, repeatedly } from './harm.ts';
import { ride } from './ride.ts';

const start = fleetOfTheTest();
const minutes = 60_000;

describe('the API server', () => {
  test(
    'is restarted, and crashes, three times each',
    async () => {
      const harm = async ({ bed }: TestFleet) => {
        for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
          await bed.controlPlane.restartApiServer({ signal });
          await lasting(3);
        }
        return undefined;
      };
      await ride(start, { name: 'API server restarted three times, crashed three times', harm });
    },
    10 * minutes,
  );

  test(
    'stands still for a minute',
    async () => {
      const harm = async ({ bed }: TestFleet) => {
        await bed.controlPlane.pauseApiServer();
        await lasting(60);
        bed.controlPlane.resumeApiServer();
        return undefined;
      };
      // What plays the kubelets reports a node's readiness when it changes, and not again: nobody may change it meanwhile.
      await ride(start, { name: 'API server stands still (SIGSTOP) for 60 s', fleet: { nodeGraceSeconds: 600 }, harm });
    },
    10 * minutes,
  );

  test(
    'has its storage compacted under it, again and again, while watches break',
    async () => {
      const harm = async ({ bed }: TestFleet) => {
        const turns = await repeatedly(30, 1_000, async () => {
          await bed.controlPlane.compactStorage();
          bed.faults.hangUp(isWatch);
        });
        return `${turns} compactions`;
      };
      await ride(start, {
        name: 'etcd compacted and every watch cut, each second for 30 s',
        fleet: { faultsFor: ['controller', 'agent'] },
        harm,
      });
    },
    10 * minutes,
  );

  const half = oneIn(2);
  const faults: [string, FaultKind, (request: SeenRequest) => boolean, number][] = [
    ['429 to every second request, for 60 s', 429, half, 60],
    ['500 to every second request, for 60 s', 500, half, 60],
    ['504 to every second request, for 60 s', 504, half, 60],
    ['410 to every watch, for 60 s', 'expired', isWatch, 60],
    ['every answer and event 5 s late, for 120 s', { delayMs: 5_000 }, () => true, 120],
    ['connection dropped after every third write was done, for 60 s', 'cut', oneIn(3, isWrite), 60],
    ['connection dropped before every third request, for 60 s', 'drop', oneIn(3), 60],
  ];
  test.each(faults)(
    '%s',
    async (name, kind, matches, seconds) => {
      const harm = async ({ bed }: TestFleet) => {
        const fault = bed.faults.arm(kind, matches, Number.POSITIVE_INFINITY);
        bed.faults.hangUp(isWatch);
        await lasting(seconds);
        fault.lift();
        bed.faults.hangUp(isWatch);
        return `${fault.caught.length} requests caught`;
      };
      await ride(start, { name, fleet: { faultsFor: ['controller', 'agent'] }, harm });
    },
    10 * minutes,
  );

  test(
    'cuts every watch, every second',
    async () => {
      const harm = async ({ bed }: TestFleet) => {
        let cut = 0;
        await repeatedly(60, 1_000, () => {
          cut += bed.faults.hangUp(isWatch);
        });
        return `${cut} watches cut`;
      };
      await ride(start, { name: 'every watch cut each second, for 60 s', fleet: { faultsFor: ['controller', 'agent'] }, harm });
    },
    10 * minutes,
  );
});
