import { describe, expect, test } from '@jest/globals';
import type { HookStatus } from '../../src/api/hook.ts';
import type { KubeObject } from '../bed/api.ts';
import type { Bed } from '../bed/bed.ts';
import type { NodeObject } from '../bed/node-object.ts';
import type { PodObject } from '../bed/pod-object.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { cronJob, finish, hookOf, hookValues, type JobObject, jobsPath, madeJobs } from './cron-jobs.ts';
import { guardNode } from './guarded-pod.ts';
import { fleetOfTheTest, type TestFleet } from './started-fleet.ts';

const start = fleetOfTheTest();
const positions = ['BeforeDrain', 'BeforeReboot', 'AfterReboot', 'Finally'] as const;
const all = positions.map((at) => hookOf(at, at.toLowerCase()));
const makeAll = (bed: Bed) => Promise.all(positions.map((at) => cronJob(bed, at.toLowerCase())));
const outcomes = ({ hooks }: { hooks?: HookStatus[] | undefined }) => hooks?.map(({ outcome }) => outcome);

describe('hooks', () => {
  test('run once each, one after the other, at their places around cordon, eviction, reboot and uncordon', async () => {
    const fleet = await start({ nodes: 2, values: hookValues, policy: { hooks: all } });
    const { bed, judge, machines, releaseInOrder, updated } = fleet;
    await makeAll(bed);
    const jobs = await bed.history<JobObject>(jobsPath);
    const pods = await bed.history<PodObject>('/api/v1/namespaces/default/pods');
    const guards = await Promise.all(machines.map(async ({ name }) => ({ node: name, ...(await guardNode(bed, name)) })));
    await Promise.all(guards.map((guard) => guard.open()));
    await releaseInOrder('1.26.1');
    await updated('1.26.1');
    await judge.onceEach(machines);
    await judge.invariants();

    const made = await madeJobs(bed);
    expect(made.map(({ at }) => at)).toEqual([...positions, ...positions]);
    for (const { node, name: pod } of guards) {
      const own = made.filter(({ job }) => job.metadata.annotations?.['lockkeeper.dev/node'] === node);
      const completed = own.map(({ job }) => versionOf(jobs.versions.find(({ object }) => isComplete(object, job))?.object));
      const created = own.map(({ job }) => versionOf(job));
      const evicted = versionOf(pods.of(pod).find(({ object }) => object.metadata.deletionTimestamp !== undefined)?.object);
      const steps = [
        versionOf(nodeWhen(fleet, node, isCordoned)),
        ...[created[0], completed[0], evicted, created[1], completed[1]],
        await rebootOf(bed, node),
        ...[created[2], completed[2], created[3], completed[3]],
        versionOf(lastNode(fleet, node)),
      ];
      expect({ node, steps }).toEqual({ node, steps: steps.toSorted((a = 0, b = 0) => a - b) });
      expect(steps).not.toContain(undefined);
      expect(outcomes(await fleet.nodeUpdate(node))).toEqual(['Succeeded', 'Succeeded', 'Succeeded', 'Succeeded']);
      for (const { job } of own) await judgeJob(fleet, job, node);
      for (const { object } of pods.versions)
        if (own.some(({ job }) => job.metadata.uid === object.metadata.ownerReferences?.[0]?.uid))
          expect(object.spec.nodeName).not.toBe(node);
    }
    await judgeAsKubectl(bed, made[0]?.job);
  }, 120_000);

  test('that fail before the reboot give the node back, and after it mark it as Failed; hooks Finally run in any case', async () => {
    const fleet = await start({ nodes: 1, values: hookValues, policy: { hooks: all } });
    const { annotate, bed, history, judge, machines, nodeUpdate, patchPolicy, phase, release, updated } = fleet;
    const count = async (at: string) => (await madeJobs(bed)).filter((made) => made.at === at).length;
    await makeAll(bed);
    await cronJob(bed, 'beforedrain', 'fails');
    release('1.26.1');
    const blocked = await phase('node-1', 'Blocked', 'HookFailed');
    expect(blocked.message).toContain('BackoffLimitExceeded');
    expect(blocked.hooks?.[0]).toMatchObject({
      outcome: 'Failed',
      log: expect.stringMatching(/^kubectl logs -n default job\/lockkeeper-/),
    });
    expect(outcomes(blocked)).toEqual(['Failed', 'Pending', 'Pending', 'Succeeded']);
    expect(machines[0]?.host.rebootCount).toBe(0);
    await cronJob(bed, 'beforedrain');
    await updated('1.26.1');

    await cronJob(bed, 'afterreboot', 'fails');
    await annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/resume': 'any' });
    release('1.26.2');
    const failed = await phase('node-1', 'Failed', 'HookFailed');
    expect(outcomes(failed)).toEqual(['Succeeded', 'Succeeded', 'Failed', 'Pending']);
    expect(isCordoned(await fleet.node('node-1'))).toBe(true);
    const finallyRan = await count('Finally');
    await cronJob(bed, 'afterreboot');
    await annotate('nodes', 'node-1', { 'lockkeeper.dev/retry': '1' });
    await updated('1.26.2');
    expect(outcomes(await nodeUpdate('node-1'))).toEqual(['Succeeded', 'Succeeded', 'Succeeded', 'Succeeded']);
    expect(await count('Finally')).toBe(finallyRan + 1);

    await patchPolicy({ hooks: [hookOf('BeforeReboot', 'beforereboot', '1s'), hookOf('Finally', 'finally', '1s')] });
    await Promise.all(['beforereboot', 'finally'].map((name) => cronJob(bed, name, 'runs')));
    release('1.26.3');
    const late = await phase('node-1', 'Blocked', 'HookFailed');
    expect(outcomes(late)).toEqual(['TimedOut', 'TimedOut']);
    expect(late.message).toContain('DeadlineExceeded');

    await patchPolicy({ hooks: [hookOf('BeforeDrain', 'nowhere')] });
    await phase('node-1', 'Blocked', 'HookFailed');
    await fleet.eventually(async () => (await nodeUpdate('node-1')).message?.includes('CronJob default/nowhere is not there: create it'));

    const cordons = () => changes(history.versions, 'node-1', isCordoned).length;
    await patchPolicy({ hooks: [{ at: 'Finally', cronJob: { namespace: 'kube-system', name: 'unset' } }] });
    await fleet.eventually(async () => (await nodeUpdate('node-1')).reason === 'PolicyNotReady');
    const before = cordons();
    const ready = (await fleet.policy()).status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ status: 'False', message: expect.stringContaining('namespace kube-system is not one of the chart') });
    await fleet.refreshed(['node-1']);
    expect(cordons()).toBe(before);
    await patchPolicy({ hooks: [] });
    await updated('1.26.3');
    await judge.invariants();
    const names = (await madeJobs(bed)).map(({ job }) => job.metadata.name);
    expect(new Set(names).size).toBe(names.length);
    expect(await bed.audit.find({ user: ':lockkeeper-controller', resource: 'jobs', namespace: 'kube-system' })).toEqual([]);
  }, 180_000);

  test('run once each, although the controller is killed while each of them runs, and before it has written that it made one', async () => {
    const fleet = await start({ nodes: 1, values: hookValues, policy: { hooks: all }, faultsFor: ['controller'] });
    const { bed, judge, leader, leads, machines, nodeUpdate, release, updated } = fleet;
    await Promise.all(positions.map((at) => cronJob(bed, at.toLowerCase(), 'runs')));
    const unwritten = bed.faults.arm(
      'hold',
      ({ method, path, body }) => method === 'PATCH' && path.includes('/nodeupdates/') && body.includes('"outcome":"Running"'),
    );
    const unanswered = bed.faults.arm(
      'cut',
      ({ method, path, body }) => method === 'POST' && path.includes('/jobs') && body.includes('"BeforeReboot"'),
    );
    release('1.26.1');
    for (const [index, at] of positions.entries()) {
      if (at === 'BeforeDrain') await unwritten.first;
      if (at === 'BeforeReboot') await unanswered.first;
      if (at !== 'BeforeDrain') await fleet.eventually(async () => (await nodeUpdate('node-1')).hooks?.[index]?.outcome === 'Running');
      const controller = await leader();
      await controller.hold();
      if (at === 'BeforeDrain') unwritten.drop();
      controller.release();
      await leads(controller, 'node-1');
      await fleet.eventually(async () => (await nodeUpdate('node-1')).hooks?.[index]?.outcome === 'Running');
      await finish(bed, (await madeJobs(bed))[index]?.job.metadata.name ?? '');
    }
    await updated('1.26.1');
    expect((await madeJobs(bed)).map(({ at }) => at)).toEqual(positions);
    expect(outcomes(await nodeUpdate('node-1'))).toEqual(['Succeeded', 'Succeeded', 'Succeeded', 'Succeeded']);
    await judge.onceEach(machines);
    await judge.invariants();
  }, 120_000);

  test('Finally run after a drain that took too long, after a pause, and after the deletion of the policy', async () => {
    const hooks = [hookOf('BeforeDrain', 'beforedrain'), hookOf('Finally', 'finally')];
    const fleet = await start({ nodes: 1, values: hookValues, policy: { hooks, drain: { timeout: '2s' } } });
    const { annotate, bed, eventually, history, judge, machines, patchPolicy, phase, release } = fleet;
    await makeAll(bed);
    await guardNode(bed, 'node-1');
    const ran = async () => (await madeJobs(bed)).map(({ at }) => at);
    release('1.26.1');
    await phase('node-1', 'Blocked', 'DrainTimeout');
    // It may have been tried again by now.
    expect((await ran()).slice(0, 2)).toEqual(['BeforeDrain', 'Finally']);

    await patchPolicy({ drain: { timeout: '60s' } });
    await eventually(async () => (await fleet.nodeUpdate('node-1')).drain?.blocked !== undefined, { timeoutMs: 60_000 });
    await annotate('nodes', 'node-1', { 'lockkeeper.dev/paused': 'true' });
    await phase('node-1', 'Staged', 'Paused');
    const twice = await ran();
    expect(twice.slice(-2)).toEqual(['BeforeDrain', 'Finally']);

    await annotate('nodes', 'node-1', { 'lockkeeper.dev/paused': null });
    await eventually(async () => (await fleet.nodeUpdate('node-1')).drain?.blocked !== undefined, { timeoutMs: 60_000 });
    await bed.client.delete('/apis/lockkeeper.dev/v1alpha1/updatepolicies/fleet');
    await eventually(async () => !isCordoned(await fleet.node('node-1')));
    const jobs = await bed.client.list<JobObject>(jobsPath);
    const thrice = await ran();
    expect(thrice).toHaveLength(twice.length + 2);
    expect(thrice.at(-1)).toBe('Finally');
    expect(jobs.every((job) => isComplete(job, job))).toBe(true);
    expect(changes(history.versions, 'node-1', isCordoned).at(-1)).toBe(false);
    expect(machines[0]?.host.rebootCount).toBe(0);
    await judge.invariants();
  }, 120_000);
});

