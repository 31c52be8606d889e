import { expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import { ago, aHost, aNode, anUpdate, aPolicy, aWorld, HOUR, NEW, NOW, OLD } from '../../core/testing/builders.ts';
import { RefusedError } from '../errors.ts';
import { nodeWhy, renderWhy } from './why.ts';

const host = aHost({
  version: OLD,
  bootID: 'boot-1',
  available: [NEW, OLD],
  staged: { version: NEW, provenAt: ago(HOUR), lastCommandAt: ago(HOUR) },
});
const update = anUpdate({ phase: 'Staged', policy: 'default', from: OLD, target: NEW, since: ago(HOUR) });
const { os: _, ...other } = aNode('debian');
const world = aWorld({
  policies: [aPolicy({ spec: { approval: 'Manual', paused: true } })],
  nodes: [aNode('a', { host, update }), aNode('b', { host }), other],
});

test('names the reason first, then each rule, and what would change those that hold', () => {
  const why = nodeWhy(world, 'a', NOW);
  expect(why).toMatchObject({ phase: 'Staged', reason: 'Paused', version: NEW, change: 'kubectl lockkeeper resume a, or default' });
  const text = renderWhy(why, picocolors.createColors(false)).split('\n');
  expect(text.slice(0, 4)).toEqual([
    'node a (Staged, UpdatePolicy default): Paused: policy default is paused',
    '  what changes that: kubectl lockkeeper resume a, or default',
    '',
    'Its rules, in their order, for 1.26.1:',
  ]);
  expect(text).toContain('  holds   paused             Paused: policy default is paused  <- the reason');
  expect(text).toContain('                             what changes that: kubectl lockkeeper approve 1.26.1 default');
  expect(text).toContain('  passes  window             a window is open');
});

test('without a policy, that is why', () => {
  const why = nodeWhy({ ...world, policies: [] }, 'b', NOW);
  expect(why).toMatchObject({ reason: 'NoPolicy', rules: [] });
  expect(renderWhy(why, picocolors.createColors(false))).toMatch(/in no policy\): NoPolicy: .*\n {2}what changes that: an UpdatePolicy/);
});

test.each(['nobody', 'debian'])('%s is none of ours', (name) => {
  expect(() => nodeWhy(world, name, NOW)).toThrow(RefusedError);
});
