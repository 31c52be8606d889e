import { execFile } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { CORDON_LABELS, KEEP_NODE_ANNOTATIONS } from '../../src/api/names.ts';
import type { KubeObject } from '../bed/api.ts';
import { repository } from '../bed/config.ts';
import type { Machine } from '../bed/machine.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import type { Fleet } from './fleet.ts';
import { places } from './places.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const [balancers] = Object.keys(CORDON_LABELS) as [string];
const [, karpenter] = Object.keys(KEEP_NODE_ANNOTATIONS) as [string, string];
/** Chosen by a setting of the host, because there is a newer one. */
const pinned = { version: { pin: '1.26.1' }, approval: 'Manual' };

/** Zones go one after the other. */
const oneZone = () => ({ zone: 'eu-west-1a' });
const outdated = 'lockkeeper.dev/outdated';

/** What people and others set on a node, and what we do. */
function tracesOn({ metadata, spec }: NodeObject) {
  const { labels, annotations = {}, finalizers } = metadata as NodeObject['metadata'] & { finalizers?: string[] };
  return { labels, annotations, finalizers, unschedulable: spec.unschedulable ?? false, taints: (spec.taints ?? []).map(({ key }) => key) };
}

/** Waits until every node is as it was before we labelled it, but for the taint that it registered with for our sake. */
async function asBefore({ eventually, history, machines, node }: Fleet): Promise<void> {
  for (const { name } of machines) {
    const versions = history.of(name).map(({ object }) => object);
    const labelled = versions.findIndex(({ metadata }) => metadata.labels?.['lockkeeper.dev/managed'] !== undefined);
    const before = tracesOn(versions[labelled - 1] as NodeObject);
    const wanted = { ...before, taints: before.taints.filter((key) => key !== outdated) };
    // The taints of a cordon and of a reboot go a moment after them.
    await eventually(async () => !tracesOn(await node(name)).taints.some((key) => key.startsWith('node.kubernetes.io/')));
    expect({ name, ...tracesOn(await node(name)) }).toEqual({ name, ...wanted });
  }
}

/** `lockkeeper release --all` as a person runs it; a signal presses Ctrl-C. */
const release = (fleet: Fleet, ...args: (string | AbortSignal)[]) => run(fleet, 'lockkeeper.js', args);

/** The same by kubectl's plugin. */
const pluginRelease = (fleet: Fleet, ...args: (string | AbortSignal)[]) => run(fleet, 'kubectl-lockkeeper.js', args);

function run({ bed }: Fleet, file: string, args: readonly (string | AbortSignal)[]): Promise<{ code: number; out: string }> {
  const program = path.join(repository, 'dist', file);
  const env = { HOME: bed.home.scratch, KUBECONFIG: bed.kubeconfig };
  return new Promise((resolve) => {
    const flags = args.filter((arg) => typeof arg === 'string');
    const child = execFile(process.execPath, [program, 'release', '--all', ...flags], { env, timeout: 90_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out: `${stdout}${stderr}` });
    });
    for (const arg of args) if (typeof arg !== 'string') arg.addEventListener('abort', () => child.kill('SIGINT'));
  });
}

const versionLocks = (machines: readonly Machine[]) => machines.map(({ host }) => host.settings.updates?.['version-lock']);

describe('helm uninstall', () => {
  test('in the middle of everything leaves nothing: every node is as it was, every host too', async () => {
    const fleet = await start({
      nodes: 5,
      policy: { ...pinned, rollout: { maxUnavailable: 4 } },
      machine: (index) => ({
        ...oneZone(),
        ...(index === 1 && { labels: { [balancers]: '' }, annotations: { [karpenter]: 'false' } }),
        // It registered so, to be updated before it takes work.
        ...(index === 4 && { taints: [outdated, 'example.com/kept'].map((key) => ({ key, effect: 'PreferNoSchedule' as const })) }),
      }),
    });
    const { annotate, bed, eventually, history, judge, machines, node, phase } = fleet;
    const [stages, drains, ordered, asked, waits] = machines as [Machine, Machine, Machine, Machine, Machine];
    const staging = await places.staging(fleet, stages);
    for (const version of ['1.26.1', '1.27.0']) fleet.release(version);
    await staging.reached();
    for (const { name } of [drains, ordered, asked, waits]) await phase(name, 'Staged', 'AwaitingApproval');
    const held = await Promise.all([
      places.draining(fleet, drains),
      places.rebootOrdered(fleet, ordered),
      places.rebootAsked(fleet, asked),
    ]);
    for (const { name } of [drains, ordered, asked]) await annotate('nodes', name, { 'lockkeeper.dev/approved-version': '1.26.1' });
    await Promise.all(held.map((one) => one.reached()));
    expect(versionLocks(machines)).toContain('1.26.1');
    for (const { name } of [drains, ordered, asked]) {
      expect(isCordoned(await node(name))).toBe(true);
      await annotate('nodes', name, { 'lockkeeper.dev/approved-version': null });
    }

    const cancelled = async ({ name }: Machine) => (await judge.orders(name)).some(({ action }) => action === 'Cancel');
    const uninstalled = bed.uninstallChart();
    await Promise.race([
      uninstalled,
      eventually(async () => (await cancelled(stages)) && (await cancelled(ordered)), { timeoutMs: 60_000 }),
    ]);
    await staging.release();
    // Its agent wakes up to a Cancel.
    await held[1]?.release();
    await held[2]?.release();
    await uninstalled;

    await asBefore(fleet);
    expect(versionLocks(machines)).toEqual(machines.map(() => 'latest'));
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([0, 0, 0, 1, 0]);
    expect(await judge.evictions()).toEqual([]);
    for (const { name } of [drains, ordered, asked]) expect(changes(history.versions, name, isCordoned)).toEqual([false, true, false]);
    const policy = await fleet.policy();
    expect([policy.status?.claims, policy.metadata]).toEqual([[], expect.not.objectContaining({ finalizers: expect.anything() })]);
    const kinds = await bed.client.list<KubeObject>('/apis/apiextensions.k8s.io/v1/customresourcedefinitions');
    expect(kinds.filter(({ metadata }) => metadata.name.endsWith('.lockkeeper.dev'))).toHaveLength(3);
    for (const path of ['/apis/rbac.authorization.k8s.io/v1/clusterroles', '/api/v1/namespaces/lockkeeper/serviceaccounts'])
      expect((await bed.client.list<KubeObject>(path)).filter(({ metadata }) => metadata.name.startsWith('lockkeeper'))).toEqual([]);
    await judge.invariants();
  }, 180_000);
});

