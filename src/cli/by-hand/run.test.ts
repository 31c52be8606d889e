import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { BY_HAND } from '../../api/names.ts';
import { type ClusterBed, clusterBed } from '../../controller/testing/bed.ts';
import { putHost, putNode, putPolicy, putUpdate } from '../../controller/testing/objects.ts';
import { NEW, OLD } from '../../core/testing/builders.ts';
import type { Verb } from './change.ts';
import { reboot } from './once.ts';
import { pause } from './pausing.ts';
import { runVerb, type WriteOptions } from './run.ts';

let bed: ClusterBed;
beforeEach(async () => {
  bed = await clusterBed();
  const node = putNode(bed.cluster, 'a');
  putPolicy(bed.cluster);
  putUpdate(bed.cluster, node, { policy: 'default', phase: 'Staged', from: OLD, target: NEW });
  putHost(bed.cluster, node);
});
afterEach(() => bed.close());

async function ran(verb: Verb, options: Partial<WriteOptions> = {}, answer?: boolean) {
  let said = '';
  const asked: string[] = [];
  const print = (text: string) => {
    said += text;
  };
  const confirm = async (question: string) => {
    asked.push(question);
    return answer === true;
  };
  const names = options.names ?? [];
  await runVerb(
    verb,
    { ...options, names },
    { client: bed.client, print, confirm: answer === undefined ? undefined : confirm, token: 't' },
  );
  return { said, asked, writes: bed.cluster.asked.filter(({ method }) => method !== 'GET') };
}

test('writes one annotation, as a field manager of its own, and says what comes of it', async () => {
  const { said, writes } = await ran(pause);
  expect(said).toMatch(/^UpdatePolicy default paused: no further node is begun/);
  expect(writes.map(({ path, body, query }) => [path, body, Object.fromEntries(query)])).toEqual([
    [
      '/apis/lockkeeper.dev/v1alpha1/updatepolicies/default',
      { metadata: { annotations: { [BY_HAND.paused]: 'true' } } },
      { fieldManager: 'lockkeeper-cli' },
    ],
  ]);
  expect((await ran(pause)).said).toBe('UpdatePolicy default is paused already: nothing to do\n');
  expect(writes).toHaveLength(1);
});

test('of a node it writes the NodeUpdate', async () => {
  const { said, writes } = await ran(pause, { names: ['a'] });
  expect(said).toMatch(/^node a paused: /);
  expect(writes.map(({ path }) => path)).toEqual(['/apis/lockkeeper.dev/v1alpha1/nodeupdates/a']);
});

test.each([
  ['client', /^UpdatePolicy default paused \(client dry run\): /, []],
  ['server', /^UpdatePolicy default paused \(server dry run\): /, ['All']],
] as const)('--dry-run=%s', async (dryRun, words, queries) => {
  const { said, writes } = await ran(pause, { dryRun });
  expect(said).toMatch(words);
  expect(writes.map(({ query }) => query.get('dryRun'))).toEqual(queries);
});

test('what stops pods is asked for, or told by --yes', async () => {
  await expect(ran(reboot, { names: ['a'] })).rejects.toThrow(/node a: drained and rebooted once.*say --yes/s);
  await expect(ran(reboot, { names: ['a'] }, false)).rejects.toThrow('nothing was changed');
  expect(bed.cluster.writes()).toEqual([]);
  const { asked, writes } = await ran(reboot, { names: ['a'] }, true);
  expect(asked).toEqual([expect.stringMatching(/^node a: drained and rebooted once/)]);
  expect(writes.map(({ body }) => body)).toEqual([{ metadata: { annotations: { [BY_HAND.reboot]: 't' } } }]);
});

test('one that makes no sense keeps all from being written', async () => {
  await expect(ran(pause, { names: ['default', 'nobody'] })).rejects.toThrow('nobody');
  expect(bed.cluster.writes()).toEqual([]);
});

test.each([
  ['PATCH', 'updatepolicies', 'patch updatepolicies.lockkeeper.dev \\(cluster-wide\\)[^]*ClusterRole lockkeeper-operator'],
  ['GET', 'nodeupdates', 'list nodeupdates.lockkeeper.dev[^]*ClusterRole lockkeeper-viewer'],
])('a missing right to %s %s is named', async (method, resource, words) => {
  bed.cluster.fault = ({ method: by, path }) =>
    by === method && path.includes(resource)
      ? {
          status: 403,
          reason: 'Forbidden',
          message: `${resource}.lockkeeper.dev "default" is forbidden: User "jane" cannot patch resource`,
        }
      : undefined;
  await expect(ran(pause)).rejects.toThrow(new RegExp(words));
});

test('without a right to read Nodes it does with the NodeUpdate; a node that is gone is said', async () => {
  bed.cluster.fault = ({ path }) => (path === '/api/v1/nodes/a' ? { status: 403 } : undefined);
  expect((await ran(pause, { names: ['a'] })).said).toMatch(/^node a paused/);
  bed.cluster.fault = ({ path }) => (path === '/api/v1/nodes/a' ? { status: 404 } : undefined);
  await expect(ran(pause, { names: ['a'] })).rejects.toThrow('node a is gone');
});
