import { beforeEach, expect, test } from '@jest/globals';
import { CredentialsError } from '../../kube/credentials.ts';
import { ApiError, ApiProtocolError, ApiUnreachableError } from '../../kube/errors.ts';
import { FakeClock } from '../../kube/testing/fake-clock.ts';
import { type ConnectionState, connectionState, type WatchState } from './connection-state.ts';

let clock: FakeClock;
let changes: number;
let state: ConnectionState;
let policies: WatchState;
let nodes: WatchState;
let nodesSynced: boolean;
beforeEach(() => {
  clock = new FakeClock(0);
  changes = 0;
  nodesSynced = false;
  state = connectionState(clock, () => {
    changes += 1;
  });
  policies = state.watch({ resource: 'updatepolicies.lockkeeper.dev', hides: 'policies', ours: true }, () => true);
  nodes = state.watch({ resource: 'nodes', hides: 'zones', ours: false }, () => nodesSynced);
});
const fail = (watch: WatchState, error: Error): void => watch.logger.warn({ error }, 'cannot list or watch');

test('is live once every watch is open, and says since when', () => {
  expect(state.current()).toEqual({ state: 'connecting', since: 0 });
  policies.connected();
  expect(state.current()).toMatchObject({ state: 'connecting' });
  clock.advance(5);
  nodes.connected();
  expect(state.current()).toEqual({ state: 'live', since: 5 });
  expect(changes).toBe(2);
});

test('a right that is missing holds nothing else up, and goes once it is given', () => {
  policies.connected();
  fail(nodes, new ApiError(403, 'no'));
  expect(state.current()).toMatchObject({ state: 'live' });
  expect(state.missing()).toEqual([{ verb: 'list', resource: 'nodes', hides: 'zones' }]);
  nodesSynced = true;
  expect(state.missing()).toMatchObject([{ verb: 'watch' }]);
  nodes.connected();
  expect(state.missing()).toEqual([]);
});

test.each([
  ['the server is gone', new ApiUnreachableError('gone'), 'broken', /cannot reach the API server/],
  ['the server is broken', new ApiError(500, '500 oh'), 'broken', /500 oh/],
  ['its answers cannot be read', new ApiProtocolError('no list'), 'broken', /no list/],
  ['nobody knows the user any more', new ApiError(401, 'who'), 'unauthorized', /log in again/],
  ['the plug-in gives no credentials', new CredentialsError('plug-in', { retryable: true }), 'unauthorized', /plug-in/],
  ['the cluster has no Lockkeeper', new ApiError(404, 'what'), 'notInstalled', /install the chart first/],
])('%s', (_, error, word, message) => {
  policies.connected();
  nodes.connected();
  expect(state.current()).toMatchObject({ state: 'live' });
  clock.advance(7);
  fail(policies, error);
  expect(state.current()).toEqual({ state: word, since: 7, message: expect.stringMatching(message) });
  clock.advance(7);
  fail(policies, error);
  expect(state.current()).toMatchObject({ since: 7 });
  policies.connected();
  expect(state.current()).toEqual({ state: 'live', since: 14 });
});

test('an object that cannot be read, and a watch that was silent, say nothing of the connection', () => {
  policies.connected();
  nodes.connected();
  nodes.logger.error({ error: new TypeError('what is this') }, 'cannot project an object');
  nodes.logger.warn({}, 'a watch has been silent for too long: connecting again');
  expect(state.current()).toMatchObject({ state: 'live' });
});
