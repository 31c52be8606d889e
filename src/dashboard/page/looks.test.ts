import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { PHASES } from '../../api/node-update.ts';
import { LOOKS, lookOf } from './looks.ts';

test('every phase has a look of its own, no two have the same sign, and the page of the docs says what each means', () => {
  expect(LOOKS.map(({ key }) => key).sort()).toEqual([...PHASES, 'UpToDate', 'Unmanaged'].sort());
  expect(new Set(LOOKS.map(({ sign }) => sign)).size).toBe(LOOKS.length);
  const docs = readFileSync(new URL('../../../docs/dashboard.md', import.meta.url), 'utf8');
  const rows = [...docs.matchAll(/^\| ([A-Z][\w ]+) \| [^|]+ \| ([^|]+\.) \|$/gm)].map(([, label, means]) => [label, means]);
  expect(rows).toEqual(LOOKS.map(({ label, means }) => [label, means]));
});

test.each([
  [{ phase: 'Idle', reason: 'UpToDate' }, 'UpToDate'],
  [{ phase: 'Idle', reason: 'ReleaseTooYoung' }, 'UpToDate'],
  [{ phase: 'Idle', reason: 'Paused' }, 'Idle'],
  [{ phase: 'Draining', reason: 'DrainHeld' }, 'Draining'],
  [{}, 'Unmanaged'],
] as const)('%j looks like %s', (node, key) => {
  expect(lookOf(node).key).toBe(key);
});
