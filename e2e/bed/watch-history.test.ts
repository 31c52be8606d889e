import { describe, expect, test } from '@jest/globals';
import type { NodeObject } from './node-object.ts';
import { changes, inOrder, isCordoned, maxUnavailable, type Version } from './watch-history.ts';

let at = 0;
const node = (name: string, state: { cordoned?: boolean; ready?: boolean; gone?: boolean; boot?: string } = {}): Version<NodeObject> => ({
  type: state.gone ? 'DELETED' : 'MODIFIED',
  at: ++at,
  missed: false,
  object: {
    metadata: { name },
    spec: { unschedulable: state.cordoned ?? false },
    status: {
      conditions: [{ type: 'Ready', status: (state.ready ?? true) ? 'True' : 'False' }],
      nodeInfo: { bootID: state.boot ?? '1', osImage: '', systemUUID: '', architecture: '', kubeletVersion: '' },
    },
  },
});

describe('maxUnavailable', () => {
  test('counts a node once, cordoned and not ready alike', () => {
    const versions = [node('a'), node('b'), node('a', { cordoned: true }), node('a', { cordoned: true, ready: false }), node('a')];
    expect(maxUnavailable({ versions })).toMatchObject({ count: 1, names: ['a'] });
  });
  test('sees two that overlap for one version only', () => {
    const versions = [node('a', { cordoned: true }), node('b', { ready: false }), node('a'), node('b')];
    expect(maxUnavailable({ versions })).toMatchObject({ count: 2, names: ['a', 'b'], at: versions[1]?.at });
  });
  test('does not count a deleted node', () => {
    const versions = [node('a', { cordoned: true }), node('a', { cordoned: true, gone: true }), node('b', { cordoned: true })];
    expect(maxUnavailable({ versions }).count).toBe(1);
  });
});

test('the order in which something began, each time', () => {
  const cordoned = { cordoned: true };
  const versions = [node('b', cordoned), node('b', cordoned), node('b'), node('a', cordoned), node('a'), node('b', cordoned)];
  expect(inOrder(versions, isCordoned)).toEqual(['b', 'a', 'b']);
});

test('the values that one object went through', () => {
  const versions = [node('a'), node('b', { boot: '9' }), node('a'), node('a', { boot: '2' }), node('a', { boot: '2', gone: true })];
  expect(changes(versions, 'a', ({ status }) => status.nodeInfo.bootID)).toEqual(['1', '2']);
});