const versionOf = (object: KubeObject | undefined): number | undefined =>
  object === undefined ? undefined : Number(object.metadata.resourceVersion);

const isComplete = ({ metadata, status }: JobObject, job: JobObject): boolean =>
  metadata.uid === job.metadata.uid &&
  (status?.conditions?.some(({ type, status: holds }) => type === 'Complete' && holds === 'True') ?? false);

const nodeWhen = ({ history }: TestFleet, node: string, holds: (object: NodeObject) => boolean) =>
  history.of(node).find(({ object }) => holds(object))?.object;

/** The node as its uncordon left it. */
function lastNode({ history }: TestFleet, node: string): NodeObject | undefined {
  const versions = history.of(node);
  return versions[versions.findLastIndex(({ object }) => isCordoned(object)) + 1]?.object;
}

async function rebootOf(bed: Bed, node: string): Promise<number | undefined> {
  const writes = await bed.audit.find({ verb: 'patch', resource: 'nodehosts', name: node, user: ':lockkeeper-controller', code: 200 });
  return versionOf(writes.find(({ requestObject }) => JSON.stringify(requestObject).includes('"action":"Reboot"'))?.responseObject);
}

/** Each Job has what its policy promises, and belongs to its CronJob. */
async function judgeJob({ bed }: TestFleet, { metadata, spec }: JobObject, node: string): Promise<void> {
  const at = metadata.labels?.['lockkeeper.dev/hook'] ?? '';
  const owner = await bed.client.get<KubeObject>(`/apis/batch/v1/namespaces/default/cronjobs/${at.toLowerCase()}`);
  expect(metadata.ownerReferences).toEqual([
    { apiVersion: 'batch/v1', kind: 'CronJob', name: owner.metadata.name, uid: owner.metadata.uid, controller: true },
  ]);
  expect(spec).toMatchObject({ activeDeadlineSeconds: 60, ttlSecondsAfterFinished: 86_400, backoffLimit: 0 });
  for (const container of spec.template.spec.containers)
    expect(container.env).toEqual([
      { name: 'MINE', value: 'kept' },
      { name: 'LOCKKEEPER_NODE', value: node },
      { name: 'LOCKKEEPER_FROM_VERSION', value: '1.26.0' },
      { name: 'LOCKKEEPER_TO_VERSION', value: '1.26.1' },
      { name: 'LOCKKEEPER_POLICY', value: 'fleet' },
      { name: 'LOCKKEEPER_HOOK', value: at },
    ]);
}

