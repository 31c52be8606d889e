import { expect, test } from '@jest/globals';
import { natural, type Placed, sectionsOf } from './grouping.ts';

const nodes: Placed[] = [
  { name: 'node-1', zone: 'a', group: 'canary', policy: 'db', version: '1.9.0' },
  { name: 'node-2' },
  { name: 'node-9', zone: 'b', group: 'canary', policy: 'web', version: '1.26.1' },
  { name: 'node-10', zone: 'b', group: 'rest', policy: 'web', version: '1.26.0' },
];
const names = (by: Parameters<typeof sectionsOf>[1], order?: string[]) =>
  sectionsOf(nodes, by, order).map(({ title, nodes: list }) => [title, ...list.map(({ name }) => name)].join(' '));

test('by zone, those without one last', () => {
  expect(names('zone')).toEqual(['a node-1', 'b node-9 node-10', 'no zone node-2']);
});

test('by group, in the order of the rollout where it is known', () => {
  expect(names('group')).toEqual(['canary node-1 node-9', 'rest node-10', 'no group node-2']);
  expect(names('group', ['rest', 'canary'])).toEqual(['rest node-10', 'canary node-1 node-9', 'no group node-2']);
});

test('by policy, and by version as numbers', () => {
  expect(names('policy')).toEqual(['db node-1', 'web node-9 node-10', 'no policy node-2']);
  expect(names('version')).toEqual(['1.9.0 node-1', '1.26.0 node-10', '1.26.1 node-9', 'version unknown node-2']);
});

test('no nodes, no sections', () => {
  expect(sectionsOf([], 'zone')).toEqual([]);
});

test('names in the order of their numbers', () => {
  expect(['node-10', 'node-9', 'node-1'].sort(natural)).toEqual(['node-1', 'node-9', 'node-10']);
});
