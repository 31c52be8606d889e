import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../api/names.ts';
import type { Rollout } from '../api/update-policy.ts';
import { factsOf } from './facts.ts';
import { ago, aNode, aPolicy, aRollout, aWorld, HOUR, MINUTE, NOW } from './testing/builders.ts';
import { type Standing, turnsOf } from './turn.ts';
import { toSecond } from './world.ts';

const ring = (name: string) => ({ name, nodeSelector: { matchLabels: { ring: name } } });
const soaking = { ...ring('canary'), soak: '1h' };
const ZONE = 'topology.kubernetes.io/zone';

interface Given {
  groups?: readonly { name: string; nodeSelector: { matchLabels: Record<string, string> }; soak?: string }[];
  /** Of each node: its ring, its standing, its zone. */
  nodes: readonly (readonly [ring: string, standing: Standing, zone?: string])[];
  known?: Partial<Rollout>;
  skip?: boolean;
  ownNode?: string;
}

function turn({ groups = [], nodes, known = {}, skip = false, ownNode }: Given) {
  const policy = aPolicy({
    spec: { rollout: { groups: [...groups] } },
    annotations: skip ? { [BY_HAND.skip]: 'now' } : {},
    status: { rollouts: [aRollout(known)] },
  });
  const views = nodes.map(([name, , zone], index) =>
    aNode(`n${index + 1}`, { labels: { ring: name, ...(zone !== undefined && { [ZONE]: zone }) } }),
  );
  const self = ownNode === undefined ? {} : { self: { namespace: 'lockkeeper', pod: 'lockkeeper-0', node: ownNode } };
  const facts = factsOf(policy, views, aWorld({ policies: [policy], nodes: views, ...self }), NOW);
  const standings = new Map(nodes.map(([, standing], index) => [`n${index + 1}`, standing]));
  const [first] = turnsOf(facts, standings, NOW);
  if (first === undefined) throw new Error('no rollout');
  return { ...first, states: first.rollout.groups?.map(({ state }) => state) ?? [], reason: first.hold?.reason };
}

describe('a group', () => {
  const done = { groups: [{ name: 'canary', state: 'Finished' as const }] };
  const untested = { groups: [{ name: 'canary', state: 'Untested' as const }] };
  const heldFor = (ms: number) => ({ groups: [{ name: 'canary', state: 'Updating' as const, untestedFrom: ago(ms - MINUTE) }] });
  test.each<[string, Given, string[], string | undefined]>([
    [
      'one to come',
      {
        groups: [ring('canary')],
        nodes: [
          ['canary', 'pending'],
          ['', 'pending'],
        ],
      },
      ['Updating'],
      'AwaitingGroup',
    ],
    [
      'one of two to come',
      {
        groups: [ring('canary')],
        nodes: [
          ['canary', 'updated'],
          ['canary', 'pending'],
        ],
      },
      ['Updating'],
      'AwaitingGroup',
    ],
    [
      'all updated',
      {
        groups: [ring('canary')],
        nodes: [
          ['canary', 'updated'],
          ['', 'pending'],
        ],
      },
      ['Finished'],
      undefined,
    ],
    [
      'one updated, one failed',
      {
        groups: [ring('canary')],
        nodes: [
          ['canary', 'updated'],
          ['canary', 'failed'],
        ],
      },
      ['Finished'],
      undefined,
    ],
    [
      'one updated, one held',
      {
        groups: [ring('canary')],
        nodes: [
          ['canary', 'updated'],
          ['canary', 'held'],
        ],
      },
      ['Finished'],
      undefined,
    ],
    ['all held', { groups: [ring('canary')], nodes: [['canary', 'held']] }, ['Updating'], 'AwaitingGroup'],
    [
      'all held for a minute',
      { groups: [ring('canary')], nodes: [['canary', 'held']], known: heldFor(MINUTE) },
      ['Untested'],
      'GroupUntested',
    ],
    [
      'all held for less',
      { groups: [ring('canary')], nodes: [['canary', 'held']], known: heldFor(MINUTE - 1) },
      ['Updating'],
      'AwaitingGroup',
    ],
    ['untested and still held', { groups: [ring('canary')], nodes: [['canary', 'held']], known: untested }, ['Untested'], 'GroupUntested'],
    ['no longer held', { groups: [ring('canary')], nodes: [['canary', 'pending']], known: untested }, ['Updating'], 'AwaitingGroup'],
    ['all failed', { groups: [ring('canary')], nodes: [['canary', 'failed']] }, ['Untested'], 'GroupUntested'],
    ['all held, and a skip', { groups: [ring('canary')], nodes: [['canary', 'held']], skip: true }, ['Skipped'], undefined],
    ['empty', { groups: [ring('canary')], nodes: [['', 'pending']] }, ['Finished'], undefined],
    ['finished, and one joins late', { groups: [ring('canary')], nodes: [['canary', 'pending']], known: done }, ['Finished'], undefined],
    ['updated, to soak', { groups: [soaking], nodes: [['canary', 'updated']] }, ['Soaking'], 'GroupSoaking'],
    [
      'soaking, and one joins late',
      {
        groups: [soaking],
        nodes: [['canary', 'pending']],
        known: { groups: [{ name: 'canary', state: 'Soaking', soakUntil: ago(-MINUTE) }] },
      },
      ['Soaking'],
      'GroupSoaking',
    ],
    [
      'soaked',
      { groups: [soaking], nodes: [['canary', 'updated']], known: { groups: [{ name: 'canary', state: 'Soaking', soakUntil: ago(0) }] } },
      ['Finished'],
      undefined,
    ],
    [
      'the second waits for the first',
      {
        groups: [ring('canary'), ring('early')],
        nodes: [
          ['canary', 'pending'],
          ['early', 'updated'],
        ],
      },
      ['Updating', 'Waiting'],
      'AwaitingGroup',
    ],
    [
      'a skip is for one group alone',
      {
        groups: [ring('canary'), ring('early')],
        nodes: [
          ['canary', 'held'],
          ['early', 'failed'],
        ],
        skip: true,
      },
      ['Skipped', 'Untested'],
      'GroupUntested',
    ],
    [
      'a group put before a finished one has its turn',
      {
        groups: [ring('first'), ring('canary')],
        nodes: [
          ['first', 'pending'],
          ['canary', 'updated'],
        ],
        known: done,
      },
      ['Updating', 'Finished'],
      'AwaitingGroup',
    ],
  ])('%s', (_, given, states, reason) => {
    const found = turn(given);
    expect({ states: found.states, reason: found.reason }).toEqual({ states, reason });
  });

  test('soaks from the moment it is finished', () => {
    expect(turn({ groups: [soaking], nodes: [['canary', 'updated']] }).rollout.groups).toEqual([
      { name: 'canary', state: 'Soaking', soakUntil: ago(-HOUR), nodes: 1, updated: 1 },
    ]);
  });

  test('that is held is called untested from a minute later, and not while one of its nodes is to come', () => {
    const groups = (nodes: Given['nodes'], known = {}) => turn({ groups: [ring('canary')], nodes, known }).rollout.groups;
    const held = { name: 'canary', state: 'Updating', untestedFrom: ago(-MINUTE), nodes: 1, updated: 0 };
    expect(groups([['canary', 'held']])).toEqual([held]);
    expect(groups([['canary', 'pending']], heldFor(0))).toEqual([{ name: 'canary', state: 'Updating', nodes: 1, updated: 0 }]);
  });

  test('that is waited for says the same until it is done, and says until when it soaks', () => {
    const message = (nodes: Given['nodes']) => turn({ groups: [soaking], nodes }).hold?.message;
    const rest = ['', 'pending'] as const;
    const two = 'waits for the 2 nodes of group canary: groups go one after the other';
    expect(message([['canary', 'pending'], ['canary', 'pending'], rest])).toBe(two);
    expect(message([['canary', 'updated'], ['canary', 'pending'], rest])).toBe(two);
    expect(message([['canary', 'pending'], rest])).toBe('waits for the node of group canary: groups go one after the other');
    expect(message([['canary', 'updated'], rest])).toBe(`waits for group canary to soak until ${toSecond(ago(-HOUR))}`);
  });

  test('counts its nodes and those that are updated, also where it is finished or not begun', () => {
    const nodes: Given['nodes'] = [
      ['canary', 'updated'],
      ['canary', 'pending'],
      ['early', 'updated'],
      ['early', 'pending'],
      ['early', 'failed'],
      ['late', 'held'],
    ];
    const found = turn({ groups: [ring('canary'), ring('early'), ring('late')], nodes, known: done });
    expect(found.rollout.groups).toEqual([
      { name: 'canary', state: 'Finished', nodes: 2, updated: 1 },
      { name: 'early', state: 'Updating', nodes: 3, updated: 1 },
      { name: 'late', state: 'Waiting', nodes: 1, updated: 0 },
    ]);
  });

  test('that is untested says which nodes, why, and how to go on', () => {
    const { hold } = turn({ groups: [ring('canary')], nodes: [['canary', 'failed']] });
    expect(hold?.message).toContain('n1 (');
    expect(hold?.message).toContain('kubectl annotate updatepolicy default --overwrite lockkeeper.dev/skip=');
  });
});

