import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../api/names.ts';
import type { Order } from '../api/node-host.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import { factsOf, type Member } from './facts.ts';
import { groundOf, stageOrder, stagingBegun } from './ground.ts';
import { ago, aHost, aNode, anAnswer, anUpdate, aPolicy, aRollout, aWorld, MINUTE, NEW, NOW, OLD, proof } from './testing/builders.ts';
import type { NodeView } from './world.ts';

const frozen = aPolicy({ status: { rollouts: [aRollout()] } });

function ground(change: Partial<NodeView>, policy = frozen) {
  const node = aNode('n1', change);
  const world = aWorld({ policies: [policy], nodes: [node] });
  const facts = factsOf(policy, [node], world, NOW);
  return groundOf(world, facts, facts.members[0] as Member, NOW);
}

const order: Order = { id: 'stage-1', action: 'Stage', version: NEW };
const answered = (state: Parameters<typeof anAnswer>[1], code?: Parameters<typeof anAnswer>[2], id = 'stage-1') =>
  aHost({ answer: anAnswer(id, state, code) }, order);
const failure = {
  target: NEW,
  at: ago(MINUTE),
  reason: 'RolledBackByHost',
  message: 'it came back',
  bootID: 'boot-1',
  readySince: ago(MINUTE),
};
const blocked = (retryAt: string): NodeUpdateStatus => ({
  phase: 'Blocked',
  reason: 'DrainTimeout',
  message: 'with shop/web',
  attempts: 1,
  retryAt,
});
const { os: _, ...foreign } = aNode('n1');
const theirs = { host: undefined as never, otherOperator: true as const };

