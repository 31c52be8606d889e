import { expect, test } from '@jest/globals';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { startDashboard } from '../demo/dashboard.ts';
import { guardNode } from './guarded-pod.ts';
import { type Person, personOn } from './person.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const names = ['node-1', 'node-2', 'node-3'];

test('people steer a rollout by kubectl lockkeeper, with the rights that the chart names and no others', async () => {
  const fleet = await start({ nodes: 3, policy: { approval: 'Manual' } });
  const { bed, eventually, history, judge, machines, phase, refreshed, updated } = fleet;
  const jane = await personOn(bed, 'jane');
  const says = saysOf(jane);
  const guard = await guardNode(bed, 'node-1');
  machines[1]!.host.faults.arm('bootFails');
  fleet.release('1.26.1');
  await Promise.all(names.map((name) => phase(name, 'Staged', 'AwaitingApproval')));

  // Each right that is missing is named, with the role that has it.
  const stranger = await jane.run(['status']);
  expect(stranger).toMatchObject({ code: 3, stdout: '' });
  for (const words of ['list updatepolicies.lockkeeper.dev', 'list nodeupdates.lockkeeper.dev', 'lockkeeper-viewer'])
    expect(stranger.stderr).toContain(words);
  await jane.allow('lockkeeper-viewer');
  expect(await says(['status'])).toMatch(/^node-1 +fleet +Staged +1\.26\.0 → 1\.26\.1 +AwaitingApproval/m);
  const why = await says(['why', 'node-2']);
  expect(why).toMatch(
    /^node node-2 \(Staged, UpdatePolicy fleet\): AwaitingApproval: .*\n {2}what changes that: kubectl lockkeeper approve 1\.26\.1 fleet\n/,
  );
  expect(why).toMatch(/^ {2}passes {2}paused .*[\s\S]*^ {2}holds {3}approval .*<- the reason$/m);
  const viewer = await jane.run(['pause']);
  expect(viewer).toMatchObject({ code: 3, stdout: '' });
  for (const words of ['patch updatepolicies.lockkeeper.dev', 'lockkeeper-operator']) expect(viewer.stderr).toContain(words);
  await jane.allow('lockkeeper-operator');

  // Whoever may act as another has that one's rights, and no others.
  const as = await jane.run(['status', '--as', 'joe', '--as-group', 'crew']);
  expect(as).toMatchObject({ code: 3, stderr: expect.stringContaining('cannot impersonate') });
  await bed.client.apply({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'act-as-crew' },
    rules: [
      { apiGroups: [''], resources: ['users'], verbs: ['impersonate'], resourceNames: ['joe'] },
      { apiGroups: [''], resources: ['groups'], verbs: ['impersonate'], resourceNames: ['crew'] },
    ],
  });
  await jane.allow('act-as-crew');
  const acting = await jane.run(['status', '--as', 'joe', '--as-group', 'crew']);
  expect(acting).toMatchObject({ code: 3, stderr: expect.stringContaining('list updatepolicies.lockkeeper.dev') });

  // What is only tried is not written; what makes no sense is refused.
  const before = (await fleet.policy()).metadata.annotations;
  const tried = await bed.audit.mark();
  expect(await says(['approve', '--dry-run=client'])).toMatch(/^UpdatePolicy fleet may be brought to 1\.26\.1 \(client dry run\)/);
  expect(await bed.audit.find({ user: jane.user, verb: 'patch' }, tried)).toEqual([]);
  expect(await says(['approve', '--dry-run=server'])).toContain('(server dry run)');
  expect((await bed.audit.find({ user: jane.user, verb: 'patch' }, tried)).map(({ requestURI }) => requestURI)).toEqual([
    expect.stringContaining('dryRun=All'),
  ]);
  expect((await fleet.policy()).metadata.annotations).toEqual(before);
  expect(await jane.run(['approve', '9.9.9'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is offered 9.9.9: known there are 1.26.1'),
  });
  expect(await jane.run(['pause', 'nobody'])).toMatchObject({ code: 1, stderr: expect.stringContaining('no node named nobody') });
  expect(await jane.run(['reboot', 'node-1'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });

  // Paused, an approval begins nothing.
  expect(await says(['pause', '--all'])).toMatch(/^UpdatePolicy fleet paused: /);
  expect(await says(['pause'])).toBe('UpdatePolicy fleet is paused already: nothing to do\n');
  expect(await says(['pin', '1.26.0', 'node-3'])).toMatch(/^node node-3 pinned to 1\.26\.0: /);
  expect(await says(['approve'])).toMatch(/^UpdatePolicy fleet may be brought to 1\.26\.1: /);
  await Promise.all(['node-1', 'node-2'].map((name) => phase(name, 'Staged', 'Paused')));
  await refreshed(names);
  for (const name of names) expect(changes(history.versions, name, isCordoned)).toEqual([false]);

  // Resumed it goes, and who watches sees it.
  const watching = jane.start(['status', '--watch']);
  await eventually(() => watching.stdout().includes('Paused'));
  expect(await says(['resume'])).toMatch(/^UpdatePolicy fleet no longer paused by hand: /);
  await phase('node-1', 'Draining');
  await eventually(() => /^node-1 +fleet +Draining/m.test(watching.stdout()), { describe: () => watching.stdout() });
  expect(await watching.interrupt()).toMatchObject({ code: 0, stderr: '' });
  expect(await says(['skip', 'node-1'])).toMatch(/^node node-1 skipped: /);
  await eventually(async () => !isCordoned(await fleet.node('node-1')));
  await guard.open();

  // The host of node-2 does not boot the release: halted, until a person says so, and tried again when they say so.
  await phase('node-2', 'RolledBack');
  expect(await says(['unpin', 'node-3'])).toMatch(/^node node-3 no longer pinned by hand: /);
  await phase('node-3', 'Staged', 'Halted');
  expect(await says(['resume'])).toMatch(/^UpdatePolicy fleet told to go on: /);
  await updated('1.26.1', ['node-1', 'node-3']);
  expect(await says(['report', '-o', 'csv'])).toMatch(
    /^node,policy,variant,arch,version,target,behind_since,deadline,compliance,reason,reported_at\r\nnode-1,fleet,aws-k8s-1\.31,\w+,1\.26\.1,1\.26\.1,,,UpToDate,UpToDate,[^\r]+\r\nnode-2,fleet,aws-k8s-1\.31,\w+,1\.26\.0,1\.26\.1,\d[^,]+,\d[^,]+,Behind,KnownBad,/,
  );
  expect(await says(['retry', 'node-2'])).toMatch(/^node node-2 told to try again: /);
  await updated('1.26.1');
  expect(await says(['history', 'node-2'])).toMatch(/ RolledBack\nnode-2 .* Updated\n$/);

  // A reboot without a new version; and one version that is wanted now, though nobody approved it.
  expect(await says(['reboot', 'node-3', '--yes'])).toMatch(/^node node-3 to reboot once: /);
  await eventually(() => machines[2]!.host.rebootCount === 2);
  await updated('1.26.1');
  fleet.release('1.26.2');
  await Promise.all(names.map((name) => phase(name, 'Staged', 'AwaitingApproval')));
  expect(await says(['approve', '--now', '--yes'])).toMatch(/^UpdatePolicy fleet brought to 1\.26\.2 now: /);
  await updated('1.26.2');
  expect(await says(['version'])).toMatch(/^Client: .*\nController: .*\nAgents: .* on 3 nodes\nKubernetes: v1\./);

  // The dashboard as the demo starts it: there with its URL, and gone with its program.
  const dashboard = new URL(await startDashboard(bed));
  expect(await (await fetch(dashboard)).text()).toContain('<title>');
  await Promise.all(bed.home.children.running.filter(({ name }) => name === 'dashboard').map((child) => child.stop(5_000)));
  await expect(fetch(dashboard)).rejects.toThrow();

  // As kubectl's plugin; and all that was written are annotations of ours, as a field manager of its own.
  expect(await jane.kubectl(['lockkeeper', 'status', '-o', 'json'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('"UpToDate"'),
  });
  const asked = await bed.audit.find({ user: jane.user });
  for (const { verb, objectRef, requestObject, requestURI, responseStatus } of asked.filter(
    ({ verb: is }) => !['get', 'list', 'watch'].includes(is),
  )) {
    expect([verb, objectRef?.subresource]).toEqual(['patch', undefined]);
    expect(['updatepolicies', 'nodeupdates']).toContain(objectRef?.resource);
    expect(requestURI).toContain('fieldManager=lockkeeper-cli');
    if (responseStatus?.code !== 200) continue;
    expect(requestObject).toEqual({ metadata: { annotations: expect.anything() } });
  }
  await judge.invariants();
}, 240_000);

/** Runs a command that must be all right, and gives what it said. */
const saysOf =
  (person: Person) =>
  async (args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await person.run(args);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
    return stdout;
  };
