import { describe, expect, test } from '@jest/globals';
import type { AuditEntry, AuditLog, AuditMark, AuditQuery } from '../bed/audit.ts';
import { matches } from '../bed/audit.ts';
import { describeRequest, productRequests, tally } from './requests.ts';

const from = Date.parse('2026-01-01T00:00:00Z');
const mark = 0 as AuditMark;

const anEntry = (auditID: string, change: Partial<AuditEntry> = {}): AuditEntry => ({
  auditID,
  level: 'Metadata',
  stage: 'ResponseComplete',
  verb: 'patch',
  requestURI: '/',
  user: { username: 'system:serviceaccount:lockkeeper:lockkeeper-controller' },
  userAgent: 'lockkeeper-controller/0.1.0',
  objectRef: { resource: 'nodes', name: 'node-1' },
  responseStatus: { code: 200 },
  requestReceivedTimestamp: '2026-01-01T00:00:01.000000Z',
  stageTimestamp: '2026-01-01T00:00:01.500000Z',
  ...change,
});

function logOf(...entries: AuditEntry[]): AuditLog {
  return {
    mark: async () => mark,
    since: async () => entries,
    find: async (what: AuditQuery) => entries.filter((entry) => matches(entry, what)),
  };
}

describe('requests of the product', () => {
  test('are those of its user agents, and of nobody else', async () => {
    const log = logOf(
      anEntry('1'),
      anEntry('2', { userAgent: 'lockkeeper-agent/0.1.0', objectRef: { resource: 'nodehosts', subresource: 'status' } }),
      anEntry('3', { userAgent: 'kube-controller-manager/v1.36.3' }),
      anEntry('4', { userAgent: 'lockkeeper-tests/1' }),
    );
    const requests = await productRequests(log, mark, from);
    expect(requests.map(describeRequest)).toEqual(['controller patch nodes', 'agent patch nodehosts/status']);
  });

  test('count once, a watch too, and one that had begun before does not count when it ends', async () => {
    const watch = { verb: 'watch', stage: 'ResponseStarted' } as const;
    const log = logOf(
      anEntry('old', { ...watch, stage: 'ResponseComplete', requestReceivedTimestamp: '2025-12-31T23:00:00.000000Z' }),
      anEntry('new', watch),
      anEntry('new', { ...watch, stage: 'ResponseComplete' }),
    );
    expect(await productRequests(log, mark, from)).toHaveLength(1);
  });

  test('are told apart: leases, Events and evictions', async () => {
    const log = logOf(
      anEntry('1', { objectRef: { resource: 'leases' } }),
      anEntry('2', { verb: 'create', objectRef: { resource: 'events' } }),
      anEntry('3', { verb: 'create', objectRef: { resource: 'pods', subresource: 'eviction' } }),
      anEntry('4', { verb: 'list', objectRef: { resource: 'pods' } }),
    );
    expect((await productRequests(log, mark, from)).map(({ kind }) => kind)).toEqual(['lease', 'event', 'eviction', 'other']);
  });

  test('that were refused say so', async () => {
    const requests = await productRequests(logOf(anEntry('1', { responseStatus: { code: 409 } }), anEntry('2')), mark, from);
    expect(tally(requests, describeRequest)).toEqual([
      ['controller patch nodes', 1],
      ['controller patch nodes (409)', 1],
    ]);
  });
});
