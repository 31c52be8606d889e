import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../bed/eventually.ts';
import { removeLeftovers } from './leftovers.ts';
import type { RealMachine } from './machine.ts';
import { type Nodes, startNodes } from './nodes.ts';
import { type BedRecord, cgroupName, isAlive, readRecords } from './records.ts';
import { isReady } from './start-machine.ts';
import { realNodes } from './suite.ts';
import { agentLike, type PodWithStatus, podPath, webPods, webService } from './test-pods.ts';

const suite = await realNodes();

const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const release = (version: string) => ({ version, variant: 'aws-k8s-1.31', arch });
const image = (version: string) => `Bottlerocket OS ${version} (aws-k8s-1.31)`;

suite('real nodes', () => {
  let before: Traces;
  let bed: Nodes;
  const name = (index: number) => `node-${index}`;
  const pod = (name: string) => bed.client.get<PodWithStatus>(podPath(name));
  const running = (name: string, restarts = 0) =>
    bed.eventually(
      async () => {
        const { status } = await pod(name);
        return status.containerStatuses?.[0]?.ready === true && status.containerStatuses[0].restartCount === restarts;
      },
      { timeoutMs: 60_000, describe: () => pod(name) },
    );

  beforeAll(async () => {
    before = await traces();
    bed = await startNodes({ releases: [release('1.26.0'), release('1.26.1')] });
  }, 240_000);

  afterAll(() => bed?.stop(), 60_000);

  test('three kubelets are Ready, each with an OS, a boot and an address of its own', async () => {
    const nodes = await Promise.all([1, 2, 3].map((index) => bed.machine(name(index)).node()));
    expect(nodes.every(isReady)).toBe(true);
    expect(nodes.map(({ status }) => status.nodeInfo.osImage)).toEqual([image('1.26.0'), image('1.26.0'), image('1.26.0')]);
    const different = (of: (node: (typeof nodes)[number]) => unknown) => expect(new Set(nodes.map(of)).size).toBe(3);
    different(({ status }) => status.nodeInfo.bootID);
    different(({ status }) => (status.nodeInfo as { machineID?: string }).machineID);
    different(({ status }) => status.addresses?.[0]?.address);
    const states = await Promise.all([...bed.machines.values()].map((machine) => machine.state()));
    expect(new Set(nodes.map(({ status }) => status.nodeInfo.bootID))).toEqual(new Set(states.map(({ bootID }) => bootID)));
  });

  test("a pod as our agent's runs, reaches the host's API and the API server, and sees its node's boot", async () => {
    await bed.client.create('/api/v1/namespaces/default/pods', agentLike('agent', name(1)));
    await running('agent');
    const { bootID } = await bed.machine(name(1)).state();
    const said = await bed.eventually(async () => {
      const log = await bed.kubectl('logs', 'agent');
      return log.split('\n').length > 3 && log;
    });
    expect(said).toContain(`boot ${bootID}\n`);
    expect(said).toContain(`host {"arch":"${arch}"`);
    expect(said).toContain('server v1.36');
    expect(await bed.kubectl('exec', 'agent', '--', 'node', '-p', '6 * 7')).toBe('42\n');
  });

  test('a reboot by the host API boots what was activated, and the pod is started again', async () => {
    const machine = bed.machine(name(1));
    const [nodeBefore, podBefore] = [await machine.node(), await pod('agent')];
    await bed.kubectl('cordon', name(1));
    await update(machine);
    const node = await bed.eventually(
      async () => {
        const seen = await machine.node();
        return seen.status.nodeInfo.bootID !== nodeBefore.status.nodeInfo.bootID && isReady(seen) && seen;
      },
      { timeoutMs: 60_000 },
    );
    expect(node.status.nodeInfo.osImage).toBe(image('1.26.1'));
    expect(node.metadata.uid).toBe(nodeBefore.metadata.uid);
    expect(node.spec.unschedulable).toBe(true);
    await running('agent', 1);
    expect((await pod('agent')).metadata.uid).toBe(podBefore.metadata.uid);
    await bed.eventually(async () => (await bed.kubectl('logs', 'agent')).includes(`boot ${node.status.nodeInfo.bootID}\n`));
    await bed.kubectl('uncordon', name(1));
  }, 120_000);

  test('an image that does not boot: the old one is back, in another boot', async () => {
    const machine = bed.machine(name(2));
    const { bootID } = (await machine.node()).status.nodeInfo;
    await machine.host.faults.arm('bootFails');
    await update(machine);
    await bed.eventually(async () => (await machine.node()).status.nodeInfo.bootID !== bootID, { timeoutMs: 60_000 });
    expect((await machine.node()).status.nodeInfo.osImage).toBe(image('1.26.0'));
    expect((await machine.state()).faults).toEqual({});
  }, 120_000);

  test('a kubelet that is held does not come back with its machine', async () => {
    const machine = bed.machine(name(3));
    const { bootID } = (await machine.node()).status.nodeInfo;
    await machine.hold('kubelet');
    expect((await machine.reboot()).bootID).not.toBe(bootID);
    await bed.eventually(() => machine.run('ctr', 'version'));
    expect(await machine.run('ps', '-e', '-o', 'comm=')).not.toContain('kubelet');
    expect((await machine.node()).status.nodeInfo.bootID).toBe(bootID);
    await machine.letGo('kubelet');
    await bed.eventually(async () => (await machine.node()).status.nodeInfo.bootID !== bootID, { timeoutMs: 60_000 });
  }, 120_000);

  test('a client that is no node is served through kube-proxy by the pods of all nodes', async () => {
    await bed.client.apply(webPods(3), webService(30080));
    await bed.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    const seen = new Set<string>();
    await bed.eventually(async () => {
      const { status, body } = await bed.network.get(`http://${bed.machine(name(1)).address}:30080/`);
      expect(status).toBe(200);
      seen.add(body);
      return seen.size === 3;
    });
  }, 120_000);

  test('nothing runs on a machine without power, and all of it comes back', async () => {
    const machine = bed.machine(name(1));
    const { bootID } = await machine.powerOff();
    const state = await machine.state();
    expect(state.power).toBe('off');
    expect(state.process).toBeUndefined();
    await expect(bed.network.get(`http://${machine.address}:30080/`)).rejects.toThrow();
    await expect(machine.host.ask('GET', '/os')).rejects.toMatchObject({ code: 'ENOENT' });
    await machine.powerOn();
    await bed.eventually(async () => (await machine.node()).status.nodeInfo.bootID !== bootID, { timeoutMs: 60_000 });
    await running('agent', 2);
  }, 120_000);

  test('a second bed stands beside the first, and its end is its own', async () => {
    const other = await startNodes({ nodes: 1, nodeGraceSeconds: 10 });
    try {
      expect(other.machine(name(1)).address).toBe(bed.machine(name(1)).address);
      expect((await other.machine(name(1)).node()).metadata.uid).not.toBe((await bed.machine(name(1)).node()).metadata.uid);
      // Nobody hears this kubelet any more; its namesake is not concerned.
      await other.machine(name(1)).powerOff();
      await eventually(async () => !isReady(await other.machine(name(1)).node()), { timeoutMs: 60_000 });
      expect(isReady(await bed.machine(name(1)).node())).toBe(true);
    } finally {
      await other.stop();
    }
    expect((await bed.network.get(`http://${bed.machine(name(2)).address}:30080/`)).status).toBe(200);
    expect((await recordsButOthers()).map(({ pid }) => pid)).toEqual([process.pid]);
  }, 240_000);

  describe('a harness that is killed', () => {
    let harness: ChildProcess;
    let record: BedRecord;

    const start = async () => {
      const main = fileURLToPath(new URL('main.ts', import.meta.url));
      harness = spawn(process.execPath, [main, 'up', '--nodes', '1'], { stdio: 'ignore', env: { ...process.env, BED_OUT: bed.home.out } });
      record = await eventually(async () => (await readRecords()).find(({ pid, ready }) => pid === harness.pid && ready), {
        timeoutMs: 180_000,
      });
    };
    const kill = async () => {
      const ended = once(harness, 'exit');
      harness.kill('SIGKILL');
      await ended;
    };

    test('is cleaned up after at once, by what it has left for that', async () => {
      await start();
      await kill();
      await eventually(async () => (await readRecords()).every(({ id }) => id !== record.id));
      expect(await processesOf(record)).toEqual([]);
      expect(await leftOf(record)).toEqual([]);
    }, 240_000);

    test('together with that, by the next bed, which touches no other', async () => {
      await start();
      expect((await processesOf(record)).length).toBeGreaterThan(5);
      const helpers = await childrenOf(harness.pid ?? 0, /watchdog\.sh|reaper\.sh/);
      expect(helpers).toHaveLength(2);
      for (const helper of helpers) process.kill(helper, 'SIGKILL');
      await kill();
      // Where another program's bed begins right now, that one may have cleaned up already.
      await removeLeftovers();
      await eventually(async () => (await readRecords()).every(({ id }) => id !== record.id));
      expect(await processesOf(record)).toEqual([]);
      expect(await leftOf(record)).toEqual([]);
      expect((await bed.network.get(`http://${bed.machine(name(2)).address}:30080/`)).status).toBe(200);
    }, 240_000);
  });

  test('nothing is left when a bed has stopped', async () => {
    await bed.stop();
    expect(await traces()).toEqual(before);
    expect(await recordsButOthers()).toEqual([]);
  }, 60_000);
});

