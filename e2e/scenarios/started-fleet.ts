import { afterEach } from '@jest/globals';
import type { Machine } from '../bed/machine.ts';
import { type Fleet, type FleetOptions, startFleet } from './fleet.ts';

/** A fleet for one test: `node-1`, `node-2`, … in one zone, so that they are claimed in this order, and several at once where the policy allows it. */
export interface TestFleet extends Fleet {
  /** Puts out a release; no node is begun before all have staged it, so that the first one to go is `node-1`. */
  releaseInOrder(version: string): Promise<void>;
  /** Waits until the hosts of these nodes were asked for news so many times more: whatever was to be done by now has been. */
  refreshed(names: readonly string[], times?: number): Promise<void>;
}

/** Gives what starts a fleet for the test that runs, one at a time; it is stopped when the test ends. */
export function fleetOfTheTest(): (options: FleetOptions) => Promise<TestFleet> {
  let fleet: Fleet | undefined;
  afterEach(async () => {
    await fleet?.stop();
    fleet = undefined;
  });
  return async (options) => {
    const machine = (index: number) => ({
      name: `node-${index + 1}`,
      zone: 'eu-west-1a',
      ...options.machine?.(index),
    });
    fleet = await startFleet({ ...options, machine });
    return extend(fleet);
  };
}

function extend(fleet: Fleet): TestFleet {
  const { bed, eventually, machines } = fleet;
  return {
    ...fleet,
    async releaseInOrder(version) {
      await fleet.patchPolicy({ approval: 'Manual' });
      const observed = async () => {
        const { metadata, status } = await fleet.policy();
        return status?.observedGeneration === metadata.generation;
      };
      await eventually(observed, { timeoutMs: 120_000 });
      fleet.release(version);
      await Promise.all(machines.map(({ name }) => fleet.phase(name, 'Staged', 'AwaitingApproval')));
      await fleet.patchPolicy({ approval: 'Automatic' });
    },
    async refreshed(names, times = 3) {
      await Promise.all(names.map((name) => refreshes(bed.machine(name), times, eventually)));
    },
  };
}

async function refreshes({ host, name }: Machine, times: number, eventually: Fleet['eventually']): Promise<void> {
  let count = 0;
  const onRequest = ({ path }: { path: string }) => {
    if (path === '/actions/refresh-updates') count += 1;
  };
  host.on('request', onRequest);
  try {
    await eventually(() => count >= times, { describe: () => `${name}: ${count} of ${times} refreshes` });
  } finally {
    host.off('request', onRequest);
  }
}
