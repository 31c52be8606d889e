import { describe, expect, test } from '@jest/globals';
import type { AuditEntry } from '../../bed/audit.ts';
import { evictedPods, sentWithin, watchesOpenAt } from './sent-requests.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const senders = { namespaces: ['other'], agentPods: new Set(['agent-1']) };
let ids = 0;

const request = (
  verb: string,
  resource: string,
  seconds: number,
  more: { pod?: string; code?: number; user?: string; id?: string; stage?: AuditEntry['stage'] } = {},
): AuditEntry => {
  const {
    pod = 'controller-1',
    code = 200,
    user = 'system:serviceaccount:other:any',
    id = String(++ids),
    stage = 'ResponseComplete',
  } = more;
  const [name = '', subresource] = resource.split('/');
  const at = new Date(start + seconds * 1_000).toISOString();
  return {
    auditID: id,
    level: 'Metadata',
    stage,
    verb,
    requestURI: `/api/v1/${resource}?limit=500`,
    user: { username: user, extra: { 'authentication.kubernetes.io/pod-name': [pod] } },
    objectRef: { resource: name, namespace: 'work-1', name: 'x', ...(subresource !== undefined && { subresource }) },
    responseStatus: { code },
    requestReceivedTimestamp: at,
    stageTimestamp: at,
  };
};

const entries = [
  request('list', 'nodes', 1),
  request('watch', 'nodes', 2, { id: 'w1', stage: 'ResponseStarted' }),
  request('watch', 'nodes', 2, { id: 'w1' }),
  request('watch', 'pods', 2, { id: 'w2', stage: 'ResponseStarted' }),
  request('create', 'pods/eviction', 3, { code: 201 }),
  request('create', 'pods/eviction', 4, { code: 429 }),
  request('delete', 'pods', 5),
  request('patch', 'nodes/status', 5, { pod: 'agent-1' }),
  request('get', 'nodes', 5, { user: 'system:serviceaccount:others:any' }),
  request('get', 'nodes', 60),
];

describe('what a contender sends', () => {
  test('its own requests within the span, each once, by who sent them', () => {
    expect(sentWithin(entries, senders, start, start + 60_000)).toEqual({
      controllers: 6,
      agents: 1,
      lists: 1,
      watches: 2,
      evictions: 1,
      evictionsRefused: 1,
      podDeletions: 1,
      kinds: {
        'agents patch nodes/status': 1,
        'controllers create pods/eviction': 1,
        'controllers create pods/eviction (429)': 1,
        'controllers delete pods': 1,
        'controllers list nodes': 1,
        'controllers watch nodes': 1,
        'controllers watch pods': 1,
      },
    });
  });

  test('watches that have begun and not ended', () => {
    expect(watchesOpenAt(entries, senders, start + 60_000)).toBe(1);
    expect(watchesOpenAt(entries, senders, start + 2_000)).toBe(0);
  });

  test('pods whose eviction was granted, whoever asked', () => {
    expect([...evictedPods(entries)]).toEqual(['work-1/x']);
    expect(evictedPods(entries.filter(({ responseStatus }) => responseStatus?.code === 429)).size).toBe(0);
  });
});
