import { expect, test } from '@jest/globals';
import { changes, isCordoned } from '../bed/watch-history.ts';
import { guardNode } from './guarded-pod.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const names = ['node-1', 'node-2'];

test('a check that fails between two nodes holds the next one until it holds again, and takes nothing back', async () => {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name: 'gate', jsonPath: '{.data.open}', value: 'yes' };
  const fleet = await start({
    nodes: 2,
    policy: { checks: [{ object }] },
    values: {
      controller: { extraArgs: ['--retry-base=1s', '--retry-max=4s', '--check-interval=500ms'] },
      checks: { rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }] },
    },
  });
  const { bed, history, judge, machines, phase, refreshed, releaseInOrder, updated } = fleet;
  const put = (open: string) =>
    bed.client.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'gate', namespace: 'default' }, data: { open } });
  const audited = (verb: string) => bed.audit.find({ verb, resource: 'configmaps', name: 'gate' });
  const looks = async () => (await audited('get')).length;
  const guard = await guardNode(bed, 'node-1');

  await releaseInOrder('1.26.1');
  // Approved, and before the first claim already nothing is begun: the object is not there.
  expect((await phase('node-1', 'Staged', 'CheckFailed')).message).toContain('ConfigMap default/gate: it is not there');
  await refreshed(names);
  expect((await judge.claims()).flatMap(({ claims }) => claims)).toEqual([]);

  await put('yes');
  await phase('node-1', 'Draining');
  // With its slot taken nothing could be begun: nobody asks.
  await phase('node-2', 'Staged', 'CapacityReached');
  const asked = await looks();
  await refreshed(names);
  expect(await looks()).toBe(asked);

  await put('no');
  await guard.open();
  await updated('1.26.1', ['node-1']);
  expect((await phase('node-2', 'Staged', 'CheckFailed')).message).toContain('{.data.open} is "no", it must be "yes"');
  await refreshed(names);
  for (const node of names)
    expect({ node, cordoned: changes(history.versions, node, isCordoned) }).toEqual({
      node,
      cordoned: node === 'node-1' ? [false, true, false] : [false],
    });

  await put('yes');
  await updated('1.26.1');
  const opened = (await audited('patch')).at(-1);
  const claims = await bed.audit.find({ verb: 'patch', resource: 'updatepolicies', subresource: 'status' });
  const claimed = claims.find(({ requestObject }) => JSON.stringify(requestObject ?? {}).includes('"node":"node-2"'));
  expect(Date.parse(claimed?.stageTimestamp ?? '')).toBeGreaterThanOrEqual(Date.parse(opened?.requestReceivedTimestamp ?? ''));
  await judge.invariants();
  await judge.onceEach(machines);
}, 120_000);
