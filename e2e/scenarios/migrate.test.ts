import { expect, test } from '@jest/globals';
import { MANAGED_LABEL, OTHER_OPERATOR_LABEL } from '../../src/api/names.ts';
import { installOldOperator, type OldOperator, oldLabels } from './old-operator.ts';
import { personOn } from './person.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const names = ['node-1', 'node-2'];

test('a cluster moves over from the OS’s existing operator, is updated, and goes back to how it was', async () => {
  const installed: OldOperator[] = [];
  const { bed, eventually, judge, leader, machines, node, nodeHost, nodeUpdate, phase, release, updated } = await start({
    nodes: 2,
    machine: () => ({ labels: oldLabels }),
    values: { monitoring: { brupopMetrics: true } },
    before: async (one) => {
      installed.push(await installOldOperator(one, { SCHEDULER_CRON_EXPRESSION: '* * * * * * *', MAX_CONCURRENT_UPDATE: '1' }));
    },
  });
  const [old] = installed as [OldOperator];
  await old.runs(1, 2);
  for (const name of names) await old.shadow(name, 'Idle');
  await old.shadow('node-2', 'StagedAndPerformedUpdate', 'RebootedIntoUpdate');
  await eventually(async () => (await Promise.all(names.map((name) => nodeUpdate(name)))).every(({ phase: now }) => now === 'Idle'));
  const before = await old.workloads();

  // Somebody who may only look is told what is missing.
  const viewer = await personOn(bed, 'viewer');
  await viewer.allow('lockkeeper-viewer');
  const refused = await viewer.run(['migrate', '--yes']);
  expect(refused.code).toBe(3);
  expect(refused.stderr).toMatch(/list deployments\.apps.*list bottlerocketshadows\.brupop\.bottlerocket\.aws/s);

  // One node is in flight.
  const admin = await personOn(bed, 'admin');
  await admin.allow('cluster-admin');
  const early = await admin.run(['migrate', '--yes']);
  expect([early.code, early.stderr]).toEqual([
    1,
    expect.stringMatching(/at node-2 \(StagedAndPerformedUpdate, to be RebootedIntoUpdate\)/),
  ]);
  const written = async (user: string) =>
    (await bed.audit.find({ verb: ['patch', 'update', 'create', 'delete'], user })).filter(
      ({ objectRef }) => objectRef?.resource !== 'selfsubjectaccessreviews',
    );
  expect(await written(admin.user)).toEqual([]);
  expect(await old.workloads()).toEqual(before);
  await old.shadow('node-2', 'Idle');

  // Stopped twice on its way, it gets there.
  for (let times = 0; times < 2; times += 1) {
    const running = admin.start(['migrate', '--yes']);
    const step = /^((UpdatePolicy|Deployment|DaemonSet) \S+: |waits for |UpdatePolicy \S+ has )/m;
    await eventually(() => step.test(running.stdout()), { describe: () => running.stdout() });
    await running.interrupt();
  }
  const moved = await admin.run(['migrate', '--yes']);
  expect([moved.code, moved.stderr]).toEqual([0, '']);
  expect(moved.stdout).toContain('UpdatePolicy migrated has 2 nodes');
  await old.runs(0, 0);
  for (const name of names) {
    const { metadata } = await node(name);
    expect(metadata.labels).toMatchObject({ [OTHER_OPERATOR_LABEL]: '2.0.0', [MANAGED_LABEL]: 'true' });
    expect((await nodeHost(name)).metadata.name).toBe(name);
  }

  // From now on Lockkeeper updates them, once somebody agrees.
  await bed.client.patch('/apis/lockkeeper.dev/v1alpha1/updatepolicies/migrated', {
    spec: { version: { refreshInterval: '1s' }, rollout: { minReadySeconds: 0 } },
  });
  release('1.26.1');
  await Promise.all(names.map((name) => phase(name, 'Staged', 'AwaitingApproval')));
  expect((await admin.run(['approve', 'migrated'])).code).toBe(0);
  await updated('1.26.1');
  expect(judge.mostUnavailable()).toBe(1);
  const metrics = async () => (await fetch((await leader()).metricsUrl, { signal: AbortSignal.timeout(2_000) })).text();
  expect(await metrics()).toMatch(/^brupop_hosts_version\{bottlerocket_version="1\.26\.1"\} 2$/m);
  expect(await metrics()).toMatch(/^brupop_hosts_state\{state="\w+"\} \d$/m);

  const back = await admin.run(['migrate', '--back', '--yes']);
  expect([back.code, back.stderr]).toEqual([0, '']);
  await old.runs(1, 2);
  expect(await old.workloads()).toEqual(before);
  expect(await bed.client.find('/apis/lockkeeper.dev/v1alpha1/updatepolicies/migrated')).toBeUndefined();
  release('1.26.2');
  await Promise.all(names.map((name) => phase(name, 'Idle', 'ManagedByOther')));
  expect(machines.map(({ host }) => [host.os.version, host.rebootCount])).toEqual([
    ['1.26.1', 1],
    ['1.26.1', 1],
  ]);
  await judge.invariants();
}, 120_000);
