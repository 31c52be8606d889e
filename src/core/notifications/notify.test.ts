import { describe, expect, test } from '@jest/globals';
import { NOTIFICATION_TYPES, type NotificationType, type Notified, notifiedListSchema } from '../../api/notifications.ts';
import type { UpdatePolicyStatus } from '../../api/update-policy.ts';
import type { Decision } from '../command.ts';
import { ago, aNode, anUpdate, aPolicy, aRollout, aWorld, HOUR, MINUTE, NEW, NOW } from '../testing/builders.ts';
import { type Instant, type NodeView, timestamp, type World } from '../world.ts';
import { type Audience, notify, type Settled } from './notify.ts';

const DAY = 24 * HOUR;
const everybody = (name: string, ...types: NotificationType[]): Audience => ({
  name,
  types: new Set(types.length > 0 ? types : NOTIFICATION_TYPES),
});

const failed = (name: string, since: string): NodeView =>
  aNode(name, { update: anUpdate({ policy: 'default', phase: 'Failed', reason: 'RebootTimeout', since }) });
const idOfFailed = (name: string, since: string): string => `NodeFailed/uid-${name}/RebootTimeout@${since}`;

/** A world of one policy, and a decision that says what is persisted, as one without webhooks would be. */
function told(nodes: readonly NodeView[], status: UpdatePolicyStatus = {}): { world: World; decision: Decision } {
  const { notified: _, ...decided } = status;
  return {
    world: aWorld({ policies: [aPolicy({ status })], nodes }),
    decision: {
      policies: [{ policy: 'default', status: decided }],
      nodes: nodes.map(({ name, update }) => ({ node: name, status: update?.status ?? {}, commands: [] })),
      drains: [],
      lookAt: [],
      jobs: [],
      checks: [],
      handOver: false,
    },
  };
}

function tell(
  nodes: readonly NodeView[],
  status: UpdatePolicyStatus = {},
  more: { settled?: Settled[]; audience?: Audience[]; now?: Instant } = {},
) {
  const { settled = [], audience = [everybody('ops')], now = NOW } = more;
  const { world, decision } = told(nodes, status);
  const { due, unwritten, decision: reviewed } = notify(world, decision, settled, { audience, windowNoticeMs: HOUR }, now);
  return {
    due: due.map(({ webhook, notification }) => `${webhook} ${notification.id}`),
    notified: reviewed.policies[0]?.status.notified,
    unwritten,
    wakeAt: reviewed.wakeAt,
  };
}

const since = ago(MINUTE);
const id = idOfFailed('a', since);
const settledBy = (webhook: string, change: Partial<Settled> = {}): Settled => ({
  policyUID: 'uid-default',
  id,
  webhook,
  at: NOW,
  ...change,
});
const remembered = (change: Partial<Notified> = {}): Notified => ({ id, at: ago(0), webhooks: ['ops'], ...change });

describe('what is so', () => {
  test('is told to each webhook that wants it, again and again until it is done with', () => {
    const audience = [everybody('ops'), everybody('chat', 'NodeFailed'), everybody('other', 'RolloutDone')];
    expect(tell([failed('a', since)], {}, { audience })).toEqual({
      due: [`ops ${id}`, `chat ${id}`],
      notified: undefined,
      unwritten: [],
      wakeAt: undefined,
    });
  });

  test('is not told to whom it was told, which is to be written down', () => {
    const settled = [settledBy('ops')];
    const audience = [everybody('ops'), everybody('chat')];
    expect(tell([failed('a', since)], {}, { settled, audience })).toMatchObject({
      due: [`chat ${id}`],
      notified: [remembered()],
      unwritten: settled,
    });
  });

  test('is not told to whom another controller told it', () => {
    const notified = [remembered()];
    const audience = [everybody('ops'), everybody('chat')];
    expect(tell([failed('a', since)], { notified }, { audience })).toMatchObject({ due: [`chat ${id}`], notified });
    expect(tell([failed('a', since)], { notified }, { audience, settled: [settledBy('chat'), settledBy('ops')] })).toMatchObject({
      due: [],
      notified: [remembered({ webhooks: ['ops', 'chat'] })],
      unwritten: [settledBy('chat')],
    });
  });

  test('is not told when it is a day old', () => {
    const early = ago(DAY + 1);
    expect(tell([failed('a', early), failed('b', ago(DAY))]).due).toEqual([`ops ${idOfFailed('b', ago(DAY))}`]);
  });

  test('is told when its time comes', () => {
    const blocked = aNode('a', { update: anUpdate({ policy: 'default', phase: 'Blocked', reason: 'CannotEvict', target: NEW, since }) });
    expect(tell([blocked])).toMatchObject({ due: [], wakeAt: NOW + 14 * MINUTE });
    expect(tell([blocked], {}, { now: NOW + 14 * MINUTE }).due).toHaveLength(1);
    expect(tell([blocked], {}, { audience: [everybody('ops', 'NodeFailed')] }).wakeAt).toBeUndefined();
  });
});

