import { expect, test } from '@jest/globals';
import { BY_HAND } from '../api/names.ts';
import { lastRules, ownRules, RULES, rollbackRules, stageRules, turnRules } from './rules/index.ts';
import { ago, aHost, aNode, anUpdate, aPolicy, aWorld, HOUR, NEW, NOW, OLD } from './testing/builders.ts';
import { whyNode } from './why.ts';

const staged = aHost({
  version: OLD,
  bootID: 'boot-1',
  available: [NEW, OLD],
  staged: { version: NEW, provenAt: ago(HOUR), lastCommandAt: ago(HOUR) },
});
const waits = anUpdate({ phase: 'Staged', policy: 'default', from: OLD, target: NEW, since: ago(HOUR) });
const closed = { windows: [{ cron: '0 2 1 1 *', duration: '1h', timeZone: 'UTC' }], exclusions: [], onClose: 'Finish' as const };
const fleet = (spec: Parameters<typeof aPolicy>[0] = {}) =>
  aWorld({ policies: [aPolicy(spec)], nodes: ['a', 'b'].map((name) => aNode(name, { host: staged, update: waits })) });

test('says of each rule what it has to say, and that of the first that holds is the reason', () => {
  const world = fleet({ spec: { approval: 'Manual', schedule: closed } });
  const { status, asked, version } = whyNode(world, 'a', NOW);
  expect(version).toBe(NEW);
  expect(asked.map(({ rule }) => rule)).toEqual([...turnRules, ...lastRules].map((rule) => RULES.get(rule)?.name));
  const holding = asked.filter(({ hold }) => hold !== undefined).map(({ rule, hold }) => [rule, hold?.reason]);
  expect(holding.slice(0, 2)).toEqual([
    ['approval', 'AwaitingApproval'],
    ['window', 'OutsideWindow'],
  ]);
  expect(status).toMatchObject({ phase: 'Staged', reason: 'AwaitingApproval' });
});

test('an annotation changes what holds', () => {
  const approved = fleet({ spec: { approval: 'Manual' }, annotations: { [BY_HAND.approvedVersion]: NEW } });
  const asked = whyNode(approved, 'a', NOW).asked;
  expect(asked.find(({ rule }) => rule === 'approval')).toEqual({ rule: 'approval', wants: expect.any(String) });
});

test('the second one waits for what the first one took', () => {
  const world = {
    ...fleet(),
    pods: new Map([
      ['a', []],
      ['b', []],
    ]),
  };
  expect(whyNode(world, 'b', NOW).asked.filter(({ hold }) => hold !== undefined)).toMatchObject([
    { rule: 'capacity', hold: { reason: 'CapacityReached' } },
  ]);
});

test.each([
  ['a download', aNode('a', { host: aHost({ version: OLD, bootID: 'boot-1', available: [NEW, OLD] }) }), stageRules.length],
  ['a node that is up to date', aNode('a', { os: { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' } }), 0],
])('%s', (_, node, count) => {
  const other = aNode('b', { host: staged });
  expect(whyNode(aWorld({ policies: [aPolicy()], nodes: [node, other] }), 'a', NOW).asked).toHaveLength(count);
});

test('every rule has a name and a wish', () => {
  const all = new Set([
    ...turnRules,
    ...lastRules,
    ...stageRules,
    ...ownRules,
    ...rollbackRules.turn,
    ...rollbackRules.stage,
    ...rollbackRules.last,
  ]);
  for (const rule of all)
    expect([rule.name, RULES.get(rule)]).toEqual([rule.name, { name: expect.any(String), wants: expect.any(String) }]);
  expect(RULES.size).toBe(all.size);
});
