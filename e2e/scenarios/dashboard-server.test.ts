import { afterEach, expect, test } from '@jest/globals';
import { type ReadStream, type Visitor, visitorOf } from '../../src/dashboard/server/testing/visitor.ts';
import type { ActionAnswer, NodeRow, Problem, ServerEvent } from '../../src/dashboard/wire.ts';
import { type Person, personOn, type Running } from './person.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const running: Running[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((program) => program.interrupt()));
});

test('the dashboard shows a rollout as it goes, and writes with the rights of whoever started it', async () => {
  const fleet = await start({ nodes: 2, policy: { approval: 'Manual' } });
  const { bed, eventually, judge, phase, updated } = fleet;
  const jane = await personOn(bed, 'jane');
  const open = async (person: Person): Promise<Visitor> => {
    const program = person.start(['dashboard']);
    running.push(program);
    const url = () => /http:\S+/.exec(program.stdout())?.[0];
    await eventually(() => url() !== undefined, { describe: () => program.stdout() });
    return visitorOf(url() ?? '');
  };
  const act = async (visitor: Visitor, request: object): Promise<{ status: number; said: ActionAnswer & Problem }> => {
    const { status, body } = await visitor.ask('/api/actions', { method: 'POST', body: JSON.stringify(request) });
    return { status, said: JSON.parse(body) };
  };

  // Without any right the page says which, and with them it is live.
  const visitor = await open(jane);
  const stream = await visitor.events();
  const lacks = await stream.until((event) => event.access?.missing.length === 4 && event.access.forbidden.length === 2);
  expect(lacks.access?.missing.map(({ verb, resource }) => `${verb} ${resource}`).sort()).toEqual([
    'list nodehosts.lockkeeper.dev',
    'list nodes',
    'list nodeupdates.lockkeeper.dev',
    'list updatepolicies.lockkeeper.dev',
  ]);
  expect(lacks.access?.forbidden).toContainEqual({
    on: 'policy',
    right: { verb: 'patch', resource: 'updatepolicies.lockkeeper.dev' },
    role: 'lockkeeper-operator',
  });
  await jane.allow('lockkeeper-viewer');
  await stream.until((event) => event.access?.missing.length === 0 && event.type === 'changes');
  await stream.until((event) => event.cluster?.user === jane.user);
  await rowOf(stream, 'node-1', ({ zone, version }) => zone === 'eu-west-1a' && version === '1.26.0');

  // Who may only look is told what is missing, and nothing is written.
  fleet.release('1.26.1');
  await Promise.all(['node-1', 'node-2'].map((name) => phase(name, 'Staged', 'AwaitingApproval')));
  await rowOf(stream, 'node-1', ({ staged, target }) => staged === '1.26.1' && target === '1.26.1');
  const pause = { verb: 'pause', targets: [{ kind: 'node', name: 'node-2' }] };
  expect(await act(visitor, pause)).toMatchObject({
    status: 403,
    said: { code: 'MissingRights', rights: [{ verb: 'patch', resource: 'nodeupdates.lockkeeper.dev' }], role: 'lockkeeper-operator' },
  });
  const why = JSON.parse((await visitor.ask('/api/nodes/node-1/why')).body);
  expect(why).toMatchObject({ node: 'node-1', reason: 'AwaitingApproval', version: '1.26.1' });
  const plan = (await visitor.ask('/api/plan', { method: 'POST' })).body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .at(-1);
  expect(plan).toMatchObject({ type: 'plan', plan: { kind: 'Plan', policies: [{ name: 'fleet', nodes: 2 }] } });

  // What may be written stands in the audit log under the user's own name.
  await jane.allow('lockkeeper-operator');
  await eventually(async () => (await act(visitor, pause)).status === 200);
  await rowOf(stream, 'node-2', ({ byHand }) => byHand?.paused === true);
  expect(await act(visitor, { verb: 'approve', targets: [{ kind: 'policy', name: 'fleet' }] })).toMatchObject({
    said: { results: [{ written: { 'lockkeeper.dev/approved-version': '1.26.1' } }] },
  });
  const writes = (await bed.audit.find({ user: jane.user, verb: 'patch' })).filter(({ responseStatus }) => responseStatus?.code === 200);
  expect(writes.map(({ objectRef, requestObject }) => [objectRef?.resource, objectRef?.name, requestObject])).toEqual([
    ['nodeupdates', 'node-2', { metadata: { annotations: { 'lockkeeper.dev/paused': 'true' } } }],
    ['updatepolicies', 'fleet', { metadata: { annotations: { 'lockkeeper.dev/approved-version': '1.26.1' } } }],
  ]);
  for (const { requestURI } of writes) expect(requestURI).toContain('fieldManager=lockkeeper-cli');

  // The rollout as it goes, on every page that is open; each phase was seen in its order.
  await updated('1.26.1', ['node-1']);
  await rowOf(stream, 'node-1', ({ version, phase: is }) => version === '1.26.1' && is === 'Idle');
  const phases = stream.events.flatMap(({ nodes = [] }) => nodes.filter(({ name }) => name === 'node-1').map((row) => row.phase));
  const seen = phases.filter((one, index) => one !== phases[index - 1]);
  expect(seen.filter((one) => one === 'Draining' || one === 'Rebooting' || one === 'Verifying').length).toBeGreaterThan(0);
  expect(stream.events.map(({ seq }, index) => seq - index)).toEqual(stream.events.map(() => stream.events[0]?.seq));
  const history = JSON.parse((await visitor.ask('/api/history?node=node-1')).body);
  expect(history).toMatchObject({ total: 1, entries: [{ from: '1.26.0', to: '1.26.1', outcome: 'Updated' }] });

  // The API server goes and comes back: the page is told both, and all goes on.
  const told = stream.events.length;
  const later = (fits: (event: ServerEvent) => boolean): Promise<ServerEvent> =>
    stream.until((event) => stream.events.indexOf(event) >= told && fits(event));
  const restarted = bed.controlPlane.restartApiServer();
  await later((event) => event.connection?.state === 'broken');
  await restarted;
  await later((event) => event.connection?.state === 'live');
  expect((await act(visitor, { ...pause, verb: 'resume' })).said).toMatchObject({
    results: [{ written: { 'lockkeeper.dev/paused': null } }],
  });
  await updated('1.26.1');
  await later(({ nodes = [] }) => nodes.some(({ name, version, phase: is }) => name === 'node-2' && version === '1.26.1' && is === 'Idle'));

  const ended = await running.splice(0)[0]?.interrupt();
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  await stream.ended;
  await judge.invariants();
}, 120_000);

/** Resolves once a stream has told of a node what fits. */
const rowOf = (stream: ReadStream, node: string, fits: (row: NodeRow) => boolean): Promise<ServerEvent> =>
  stream.until(({ nodes = [] }) => nodes.some((row) => row.name === node && fits(row)));
