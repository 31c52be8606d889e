import { readdir, readFile, readlink, rename } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import type { SeenRequest } from '../bed/fault-proxy.ts';
import type { PodProcess } from '../bed/pod-process.ts';
import { fleetOfTheTest, type TestFleet } from '../scenarios/started-fleet.ts';
import { lasting } from './harm.ts';
import { ride } from './ride.ts';

const start = fleetOfTheTest();
const minutes = 60_000;

describe('a controller', () => {
  test(
    'is killed 200 times at random within one rollout of 50 nodes',
    async () => {
      const times = 200;
      const harm = async ({ bed, eventually, judge }: TestFleet) => {
        let killed = 0;
        while (killed < times && judge.boots().length < 50) {
          const running = bed.pods.processes('controller').filter(({ pid }) => pid !== undefined);
          for (const one of running) {
            const ended = one.endings.length;
            one.kill('SIGKILL');
            await eventually(() => one.endings.length > ended);
            killed += 1;
          }
          // Long enough to be started and to act, short enough to be struck in the middle of anything.
          await lasting(Math.random() * 4);
        }
        return `killed ${killed} times`;
      };
      // It is the last node that ends the harm: slow hosts give the killing its time.
      const timings = { bootMs: 8_000 };
      await ride(start, {
        name: 'controller killed at random, 50 nodes',
        nodes: 50,
        maxUnavailable: 2,
        fleet: { timings },
        harm,
        patienceMs: 600_000,
      });
    },
    30 * minutes,
  );

  const writes: [string, (request: SeenRequest) => boolean][] = [
    ['a claim', ({ method, path, body }) => method === 'PATCH' && path.includes('/updatepolicies/') && body.includes('"claims"')],
    [
      'a cordon',
      ({ method, path, body }) => method === 'PATCH' && path.startsWith('/api/v1/nodes/') && body.includes('"unschedulable":true'),
    ],
    ['an eviction', ({ method, path }) => method === 'POST' && path.endsWith('/eviction')],
    ['a Reboot order', ({ method, path, body }) => method === 'PATCH' && path.includes('/nodehosts/') && body.includes('"Reboot"')],
    [
      'an uncordon',
      ({ method, path, body }) => method === 'PATCH' && path.startsWith('/api/v1/nodes/') && body.includes('"unschedulable":null'),
    ],
    ['a status', ({ method, path }) => method === 'PATCH' && path.includes('/nodeupdates/') && path.endsWith('/status')],
  ];
  test(
    'stands still for a minute at each kind of write while another takes over; the write comes late',
    async () => {
      const harm = async ({ bed, leader, leads, machines }: TestFleet) => {
        for (const [, matches] of writes) {
          const acting = await leader();
          const write = bed.faults.arm('hold', matches);
          await write.first;
          acting.pause();
          const other = await leader(acting);
          await leads(other, machines[0]?.name ?? '');
          await lasting(60);
          acting.resume();
          await write.release();
        }
        return `${writes.map(([what]) => what).join(', ')}`;
      };
      const fleet = { replicas: 2, faultsFor: ['controller'] };
      await ride(start, { name: 'leader stands still for 60 s at each kind of write, the write late', nodes: 16, fleet, harm });
    },
    20 * minutes,
  );

  test(
    'that leads is cut off from the API server for a minute, without a sound',
    async () => {
      const harm = async ({ bed, eventually, leader, leaseHolder }: TestFleet) => {
        const acting = await leader();
        acting.cut('silent');
        const since = Date.now();
        await eventually(async () => (await leaseHolder()) !== acting.name, { timeoutMs: 30_000 });
        const seconds = (Date.now() - since) / 1000;
        await lasting(60);
        acting.cut('open');
        await bed.eventually(() => acting.ready);
        return `another led after ${seconds.toFixed(1)} s (leases of 3 s)`;
      };
      await ride(start, { name: 'leader cut off silently for 60 s, another takes over', fleet: { replicas: 2 }, harm });
    },
    10 * minutes,
  );
});

describe('agents', () => {
  test(
    'are killed as by the kernel for want of memory, again and again',
    async () => {
      const harm = async ({ bed, judge }: TestFleet) => {
        let killed = 0;
        while (killed < 100 && judge.boots().length < 12) {
          const running = bed.pods.processes('agent').filter(({ pid }) => pid !== undefined);
          running[Math.floor(Math.random() * running.length)]?.kill('SIGKILL');
          killed += 1;
          await lasting(0.3);
        }
        return `killed ${killed} times`;
      };
      await ride(start, { name: 'agents killed as when out of memory, at random', fleet: { timings: { bootMs: 2_000 } }, harm });
    },
    10 * minutes,
  );

  test(
    'find no socket of their host for ten minutes',
    async () => {
      const harm = async ({ machines }: TestFleet) => {
        const gone = machines.slice(0, 6);
        for (const { socketPath } of gone) await rename(socketPath, `${socketPath}.gone`);
        await lasting(600);
        for (const { socketPath } of gone) await rename(`${socketPath}.gone`, socketPath);
        return `of ${gone.length} nodes`;
      };
      await ride(start, { name: 'host socket gone for 10 minutes', harm });
    },
    25 * minutes,
  );

  test(
    'write no file, so that a full disk is nothing to them',
    async () => {
      const harm = async ({ bed, judge }: TestFleet) => {
        const before = judge.boots().length;
        let looks = 0;
        while (judge.boots().length < before + 6) {
          for (const program of [...bed.pods.processes('agent'), ...bed.pods.processes('controller')])
            expect({ program: program.name, writes: await writtenFiles(program) }).toEqual({ program: program.name, writes: [] });
          looks += 1;
          await lasting(0.2);
        }
        return `no file but its log open for writing, in ${looks} looks at each program`;
      };
      await ride(start, { name: 'disk full', harm });
    },
    10 * minutes,
  );
});

/** The files, but for its log and devices, that a program has open for writing. */
async function writtenFiles({ pid, log }: PodProcess): Promise<string[]> {
  if (pid === undefined) return [];
  const written: string[] = [];
  const folder = `/proc/${pid}`;
  for (const descriptor of await readdir(`${folder}/fd`).catch(() => [])) {
    const target = await readlink(`${folder}/fd/${descriptor}`).catch(() => '');
    const info = await readFile(`${folder}/fdinfo/${descriptor}`, 'utf8').catch(() => '');
    const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? '0', 8);
    const writes = (flags & 0o3) !== 0;
    if (writes && target.startsWith('/') && !target.startsWith('/dev/') && target !== log) written.push(target);
  }
  return written;
}
