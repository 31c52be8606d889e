import { expect, test } from '@jest/globals';
import { aPolicy } from '../../core/testing/builders.ts';
import type { Fleet } from '../fleet.ts';
import { wordOf } from './change.ts';
import { targetsOf } from './targets.ts';

const node = (name: string, policy?: string) => ({ name, annotations: {}, status: policy === undefined ? {} : { policy } });
const one: Fleet = { policies: [aPolicy({ name: 'default' })], nodes: [node('a', 'default'), node('b')], unreadable: [] };
const two: Fleet = {
  policies: [aPolicy({ name: 'web' }), aPolicy({ name: 'a' })],
  nodes: [node('a', 'web'), node('c', 'web')],
  unreadable: [],
};

test.each<[Fleet, string[], boolean, string[]]>([
  [one, [], false, ['policy default']],
  [one, [], true, ['policy default']],
  [one, ['default', 'default'], false, ['policy default']],
  [one, ['a'], false, ['node a']],
  [two, [], true, ['policy web', 'policy a']],
  [two, ['c', 'web'], false, ['node c', 'policy web']],
  [two, ['node/a', 'policy/a', 'UpdatePolicy/web'], false, ['node a', 'policy a', 'policy web']],
])('%#', (fleet, names, all, meant) => {
  expect(targetsOf(fleet, { names, all }).map((target) => `${target.kind} ${wordOf(target)}`)).toEqual(meant);
});

test.each<[Fleet, string[], RegExp]>([
  [{ policies: [], nodes: [], unreadable: [] }, [], /there is no UpdatePolicy in this cluster: apply one/],
  [two, [], /several UpdatePolicies: name one or more of web, a$/],
  [two, ['a'], /is an UpdatePolicy and a node: write policy\/a or node\/a/],
  [one, ['b'], /no UpdatePolicy selects node b.*nodeSelector/],
  [one, ['c'], /no UpdatePolicy and no node named c .*kubectl lockkeeper status/],
  [one, ['node/default'], /knows no node named default/],
  [one, ['policy/a'], /no UpdatePolicy named a/],
])('refuses %#', (fleet, names, words) => {
  expect(() => targetsOf(fleet, { names })).toThrow(words);
});
