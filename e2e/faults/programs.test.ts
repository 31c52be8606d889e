import { readdir, readFile, readlink, rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { SeenRequest } from '../bed/fault-proxy.ts';
import type { PodProcess } from '../bed/pod-process.ts';
import { fleetOfTheTest, type TestFleet } from '../scenarios/started-fleet.ts';
import { faultsEnvironment } from './config.ts';
import { lasting } from './harm.ts';
import { openMemoryGroup } from './out-of-memory.ts';
import { ride } from './ride.ts';

const start = fleetOfTheTest();
const { hurry } = faultsEnvironment();
const minutes = 60_000;

describe('a controller', () => {
  test(
    'is killed 200 times at random within one rollout of 50 nodes',
    async () => {
      const nodes = 50;
      const times = Math.round(200 / hurry);
      const harm = async ({ bed, eventually, judge }: TestFleet) => {
        let killed = 0;
        while (killed < times && judge.boots().length < nodes) {
          for (const one of bed.pods.processes('controller').filter(({ pid }) => pid !== undefined)) {
            const ended = one.endings.length;
            one.kill('SIGKILL');
            await eventually(() => one.endings.length > ended);
            killed += 1;
          }
          // Long enough to be started and to act, short enough to be struck in the middle of anything.
          await sleep(Math.random() * 2_000);
        }
        expect(killed).toBe(times);
        return `killed ${killed} times`;
      };
      // Hosts so slow that the rollout does not end before the killing does.
      const timings = { bootMs: 14_000 / hurry };
      const name = 'controller killed 200 times at random, 50 nodes';
      await ride(start, { name, nodes, after: 0, fleet: { timings }, harm, patienceMs: 20 * minutes });
    },
    45 * minutes,
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
      const harm = async ({ bed, eventually, leader, leads, machines }: TestFleet) => {
        for (const [what, matches] of writes) {
          const acting = await leader();
          const write = bed.faults.arm('hold', matches);
          await eventually(() => write.caught.length > 0, { timeoutMs: 2 * minutes, describe: () => what });
          acting.pause();
          const other = await leader(acting);
          await leads(other, machines[0]?.name ?? '');
          await lasting(60);
          acting.resume();
          await write.release();
        }
        return `${writes.map(([what]) => what).join(', ')}`;
      };
      // Hosts so slow that there is something left to write at the last of them.
      const fleet = { replicas: 2, faultsFor: ['controller'], timings: { bootMs: 40_000 / hurry } };
      const name = 'leader stands still for 60 s at each kind of write, the write late';
      await ride(start, { name, nodes: 30, after: 1, fleet, harm, patienceMs: 20 * minutes });
    },
    45 * minutes,
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
  const actions = ['/actions/refresh-updates', '/actions/prepare-update', '/actions/activate-update', '/actions/reboot'];
  test(
    'run out of memory in the middle of each action, and at random',
    async () => {
      const memory = await openMemoryGroup();
      const harm = async ({ bed, eventually, judge, machines }: TestFleet) => {
        const struck = new Map(actions.map((action) => [action, 0]));
        let chance = 0;
        const kill = async (agent: PodProcess) => {
          const { pid } = agent;
          const ended = agent.endings.length;
          if (pid === undefined) return false;
          if (memory === undefined) agent.kill('SIGKILL');
          else await memory.exhaust(pid);
          await eventually(() => agent.endings.length > ended);
          return true;
        };
        const kills: Promise<unknown>[] = [];
        for (const { name, host } of machines) {
          const left = new Set(actions);
          host.on('request', ({ path }) => {
            const action = actions.find((one) => path.startsWith(one));
            if (action === undefined || !left.delete(action)) return;
            kills.push(kill(bed.pods.on(name, 'agent')).then((done) => done && struck.set(action, (struck.get(action) ?? 0) + 1)));
          });
        }
        while (judge.boots().length < machines.length) {
          const running = bed.pods.processes('agent').filter(({ pid }) => pid !== undefined);
          const agent = running[Math.floor(Math.random() * running.length)];
          if (agent !== undefined && (await kill(agent))) chance += 1;
          await sleep(1_000);
        }
        await Promise.all(kills);
        for (const action of actions) expect({ action, struck: struck.get(action) }).not.toEqual({ action, struck: 0 });
        const how = memory === undefined ? 'by SIGKILL: this user may make no cgroup' : 'by the kernel, in a cgroup of 64 MiB';
        const where = [...struck].map(([action, times]) => `${times} at ${action.split('/').at(-1)}`);
        return `killed ${how}: ${where.join(', ')}, ${chance} at random`;
      };
      // Long enough that an agent dies before what it began is over.
      const timings = { refreshMs: 500, prepareMs: 3_000, activateMs: 2_000, rebootCommandMs: 1_000, bootMs: 2_000 };
      try {
        // An agent that is killed just before it reboots may have lost the proof of what is staged: its node stages again, and is ordered anew.
        await ride(start, { name: 'agents out of memory', after: 0, onceEach: 'boots', fleet: { timings }, harm });
      } finally {
        await memory?.close();
      }
    },
    15 * minutes,
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
      // A node that was staged is drained before its agent is asked; it is given back when the agent reaches no host, and tried again.
      await ride(start, { name: 'host socket gone for 10 minutes', onceEach: 'boots', harm });
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
          for (const program of [...bed.pods.processes('agent'), ...bed.pods.processes('controller')]) {
            expect(program.pod.spec.containers.map(({ securityContext }) => securityContext?.readOnlyRootFilesystem)).toEqual([true]);
            expect({ program: program.name, writes: await writtenFiles(program) }).toEqual({ program: program.name, writes: [] });
          }
          looks += 1;
          await lasting(0.2);
        }
        return `the file system of each container is read-only; no file but its log open for writing, in ${looks} looks at each program`;
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