/** But for what we add, kubectl would have sent the same. */
async function judgeAsKubectl(bed: Bed, made: JobObject | undefined): Promise<void> {
  const flags = ['-n', 'default', '--from=cronjob/beforedrain', '--dry-run=server', '-o', 'json'];
  const theirs = JSON.parse(await bed.kubectl('create', 'job', 'theirs', ...flags)) as JobObject;
  const shape = (job: JobObject) => {
    const text = JSON.stringify({ annotations: job.metadata.annotations, labels: job.metadata.labels, spec: job.spec });
    const { annotations, labels, spec } = JSON.parse(text);
    delete annotations['lockkeeper.dev/node'];
    for (const name of ['claim', 'hook']) delete labels[`lockkeeper.dev/${name}`];
    for (const field of ['activeDeadlineSeconds', 'ttlSecondsAfterFinished', 'selector']) delete spec[field];
    delete spec.template.spec.affinity;
    delete spec.template.metadata.labels;
    for (const one of [...spec.template.spec.containers, ...spec.template.spec.initContainers])
      one.env = (one.env ?? []).filter(({ name }: { name: string }) => !name.startsWith('LOCKKEEPER_'));
    return { annotations, labels, spec };
  };
  expect(made && shape(made)).toEqual(shape(theirs));
}
