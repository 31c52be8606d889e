import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { ApiError, type KubeObject } from '../bed/api.ts';
import { type Bed, startBed } from '../bed/bed.ts';
import { startControlPlane } from '../bed/control-plane.ts';
import { eventually } from '../bed/eventually.ts';
import { deployment, disruptionBudget, probePod } from '../bed/fixtures/manifests.ts';
import type { PodObject } from '../bed/pod-object.ts';
import { changes, isUnavailable, maxUnavailable } from '../bed/watch-history.ts';

jest.setTimeout(120_000);

const fixtures = fileURLToPath(new URL('../bed/fixtures', import.meta.url));
const pods = '/api/v1/namespaces/default/pods';

interface Workload extends KubeObject {
  status?: { readyReplicas?: number };
}

interface Me {
  pid: number;
  args: string[];
  env: Record<string, string>;
}

describe('two beds side by side', () => {
  let bed: Bed;
  let other: Bed;

  beforeAll(async () => {
    [bed, other] = await Promise.all([startBed({ app: fixtures }), startBed({ app: fixtures })]);
    await Promise.all([bed.addMachines(3), other.addMachines(3)]);
  });
  afterAll(async () => {
    await Promise.all([bed?.stop(), other?.stop()]);
  });

  const readyReplicas = async (name: string) =>
    (await bed.client.get<Workload>(`/apis/apps/v1/namespaces/default/deployments/${name}`)).status?.readyReplicas ?? 0;
  const podsOf = (name: string) => bed.client.list<PodObject>(pods, { labelSelector: `app=${name}` });
  const isReady = (pod: PodObject | undefined) =>
    pod?.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;

  async function probe(name: string, node: string) {
    await bed.client.apply(probePod(name, node));
    await eventually(async () => isReady(await bed.client.find<PodObject>(`${pods}/${name}`)), {
      describe: () => bed.client.find(`${pods}/${name}`),
    });
    const found = bed.pods.processes('probe').find((one) => one.name === name);
    if (found === undefined) throw new Error(`no process of ${name}`);
    return found;
  }
  const ask = async (url: string) => {
    const response = await fetch(url);
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return JSON.parse(text);
  };

  test('each has its own three machines, Ready', async () => {
    for (const one of [bed, other]) {
      const history = await one.nodeHistory();
      expect(history.versions.map(({ object }) => object.metadata.name).sort()).toEqual(['node-1', 'node-2', 'node-3']);
      expect(maxUnavailable(history).count).toBe(0);
    }
    expect(bed.client.access.server).not.toBe(other.client.access.server);
  });

  test('a budget refuses an eviction with 429, and the audit log has it', async () => {
    await bed.client.apply(deployment('guarded', 3), disruptionBudget('guarded', 3));
    await eventually(async () => (await readyReplicas('guarded')) === 3, { describe: () => podsOf('guarded') });
    const budget = '/apis/policy/v1/namespaces/default/poddisruptionbudgets/guarded';
    await eventually(
      async () => (await bed.client.get<KubeObject & { status: { currentHealthy: number } }>(budget)).status.currentHealthy === 3,
    );
    const mark = await bed.audit.mark();
    const [victim] = await podsOf('guarded');
    const name = victim?.metadata.name ?? '';
    const evict = () => bed.client.create(`${pods}/${name}/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } });
    const refusal = await evict().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ApiError);
    expect(refusal).toMatchObject({ status: 429, reason: 'TooManyRequests' });
    const [entry] = await bed.audit.find({ verb: 'create', subresource: 'eviction', name, code: 429 }, mark);
    expect(entry).toMatchObject({ user: { username: 'admin' }, userAgent: 'bed-test' });

    await bed.client.patch(budget, { spec: { minAvailable: 2 } });
    await eventually(async () => {
      await evict();
      return true;
    });
    await eventually(
      async () => (await readyReplicas('guarded')) === 3 && (await podsOf('guarded')).every((pod) => pod.metadata.name !== name),
    );
  });

  test('a pod is not ready for as long as a test wants', async () => {
    await bed.client.apply(deployment('shaky', 1));
    await eventually(async () => (await readyReplicas('shaky')) === 1);
    const [pod] = await podsOf('shaky');
    const annotate = (value: string | null) =>
      bed.client.patch(`${pods}/${pod?.metadata.name}`, { metadata: { annotations: { 'bed.lockkeeper.dev/not-ready': value } } });
    await annotate('true');
    await eventually(async () => (await readyReplicas('shaky')) === 0);
    await annotate(null);
    await eventually(async () => (await readyReplicas('shaky')) === 1, { describe: () => podsOf('shaky') });
  });

  test('a pod takes the time to end that its annotation names', async () => {
    await bed.client.apply(deployment('slow', 1, { 'bed.lockkeeper.dev/terminates-after': '24h' }));
    await eventually(async () => (await readyReplicas('slow')) === 1);
    const [pod] = await podsOf('slow');
    const path = `${pods}/${pod?.metadata.name}`;
    await bed.client.delete(path);
    await eventually(async () => (await podsOf('slow')).length === 2);
    expect((await bed.client.get(path)).metadata.deletionTimestamp).toBeDefined();
    await bed.client.patch(path, { metadata: { annotations: { 'bed.lockkeeper.dev/terminates-after': '0s' } } });
    await eventually(async () => (await bed.client.find(path)) === undefined);
  });

  test("jobs end as their pods' annotations say", async () => {
    const job = (name: string, annotations: Record<string, string>) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, namespace: 'default' },
      spec: {
        backoffLimit: 0,
        template: { metadata: { annotations }, spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'none' }] } },
      },
    });
    await bed.client.apply(job('good', { 'bed.lockkeeper.dev/runs-for': '1s' }), job('bad', { 'bed.lockkeeper.dev/fails': 'true' }));
    const status = async (name: string) =>
      (await bed.client.get<KubeObject & { status: object }>(`/apis/batch/v1/namespaces/default/jobs/${name}`)).status;
    await eventually(async () => {
      expect(await status('good')).toMatchObject({ succeeded: 1 });
      expect(await status('bad')).toMatchObject({ failed: 1 });
      return true;
    });
  });

  test("a process's token carries the node that its pod is bound to", async () => {
    const one = await probe('who', 'node-2');
    const review = await ask(`${one.url()}/who`);
    const node = await bed.machine('node-2').node();
    expect(review.status.userInfo).toMatchObject({
      username: 'system:serviceaccount:default:default',
      extra: {
        'authentication.kubernetes.io/node-name': ['node-2'],
        'authentication.kubernetes.io/node-uid': [node.metadata.uid],
        'authentication.kubernetes.io/pod-name': ['who'],
      },
    });
    const me: Me = await ask(`${one.url()}/me`);
    expect(me.pid).toBe(one.pid);
    expect(me.env['NODE_NAME']).toBe('node-2');
    expect(me.args).toEqual([
      one.url().replace('http://', '--listen='),
      `--socket=${bed.machine('node-2').socketPath}`,
      `--boot-id-file=${bed.machine('node-2').bootIDFile}`,
    ]);
  });

  test('a node that registers anew has another uid, and the token follows', async () => {
    const one = await probe('anew', 'node-2');
    const before = await bed.machine('node-2').node();
    const after = await bed.machine('node-2').registerAnew();
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    expect(after.spec.providerID).toBe(before.spec.providerID);
    const review = await ask(`${one.url()}/who`);
    expect(review.status.userInfo.extra['authentication.kubernetes.io/node-uid']).toEqual([after.metadata.uid]);
  });

  test('a process that is killed is started again; one that is held is not', async () => {
    const one = await probe('killed', 'node-3');
    const { pid } = one;
    one.kill();
    await eventually(async () => one.pid !== undefined && one.pid !== pid && one.ready);
    expect(one.restarts).toBe(1);
    await one.hold();
    expect(one.pid).toBeUndefined();
    await eventually(async () => !isReady(await bed.client.get<PodObject>(`${pods}/killed`)));
    one.release();
    await eventually(() => one.ready);
  });

  test('a pod goes only when its process has ended', async () => {
    const one = await probe('deleted', 'node-3');
    one.pause();
    const { pid = 0 } = one;
    await bed.client.delete(`${pods}/deleted`, { gracePeriodSeconds: 1 });
    await eventually(async () => (await bed.client.find(`${pods}/deleted`)) === undefined);
    expect(isAlive(pid)).toBe(false);
  });

  test('a node that is cut off hears nothing, and hears again', async () => {
    const one = await probe('cut', 'node-1');
    bed.isolate('node-1', 'refuse');
    await expect(ask(`${one.url()}/who`)).rejects.toThrow('ECONNRESET');
    bed.isolate('node-1', 'silent');
    await expect(ask(`${one.url()}/who`)).rejects.toThrow('ETIMEDOUT');
    bed.isolate('node-1', 'open');
    expect((await ask(`${one.url()}/who`)).status.userInfo.username).toBe('system:serviceaccount:default:default');
  });

  test('a reboot ends the processes, and comes back with another boot ID', async () => {
    await bed.client.apply(deployment('spread', 3));
    await eventually(async () => (await readyReplicas('spread')) === 3);
    const one = await probe('rebooted', 'node-1');
    const { pid = 0 } = one;
    const machine = bed.machine('node-1');
    const before = await machine.node();
    const history = await bed.nodeHistory();
    machine.kubelet.slowMs = 1000;
    await machine.host.reboot();
    await eventually(() => !isAlive(pid));
    await machine.settled();
    const after = await machine.node();
    await history.reaches(after.metadata.resourceVersion);
    expect(changes(history.versions, 'node-1', isUnavailable)).toEqual([false, true, false]);
    expect(changes(history.versions, 'node-1', ({ status }) => status.nodeInfo.bootID)).toEqual([
      before.status.nodeInfo.bootID,
      (await readFile(machine.bootIDFile, 'utf8')).trim(),
    ]);
    expect(after.status.nodeInfo.osImage).toBe('Bottlerocket OS 1.26.0 (aws-k8s-1.31)');
    await eventually(() => one.ready && one.restarts === 1, { describe: () => one.pod });
    await eventually(async () => (await readyReplicas('spread')) === 3, { describe: () => podsOf('spread') });
  });

  test('a reboot that is too fast shows by its boot ID alone', async () => {
    const machine = bed.machine('node-2');
    const before = await machine.node();
    const history = await bed.nodeHistory();
    machine.kubelet.tooFastToNotice = true;
    await machine.host.reboot();
    await machine.settled();
    const after = await machine.node();
    await history.reaches(after.metadata.resourceVersion);
    expect(maxUnavailable(history).count).toBe(0);
    expect(after.status.nodeInfo.bootID).not.toBe(before.status.nodeInfo.bootID);
  });

  test('the chart runs as processes, on a node that is cut off too', async () => {
    await bed.installChart({ values: { controller: { replicas: 2 } } });
    const controllers = bed.pods.processes('controller');
    expect(controllers).toHaveLength(2);
    expect((await ask(`${controllers[0]?.url('metrics')}/who`)).status.userInfo.username).toBe(
      'system:serviceaccount:lockkeeper:lockkeeper-controller',
    );
    bed.isolate('node-2', 'silent');
    await bed.client.patch(bed.machine('node-2').path, { metadata: { labels: { 'lockkeeper.dev/managed': 'true' } } });
    const agent = await eventually(() => bed.pods.on('node-2', 'agent'));
    await eventually(() => agent.ready);
    expect(agent.pid).toBeDefined();
    bed.isolate('node-2', 'open');
    // What stands for our program here releases nothing.
    await bed.uninstallChart({ hooks: false });
    await eventually(() => bed.pods.processes('controller').length + bed.pods.processes('agent').length === 0);
  });

  test('a machine goes for good', async () => {
    await bed.client.apply(deployment('left', 3));
    await eventually(async () => (await readyReplicas('left')) === 3);
    await bed.machine('node-3').remove();
    expect(await bed.client.find('/api/v1/nodes/node-3')).toBeUndefined();
    await eventually(async () => {
      const left = await podsOf('left');
      return left.filter(isReady).length === 3 && left.every((pod) => pod.spec.nodeName !== 'node-3');
    });
  });

  test('the API server restarts, crashes and freezes, and watches go on', async () => {
    const history = await bed.nodeHistory();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await bed.controlPlane.restartApiServer({ signal });
      const { metadata } = await bed.client.patch('/api/v1/nodes/node-1', { metadata: { labels: { restarted: signal } } });
      await history.reaches(metadata.resourceVersion);
    }
    await bed.controlPlane.pauseApiServer();
    await expect(bed.client.request('GET', '/version', { timeoutMs: 500 })).rejects.toThrow('no answer within 500 ms');
    bed.controlPlane.resumeApiServer();
    await bed.client.get('/version');
    expect(await bed.kubectl('get', 'nodes', '--output=name')).toBe('node/node-1\nnode/node-2\n');
  });

  test('nothing is left after a stop', async () => {
    const pids = other.home.children.running.map((child) => child.pid);
    expect(pids.length).toBeGreaterThanOrEqual(5);
    await other.stop({ keepLogs: false });
    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(other.home.scratch)).toBe(false);
    expect(existsSync(other.home.out)).toBe(false);
  });
});

test('a bed stands on a cluster that was there before', async () => {
  const plane = await startControlPlane();
  try {
    const bed = await startBed({ app: fixtures, kubeconfig: plane.kubeconfig });
    try {
      await bed.addMachines(1);
      await bed.client.apply(probePod('guest', 'node-1'));
      await eventually(() => bed.pods.processes('probe')[0]?.ready, { describe: () => bed.client.list(pods) });
      expect(() => bed.controlPlane).toThrow('no control plane of its own');
    } finally {
      await bed.stop();
    }
    expect(await plane.client.list('/api/v1/nodes')).toEqual([]);
  } finally {
    await plane.stop();
  }
});

test('a harness that is killed leaves no process and no scratch folder', async () => {
  const script = path.join(fixtures, 'start-and-wait.ts');
  const harness = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = await new Promise<string>((resolve, reject) => {
    harness.stdout.once('data', (line: Buffer) => resolve(line.toString()));
    harness.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
  });
  const { pids, scratch, out } = JSON.parse(said) as { pids: number[]; scratch: string; out: string };
  expect(pids.filter(isAlive)).toEqual(pids);
  harness.kill('SIGKILL');
  await eventually(() => !pids.some(isAlive) && !existsSync(scratch), { describe: () => pids.filter(isAlive) });
  await rm(out, { recursive: true });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