describe('a zone', () => {
  test.each<[string, Given, string | undefined]>([
    [
      'the first by name',
      {
        nodes: [
          ['', 'pending', 'b'],
          ['', 'pending', 'a'],
        ],
      },
      'a',
    ],
    [
      'the first with a node to come',
      {
        nodes: [
          ['', 'pending', 'b'],
          ['', 'updated', 'a'],
          ['', 'held', 'a'],
        ],
      },
      'b',
    ],
    [
      'stays while one is to come',
      {
        nodes: [
          ['', 'pending', 'b'],
          ['', 'pending', 'c'],
        ],
        known: { zone: 'b' },
      },
      'b',
    ],
    [
      'goes on',
      {
        nodes: [
          ['', 'updated', 'b'],
          ['', 'pending', 'c'],
        ],
        known: { zone: 'b' },
      },
      'c',
    ],
    [
      'is not gone back to for one that joins late',
      {
        nodes: [
          ['', 'pending', 'a'],
          ['', 'pending', 'b'],
        ],
        known: { zone: 'b' },
      },
      'b',
    ],
    [
      'stays where it ended',
      {
        nodes: [
          ['', 'pending', 'a'],
          ['', 'updated', 'b'],
        ],
        known: { zone: 'b' },
      },
      'b',
    ],
    [
      'nodes without one come first',
      {
        nodes: [
          ['', 'pending', 'a'],
          ['', 'pending'],
        ],
      },
      '',
    ],
    [
      'the leader’s own node holds up none',
      {
        nodes: [
          ['', 'pending', 'a'],
          ['', 'pending', 'b'],
        ],
        ownNode: 'n1',
      },
      'b',
    ],
    [
      'each group has its own',
      {
        groups: [ring('canary')],
        nodes: [
          ['canary', 'updated', 'b'],
          ['', 'pending', 'a'],
        ],
        known: { zone: 'b', groups: [{ name: 'canary', state: 'Updating' }] },
      },
      'a',
    ],
    ['nothing to come', { nodes: [['', 'updated', 'a']] }, undefined],
  ])('%s', (_, given, zone) => {
    expect(turn(given).zone).toBe(zone);
  });
});