describe('groundOf', () => {
  test.each<[string, Partial<NodeView>, string, string, string]>([
    ['up to date', { os: { ...aNode('n1').os!, version: NEW } }, 'settled', 'Idle', 'UpToDate'],
    ['no longer Bottlerocket', { ...foreign, os: undefined as never }, 'settled', 'Idle', 'NoPolicy'],
    ['no report yet', { host: { ...aHost(), status: {} } }, 'settled', 'Idle', 'AwaitingReport'],
    ['no report since the last boot', { host: aHost({ staged: proof(), bootID: 'boot-0' }) }, 'settled', 'Idle', 'AwaitingReport'],
    ['no NodeHost yet', { host: undefined as never }, 'settled', 'Idle', 'AwaitingReport'],
    ['no report, another operator’s', { ...theirs, agent: 'missing' }, 'settled', 'Idle', 'ManagedByOther'],
    ['no report, no agent', { host: { ...aHost(), status: {} }, agent: 'missing' }, 'settled', 'Idle', 'AgentMissing'],
    ['known bad', { update: anUpdate({ phase: 'RolledBack', failures: [failure] }) }, 'settled', 'RolledBack', 'KnownBad'],
    [
      'known bad although it is staged',
      { update: anUpdate({ phase: 'Idle', failures: [failure] }), host: aHost({ staged: proof() }) },
      'settled',
      'RolledBack',
      'KnownBad',
    ],
    [
      'another target was bad',
      { update: anUpdate({ phase: 'RolledBack', failures: [{ ...failure, target: OLD }] }) },
      'stage',
      'Idle',
      'AwaitingStagingSlot',
    ],
    [
      'blocked, and the wait is not over',
      { update: anUpdate(blocked(ago(-MINUTE))), host: aHost({ staged: proof() }) },
      'settled',
      'Blocked',
      'DrainTimeout',
    ],
    [
      'blocked, and the wait is over',
      { update: anUpdate(blocked(ago(1))), host: aHost({ staged: proof() }) },
      'staged',
      'Blocked',
      'Preflight',
    ],
    [
      'blocked without a wait',
      { update: anUpdate({ phase: 'Blocked', reason: 'CannotEvict' }), host: aHost({ staged: proof() }) },
      'staged',
      'Blocked',
      'CannotEvict',
    ],
    ['staged', { host: aHost({ staged: proof() }) }, 'staged', 'Staged', 'Preflight'],
    ['another version staged', { host: aHost({ staged: proof(OLD) }) }, 'stage', 'Idle', 'AwaitingStagingSlot'],
    ['nothing ordered', {}, 'stage', 'Idle', 'AwaitingStagingSlot'],
    ['something else ordered', { host: aHost({}, { id: 'c.cancel', action: 'Cancel' }) }, 'stage', 'Idle', 'AwaitingStagingSlot'],
    ['another version ordered', { host: aHost({}, { ...order, version: OLD }) }, 'stage', 'Idle', 'AwaitingStagingSlot'],
    ['ordered, no answer yet', { host: aHost({}, order) }, 'staging', 'Staging', 'Staging'],
    [
      'ordered, the answer is to an earlier order',
      { host: answered('Failed', 'PrepareFailed', 'stage-0') },
      'staging',
      'Staging',
      'Staging',
    ],
    ['running', { host: answered('Running') }, 'staging', 'Staging', 'Staging'],
    ['running, and the agent is gone', { host: answered('Running'), agent: 'missing' }, 'staging', 'Staging', 'AgentMissing'],
    ['an agent that does not know how', { host: answered('Unsupported') }, 'settled', 'Idle', 'AgentOutdated'],
    ['failed', { host: answered('Failed', 'PrepareFailed') }, 'settled', 'Staging', 'StagingFailed'],
    ['done, and the proof is gone', { host: answered('Done') }, 'settled', 'Staging', 'StagingFailed'],
  ])('%s', (_name, change, kind, phase, reason) => {
    const result = ground(change);
    expect([result.kind, result.status.phase, result.status.reason]).toEqual([kind, phase, reason]);
  });

  test('what cannot be read is said, also where there is nothing to do', () => {
    const done = { os: { ...aNode('n1').os!, version: NEW } };
    expect(ground(done, aPolicy({ spec: { version: { range: 'new' } } })).status.reason).toBe('PolicyNotReady');
    expect(ground({ ...done, annotations: { [BY_HAND.paused]: 'yes' } }).status.reason).toBe('InvalidAnnotation');
  });

  test('what failed before says how to have it tried again', () => {
    const update = anUpdate({ phase: 'RolledBack', failures: [failure] });
    expect(ground({ update }).status.message).toMatch(
      /not tried again by itself; to try it again: kubectl annotate nodeupdate n1 --overwrite lockkeeper\.dev\/retry=\$\(date \+%s\)$/,
    );
  });

  test('a landed node keeps nothing of its flight', () => {
    const flown = {
      phase: 'Draining' as const,
      claim: 'c',
      bootIDBefore: 'b',
      deadlines: { drain: ago(0) },
      drain: { startedAt: ago(0), total: 1, remaining: 1 },
    };
    const { status } = ground({ update: anUpdate(flown) });
    for (const key of ['claim', 'bootIDBefore', 'deadlines', 'drain', 'next']) expect(status).not.toHaveProperty(key);
  });

  test('says since when a node is behind, until it is not', () => {
    const { status } = ground({});
    expect(status).toMatchObject({ behindSince: ago(0), from: OLD, target: NEW, policy: 'default' });
    expect(ground({ update: anUpdate({ ...status, behindSince: ago(MINUTE) }) }).status.behindSince).toBe(ago(MINUTE));
    expect(ground({ os: { ...aNode('n1').os!, version: NEW }, update: anUpdate(status) }).status).not.toHaveProperty('behindSince');
  });

  test('a Blocked node that is looked at again and again keeps its time', () => {
    const update = anUpdate({ phase: 'Blocked', since: ago(MINUTE), reason: 'CannotEvict' });
    expect(ground({ update, host: aHost({ staged: proof() }) }).status.since).toBe(ago(MINUTE));
  });
});