describe('the same trouble again', () => {
  const before = [remembered({ id: idOfFailed('a', ago(31 * MINUTE)), at: ago(30 * MINUTE) })];

  test('is told when an hour is over', () => {
    expect(tell([failed('a', since)], { notified: before })).toMatchObject({ due: [], wakeAt: NOW + 30 * MINUTE });
    expect(tell([failed('a', since)], { notified: before }, { now: NOW + 30 * MINUTE }).due).toEqual([`ops ${id}`]);
  });

  test('is told at once to whom it was not told then', () => {
    expect(tell([failed('a', since)], { notified: before }, { audience: [everybody('chat')] }).due).toEqual([`chat ${id}`]);
  });

  test('is told once a day of a node that is blocked', () => {
    const status = { policy: 'default', phase: 'Blocked', reason: 'DrainTimeout', target: NEW, since } as const;
    const blocked = (target: string) => aNode('a', { update: anUpdate({ ...status, target }) });
    const notified = [remembered({ id: `NodeBlocked/uid-a/${NEW}/DrainTimeout@${ago(HOUR)}`, at: ago(HOUR) })];
    expect(tell([blocked(NEW)], { notified })).toMatchObject({ due: [], wakeAt: NOW + 23 * HOUR });
    expect(tell([blocked('1.27.0')], { notified }).due).toHaveLength(1);
  });
});

describe('the memory', () => {
  test('lets go of what is a day old, but not of a rollout that is still known', () => {
    const done = remembered({ id: `RolloutDone/uid-default/rollout-1@${ago(3 * DAY)}`, at: ago(2 * DAY) });
    const notified = [remembered({ at: ago(DAY) }), done];
    expect(tell([], { notified, rollouts: [aRollout()] }).notified).toEqual([done]);
    expect(tell([], { notified, rollouts: [] }).notified).toBeUndefined();
  });

  test('is gone where nobody is told anything', () => {
    expect(told([], { notified: [remembered()] }).decision.policies[0]?.status).not.toHaveProperty('notified');
  });

  test('forgets what belongs to a policy that is gone, and what cannot be read', () => {
    expect(tell([], {}, { settled: [settledBy('ops', { policyUID: 'gone' })] })).toMatchObject({ unwritten: [], notified: undefined });
    expect(tell([], { notified: [remembered({ at: 'never' })] }).notified).toBeUndefined();
  });

  test('fits its schema, whatever is handed in', () => {
    const settled = Array.from({ length: 1_000 }, (_, index) => settledBy(`w${index % 40}`, { id: idOfFailed(`n${index % 500}`, since) }));
    const { notified } = tell([], {}, { settled });
    expect(notifiedListSchema().safeParse(notified).success).toBe(true);
  });
});

test('a policy says ten things of a kind an hour, the oldest first, and none is lost', () => {
  const nodes = Array.from({ length: 12 }, (_, index) => failed(`n${index}`, ago((20 - index) * MINUTE)));
  const halted = { type: 'Halted', status: 'True', reason: 'FailureBudgetReached', message: 'halted', lastTransitionTime: since } as const;
  const first = tell(nodes, { conditions: [halted] });
  expect(first.due).toHaveLength(11);
  expect(first.due).toContain(`ops RolloutHalted/uid-default@${since}`);
  expect(first.due).not.toContain(`ops ${idOfFailed('n10', ago(10 * MINUTE))}`);
  const settled = first.due.map((one) => settledBy('ops', { id: one.slice('ops '.length) }));
  const { notified = [] } = tell(nodes, { conditions: [halted] }, { settled });
  expect(tell(nodes, { conditions: [halted], notified })).toMatchObject({ due: [], wakeAt: NOW + HOUR });
  expect(tell(nodes, { conditions: [halted], notified }, { now: NOW + HOUR }).due).toEqual(
    ['n10', 'n11'].map((name, index) => `ops ${idOfFailed(name, ago((10 - index) * MINUTE))}`),
  );
});

test('a policy says 64 things of a kind a day', () => {
  const notified = Array.from({ length: 64 }, (_, index) =>
    remembered({ id: idOfFailed(`n${index}`, since), at: timestamp(NOW - 20 * HOUR) }),
  );
  expect(tell([failed('a', since)], { notified })).toMatchObject({ due: [], wakeAt: NOW + 4 * HOUR });
});