describe('lockkeeper release --all', () => {
  test('cleans up after helm uninstall --no-hooks, and names the host whose settings nobody is there to restore', async () => {
    const fleet = await start({ nodes: 3, policy: { ...pinned, rollout: { maxUnavailable: 2 } }, machine: oneZone });
    const { annotate, bed, judge, machines, phase } = fleet;
    const [stages, drains, waits] = machines as [Machine, Machine, Machine];
    const staging = await places.staging(fleet, stages);
    for (const version of ['1.26.1', '1.27.0']) fleet.release(version);
    await staging.reached();
    for (const { name } of [drains, waits]) await phase(name, 'Staged', 'AwaitingApproval');
    const draining = await places.draining(fleet, drains);
    await annotate('nodeupdates', drains.name, { 'lockkeeper.dev/approved-version': '1.26.1' });
    await draining.reached();
    await fleet.agent(stages.name).hold();
    await staging.release();
    // Else it may see the agents' DaemonSet go before its own end, and give the node back by itself.
    await (await fleet.leader()).hold();
    await bed.uninstallChart({ hooks: false });

    const mark = await bed.audit.mark();
    const dry = await pluginRelease(fleet, '--dry-run=client');
    expect(dry.code).toBe(0);
    for (const line of [
      `NodeHost ${stages.name}: order Cancel, in place of Stage 1.26.1`,
      `NodeHost ${drains.name}: order Cancel, in place of Stage 1.26.1`,
      `Node ${drains.name}: uncordon, remove annotation`,
      `Node ${waits.name}: remove label lockkeeper.dev/managed`,
    ])
      expect(dry.out).toContain(line);
    const writes = async () => (await bed.audit.find({ verb: ['create', 'patch', 'update', 'delete'] }, mark)).filter(isRelease);
    expect(await writes()).toEqual([]);
    expect(await pluginRelease(fleet, '--dry-run=server')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/the API server has checked [1-9]\d* of these writes, and refuses 0\n$/),
    });
    const tried = await writes();
    expect(tried.map(({ objectRef }) => objectRef?.resource)).toEqual(expect.arrayContaining(['nodehosts', 'nodes']));
    for (const { requestURI } of tried) expect(requestURI).toContain('dryRun=All');

    const first = await release(fleet);
    expect(first).toMatchObject({ code: 1, out: expect.stringContaining('on the host: apiclient set updates.version-lock=latest') });
    expect(first.out).toContain(`left after all: 1 node\n${stages.name}: `);
    await asBefore(fleet);
    expect(versionLocks(machines)).toEqual(['1.26.1', 'latest', 'latest']);
    // What it was told to do, after the host's command.
    await bed.client.delete(`/apis/lockkeeper.dev/v1alpha1/nodehosts/${stages.name}`);
    expect(await pluginRelease(fleet, '--yes')).toMatchObject({ code: 0, out: expect.stringContaining('all nodes are released') });
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([0, 0, 0]);
    await judge.invariants();
  }, 120_000);
});

describe('a release that is not done', () => {
  test('out of time, or stopped by Ctrl-C, names what is left and lets the controllers go on', async () => {
    const fleet = await start({ nodes: 2, policy: { approval: 'Manual' } });
    const { annotate, eventually, judge, leader, leaseHolders, machines, phase, updated } = fleet;
    const [asked, waits] = machines as [Machine, Machine];
    const holders = await leaseHolders();
    const rebooting = await places.rebootAsked(fleet, asked);
    fleet.release('1.26.1');
    for (const { name } of machines) await phase(name, 'Staged', 'AwaitingApproval');
    await annotate('nodeupdates', asked.name, { 'lockkeeper.dev/approved-version': '1.26.1' });
    await rebooting.reached();

    const late = await release(fleet, '--timeout=6s');
    expect(late).toMatchObject({ code: 1, out: expect.stringContaining(`${waits.name}: released\n`) });
    expect(late.out).toContain(`left after all: 1 node\n${asked.name}: the host was asked to reboot`);
    await leader();

    const stopping = new AbortController();
    const stopped = release(fleet, stopping.signal);
    await eventually(() => holders().filter((holder) => holder.startsWith('release-')).length === 2, { describe: holders });
    stopping.abort();
    expect(await stopped).toMatchObject({ code: 1 });
    await leader();
    await rebooting.release();
    await annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/approved-version': '1.26.1' });
    await updated('1.26.1');
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);
});

const isRelease = ({ userAgent = '' }: { userAgent?: string }) => userAgent.startsWith('lockkeeper-');