describe('a failed download', () => {
  const failed = answered('Failed', 'PrepareFailed');
  const statusAfter = (before: NodeUpdateStatus) => ground({ host: failed, update: anUpdate(before) });

  test('is counted once for each order, and waited for with a backoff', () => {
    const first = statusAfter({ phase: 'Staging' });
    expect(first.status).toMatchObject({ attempts: 1, failedOrder: 'stage-1', retryAt: ago(-MINUTE) });
    expect(statusAfter(first.status).status).toEqual(first.status);
    const third = statusAfter({ phase: 'Staging', attempts: 2, failedOrder: 'stage-0' });
    expect(third.status).toMatchObject({ attempts: 3, retryAt: ago(-4 * MINUTE) });
    expect(third.status.message).toContain('failed 3 times');
    expect(third.status.message).toContain('PrepareFailed: the host said so');
  });

  test.each([
    ['the wait is not over', { retryAt: ago(-1) }, 'settled'],
    ['the wait is over', { retryAt: ago(0) }, 'stage'],
    ['a retry ended the wait', {}, 'stage'],
  ])('%s', (_, change, kind) => {
    expect(statusAfter({ phase: 'Staging', attempts: 2, failedOrder: 'stage-1', ...change }).kind).toBe(kind);
  });

  test('is forgotten once a download succeeds', () => {
    const before = { phase: 'Staging' as const, attempts: 4, failedOrder: 'stage-1', retryAt: ago(-MINUTE) };
    const { status } = ground({ host: aHost({ staged: proof() }, order), update: anUpdate(before) });
    for (const key of ['attempts', 'failedOrder', 'retryAt']) expect(status).not.toHaveProperty(key);
  });
});

describe('a release that the host is not offered yet', () => {
  const refused = answered('Failed', 'NotOffered');
  const other = (available: string[], change: Partial<NodeView> = {}) => aNode('n2', { host: aHost({ available }), ...change });
  const beside = (nodes: NodeView[], policy = frozen, change: Partial<NodeView> = {}) => {
    const node = aNode('n1', { host: refused, ...change });
    const world = aWorld({ policies: [policy], nodes: [node, ...nodes] });
    const facts = factsOf(policy, [node, ...nodes], world, NOW);
    return groundOf(world, facts, facts.members[0] as Member, NOW);
  };

  test.each([
    ['others are', [other([NEW])], 'Idle', 'WaveNotOpen'],
    ['nobody is', [other([OLD])], 'Staging', 'StagingFailed'],
    [
      'only those of another variant are',
      [other([NEW], { os: { ...aNode('n2').os!, variant: 'metal-k8s-1.31' } })],
      'Staging',
      'StagingFailed',
    ],
    ['it is alone', [], 'Staging', 'StagingFailed'],
  ])('where %s', (_, nodes, phase, reason) => {
    const { kind, status } = beside(nodes);
    expect([kind, status.phase, status.reason]).toEqual(['settled', phase, reason]);
    expect(status).toMatchObject({ attempts: 1, failedOrder: 'stage-1', retryAt: ago(-MINUTE) });
  });

  test('is asked for again when its time has come', () => {
    const before = { phase: 'Idle' as const, attempts: 2, failedOrder: 'stage-1', retryAt: ago(0) };
    expect(beside([other([NEW])], frozen, { update: anUpdate(before) })).toMatchObject({ kind: 'stage', ignoreWaves: false });
  });

  test('is taken at once by a policy that ignores waves, whose order says so', () => {
    const ignoring = { ...frozen, spec: { ...frozen.spec, version: { ...frozen.spec.version, ignoreWaves: true } } };
    const before = { phase: 'Idle' as const, attempts: 2, failedOrder: 'stage-1', retryAt: ago(-MINUTE) };
    const wanted = beside([other([NEW])], ignoring, { update: anUpdate(before) });
    expect(wanted).toMatchObject({ kind: 'stage', ignoreWaves: true });
    expect(stageOrder({ version: NEW, ignoreWaves: true }, NOW)).toMatchObject({ action: 'Stage', version: NEW, ignoreWaves: true });
    const asked = aHost({ answer: anAnswer('stage-1', 'Failed', 'NotOffered') }, { ...order, ignoreWaves: true });
    expect(beside([other([NEW])], ignoring, { update: anUpdate(before), host: asked }).kind).toBe('settled');
  });
});

const plain = { version: NEW, ignoreWaves: false };

describe('stageOrder', () => {
  test('each attempt is an order of its own', () => {
    expect(stageOrder(plain, NOW).id).not.toBe(stageOrder(plain, NOW + 1).id);
    expect(stagingBegun({ phase: 'Staging', retryAt: ago(0) }, plain, NOW)).toEqual({
      status: { phase: 'Staging', since: ago(0), reason: 'Staging', message: `the host downloads ${NEW}` },
      commands: [{ type: 'Order', order: stageOrder(plain, NOW) }],
    });
  });
});
