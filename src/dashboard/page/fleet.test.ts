import { expect, test } from '@jest/globals';
import type { Changes, NodeRow, Snapshot } from '../wire.ts';
import { applied, type Fleet, GapError } from './fleet.ts';

const snapshot = (nodes: readonly NodeRow[]): Snapshot => ({
  type: 'snapshot',
  seq: 7,
  at: 1_000,
  version: '0.1.0',
  cluster: { context: 'c', name: 'c', server: 'https://api' },
  connection: { state: 'live', since: 900 },
  access: { missing: [], forbidden: [] },
  policies: [],
  nodes,
});
const changes = (more: Partial<Changes>): Changes => ({ type: 'changes', seq: 8, at: 1_100, ...more });
const begun: Fleet = applied(undefined, snapshot([{ name: 'node-10' }, { name: 'node-9', phase: 'Staged' }]));

test('a snapshot is all there is, whatever was before', () => {
  expect(begun).toMatchObject({ seq: 7, at: 1_000, names: ['node-9', 'node-10'] });
  expect(applied(begun, snapshot([])).nodes.size).toBe(0);
});

test.each<[string, Partial<Changes>, readonly string[], Partial<Record<string, string>>]>([
  ['nothing', {}, ['node-9', 'node-10'], { 'node-9': 'Staged' }],
  ['another phase', { nodes: [{ name: 'node-9', phase: 'Draining' }] }, ['node-9', 'node-10'], { 'node-9': 'Draining' }],
  ['a new node', { nodes: [{ name: 'node-1', phase: 'Idle' }] }, ['node-1', 'node-9', 'node-10'], { 'node-1': 'Idle' }],
  ['a node that is gone', { goneNodes: ['node-9'] }, ['node-10'], {}],
  ['one gone, one new', { goneNodes: ['node-9'], nodes: [{ name: 'node-2' }] }, ['node-2', 'node-10'], {}],
  [
    'one gone and come back',
    { goneNodes: ['node-9'], nodes: [{ name: 'node-9', phase: 'Idle' }] },
    ['node-9', 'node-10'],
    { 'node-9': 'Idle' },
  ],
])('changes: %s', (_, more, names, phases) => {
  const after = applied(begun, changes(more));
  expect(after).toMatchObject({ seq: 8, at: 1_100, names });
  for (const [name, phase] of Object.entries(phases)) expect(after.nodes.get(name)?.phase).toBe(phase);
  expect(begun.names).toEqual(['node-9', 'node-10']);
  expect(begun.nodes.get('node-9')?.phase).toBe('Staged');
});

test('what has not changed stays the very same, so that nothing is drawn anew for it', () => {
  const after = applied(begun, changes({ policies: [], nodes: [{ name: 'node-9' }] }));
  expect(after.policies).toBe(begun.policies);
  expect(after.names).toBe(begun.names);
  expect(after.nodes.get('node-10')).toBe(begun.nodes.get('node-10'));
});

test('connection and access are told of by the way', () => {
  const connection = { state: 'broken', since: 1_050, message: 'no route' } as const;
  expect(applied(begun, changes({ connection })).connection).toBe(connection);
});

test('a missing event is found', () => {
  expect(() => applied(begun, changes({ seq: 9 }))).toThrow(GapError);
  expect(() => applied(begun, changes({ seq: 7 }))).toThrow(GapError);
  expect(() => applied(undefined, changes({}))).toThrow(GapError);
});
