import { expect, test } from '@jest/globals';
import type { NodeRow } from '../wire.ts';
import { census, type Filter, isFiltering, matcher, NO_FILTER } from './filter.ts';

const nodes: NodeRow[] = [
  { name: 'node-1', zone: 'a', phase: 'Idle', reason: 'UpToDate', version: '1.26.1' },
  { name: 'node-2', zone: 'b', phase: 'Staged', reason: 'OutsideWindow', message: 'waits for Tuesday' },
  { name: 'node-3', zone: 'b', phase: 'Idle', reason: 'Paused' },
  { name: 'node-4' },
];

test.each<[Partial<Filter>, string[]]>([
  [{}, ['node-1', 'node-2', 'node-3', 'node-4']],
  [{ looks: new Set(['UpToDate', 'Unmanaged']) }, ['node-1', 'node-4']],
  [{ looks: new Set(['Idle']) }, ['node-3']],
  [{ reason: 'Paused' }, ['node-3']],
  [{ text: '  TUESDAY b ' }, ['node-2']],
  [{ text: '1.26.1' }, ['node-1']],
  [{ text: 'nothing has this' }, []],
  [{ looks: new Set(['Staged']), reason: 'Paused' }, []],
])('%j', (filter, names) => {
  expect(nodes.filter(matcher({ ...NO_FILTER, ...filter })).map(({ name }) => name)).toEqual(names);
});

test('words of spaces filter nothing', () => {
  expect(isFiltering(NO_FILTER)).toBe(false);
  expect(isFiltering({ ...NO_FILTER, text: ' ' })).toBe(false);
  expect(isFiltering({ ...NO_FILTER, reason: 'Paused' })).toBe(true);
});

test('a census of states and reasons', () => {
  expect(census([...nodes, { name: 'node-5', phase: 'Staged', reason: 'Paused' }])).toEqual({
    looks: new Map([
      ['UpToDate', 1],
      ['Staged', 2],
      ['Idle', 1],
      ['Unmanaged', 1],
    ]),
    reasons: [
      ['Paused', 2],
      ['OutsideWindow', 1],
      ['UpToDate', 1],
    ],
  });
});