/** Refreshes, stages, activates and reboots, as a client of the host's API. */
async function update({ host }: RealMachine): Promise<void> {
  const succeeded = async () => JSON.parse((await host.ask('GET', '/updates/status')).text).most_recent_command.cmd_status === 'Success';
  for (const action of ['refresh-updates', 'prepare-update', 'activate-update']) {
    expect((await host.ask('POST', `/actions/${action}`)).status).toBe(204);
    await eventually(succeeded);
  }
  expect((await host.ask('POST', '/actions/reboot')).status).toBe(204);
}

/** The beds but those of other programs that still run: they come and go. */
async function recordsButOthers(): Promise<BedRecord[]> {
  const others = await othersRecords();
  return (await readRecords()).filter(({ id }) => others.every((other) => other.id !== id));
}

async function othersRecords(): Promise<BedRecord[]> {
  const records = await readRecords();
  const alive = await Promise.all(records.map(isAlive));
  return records.filter(({ pid }, index) => alive[index] === true && pid !== process.pid);
}

type Traces = Record<'mounts' | 'links' | 'cgroups' | 'folders', readonly string[]>;

/** What a bed could leave on this machine, as far as it is ours to tell. */
async function traces(): Promise<Traces> {
  const folders = ['/var/lib', '/var/log', '/opt', '/etc/cni', '/usr/libexec/kubernetes', '/run/netns', '/run/containerd'];
  const listed = await Promise.all(folders.map(async (folder) => (await entries(folder)).map((entry) => path.join(folder, entry))));
  const links = (await readFile('/proc/net/dev', 'utf8')).split('\n').flatMap((line) => /^\s*(\S+):/.exec(line)?.[1] ?? []);
  const trees = await entries('/sys/fs/cgroup');
  const cgroups = await Promise.all(['.', ...trees].map((tree) => entries(path.join('/sys/fs/cgroup', tree))));
  const others = (await othersRecords()).map(({ id }) => cgroupName(id));
  return {
    mounts: (await readFile('/proc/self/mounts', 'utf8')).split('\n'),
    links,
    cgroups: cgroups.flat().filter((entry) => entry.startsWith('lockkeeper-') && !others.includes(entry)),
    folders: listed.flat(),
  };
}

async function entries(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}

/** The processes that are counted as the bed's. */
async function processesOf({ cgroups }: BedRecord): Promise<number[]> {
  const found = new Set<number>();
  for (const folder of cgroups) {
    const files = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const file of files.filter((each) => each.name === 'cgroup.procs')) {
      const text = await readFile(path.join(file.parentPath, file.name), 'utf8').catch(() => '');
      for (const pid of text.split('\n')) if (pid !== '') found.add(Number(pid));
    }
  }
  return [...found];
}

/** The folders of a bed that are still there. */
async function leftOf({ scratch, cgroups }: BedRecord): Promise<string[]> {
  const there = await Promise.all(
    [scratch, ...cgroups].map(async (folder) => ((await readdir(folder).catch(() => undefined)) ? [folder] : [])),
  );
  return there.flat();
}

async function childrenOf(pid: number, matching: RegExp): Promise<number[]> {
  const pids = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number);
  const matches = await Promise.all(
    pids.map(async (each) => matching.test(await readFile(`/proc/${each}/cmdline`, 'utf8').catch(() => ''))),
  );
  return pids.filter((_, index) => matches[index]);
}
