import { MAX_NOTIFIED_A_DAY, type NotificationType, type Notified } from '../../api/notifications.ts';
import type { Decision, PolicyDecision } from '../command.ts';
import { type Instant, instant, type PolicyView, timestamp, type World } from '../world.ts';
import { type Notification, subjectOf, typeOf } from './notification.ts';
import { type NodeNews, sightingsOf } from './sightings.ts';

const HOUR_MS = 3_600_000;
/** What is older is not told any more: webhooks that are set up today do not hear of last week. */
const DAY_MS = 24 * HOUR_MS;
/** So many notifications of one type a policy makes an hour. */
const MAX_AN_HOUR = 10;

/** So long after trouble was told of, the same trouble anew is not, in milliseconds. */
const QUIET_MS: Readonly<Record<NotificationType, number>> = {
  RolloutHalted: 0,
  NodeFailed: HOUR_MS,
  NodeBlocked: DAY_MS,
  WindowOpening: 0,
  // However many nodes join it later.
  RolloutDone: Number.POSITIVE_INFINITY,
};

/** A webhook and what it wants to hear of. */
export interface Audience {
  name: string;
  types: ReadonlySet<NotificationType>;
}

/** A webhook is done with a notification: told, or given up. */
export interface Settled {
  policyUID: string;
  id: string;
  webhook: string;
  at: Instant;
}

/** Something to be told to one webhook. */
export interface Due {
  webhook: string;
  notification: Notification;
}

/** What is to be told now. */
export interface Notices {
  /** The decision, with what webhooks are done with in its policies' statuses, and the time at which there may be more to tell. */
  decision: Decision;
  due: readonly Due[];
  /** Of what was handed in as settled: what no persisted status says yet. */
  unwritten: readonly Settled[];
}

/**
 * What webhooks are to be told now, by what is persisted and still so: whoever leads, and whenever it began, comes to the same. What
 * they are done with is remembered in their policy's status, so nothing is told twice but what nobody could write down in time.
 */
export function notify(
  world: World,
  decision: Decision,
  settled: readonly Settled[],
  { audience, windowNoticeMs }: { audience: readonly Audience[]; windowNoticeMs: number },
  now: Instant,
): Notices {
  const views = new Map(world.policies.map((policy) => [policy.name, policy]));
  const nodes = nodesByPolicy(world, decision);
  const due: Due[] = [];
  let wakeAt = decision.wakeAt ?? Number.POSITIVE_INFINITY;
  const policies = decision.policies.map((decided): PolicyDecision => {
    const policy = views.get(decided.policy);
    if (policy === undefined) return decided;
    const memory = remember(policy, settled, now);
    const told = tellable(
      memory,
      sightingsOf({ policy, status: decided.status, nodes: nodes.get(policy.name) ?? [] }, windowNoticeMs, now),
      audience,
      now,
    );
    due.push(...told.due);
    wakeAt = Math.min(wakeAt, told.wakeAt);
    return memory.length === 0 ? decided : { ...decided, status: { ...decided.status, notified: memory } };
  });
  const unwritten = settled.filter((one) => {
    const policy = world.policies.find(({ uid }) => uid === one.policyUID);
    return policy !== undefined && !isIn(policy.status.notified ?? [], one) && !isForgotten(policy, one.id, one.at, now);
  });
  return { decision: { ...decision, policies, ...(Number.isFinite(wakeAt) && { wakeAt }) }, due, unwritten };
}

function nodesByPolicy(world: World, decision: Decision): ReadonlyMap<string, readonly NodeNews[]> {
  const views = new Map(world.nodes.map((node) => [node.name, node]));
  const news = decision.nodes.flatMap(({ node: name, status }): NodeNews[] => {
    const node = views.get(name);
    return node === undefined || status.policy === undefined ? [] : [{ node, status }];
  });
  return Map.groupBy(news, ({ status }) => status.policy ?? '');
}

/** What the policy's webhooks are done with, as it is to be written: without what needs no memory any more. */
function remember(policy: PolicyView, settled: readonly Settled[], now: Instant): Notified[] {
  const kept = (policy.status.notified ?? []).filter(({ id, at }) => !isForgotten(policy, id, instant(at), now));
  for (const one of settled) {
    if (one.policyUID !== policy.uid || isIn(kept, one) || isForgotten(policy, one.id, one.at, now)) continue;
    const index = kept.findIndex(({ id }) => id === one.id);
    const before = kept[index];
    if (before === undefined) kept.push({ id: one.id, at: timestamp(one.at), webhooks: [one.webhook] });
    else kept[index] = { ...before, webhooks: [...before.webhooks, one.webhook].slice(-MAX_REMEMBERED_WEBHOOKS) };
  }
  return kept.slice(-MAX_REMEMBERED);
}

const MAX_REMEMBERED = 6 * MAX_NOTIFIED_A_DAY;
const MAX_REMEMBERED_WEBHOOKS = 16;

const isIn = (notified: readonly Notified[], { id, webhook }: Pick<Settled, 'id' | 'webhook'>): boolean =>
  notified.some((one) => one.id === id && one.webhooks.includes(webhook));

/** Whether nothing can come of forgetting it: nothing so old is told, and of a rollout that is gone nothing at all. */
function isForgotten({ status }: PolicyView, id: string, at: Instant, now: Instant): boolean {
  if (typeOf(id) === 'RolloutDone' && status.rollouts?.some((rollout) => subjectOf(id).endsWith(`/${rollout.id}`))) return false;
  return !(now - at < DAY_MS);
}

/** Of what is seen, what each webhook has not heard yet and is to hear now; the rest waits for its time. */
function tellable(memory: readonly Notified[], sightings: readonly Notification[], audience: readonly Audience[], now: Instant) {
  const due: Due[] = [];
  let wakeAt = Number.POSITIVE_INFINITY;
  const rooms = new Map<NotificationType, { left: number; nextAt: Instant }>();
  // The oldest first, so that what is under way stays under way.
  for (const notification of sightings.toSorted((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))) {
    const { id, type, at } = notification;
    const wanting = audience.filter(({ name, types }) => types.has(type) && !isIn(memory, { id, webhook: name }));
    if (wanting.length === 0 || !(now - at <= DAY_MS)) continue;
    if (at > now) {
      wakeAt = Math.min(wakeAt, at);
      continue;
    }
    const quiet = wanting.map(({ name }) => ({ name, until: quietUntil(memory, notification, name) }));
    for (const { until } of quiet) if (until > now) wakeAt = Math.min(wakeAt, until);
    const ready = quiet.filter(({ until }) => until <= now);
    if (ready.length === 0) continue;
    // One that another webhook has heard of is no further one.
    if (!memory.some((known) => known.id === id)) {
      const room = rooms.get(type) ?? roomFor(memory, type, now);
      rooms.set(type, room);
      if (room.left === 0) {
        wakeAt = Math.min(wakeAt, room.nextAt);
        continue;
      }
      room.left -= 1;
    }
    due.push(...ready.map(({ name }) => ({ webhook: name, notification })));
  }
  return { due, wakeAt };
}

/** Until when a webhook is not told the same trouble again. */
function quietUntil(memory: readonly Notified[], { id, type }: Notification, webhook: string): Instant {
  const subject = subjectOf(id);
  const before = memory.filter((known) => known.id !== id && subjectOf(known.id) === subject && known.webhooks.includes(webhook));
  return Math.max(Number.NEGATIVE_INFINITY, ...before.map(({ at }) => instant(at) + QUIET_MS[type]));
}

/** How many more notifications of a type a policy may make now, and when there is room where there is none. */
function roomFor(memory: readonly Notified[], type: NotificationType, now: Instant): { left: number; nextAt: Instant } {
  const times = memory.filter(({ id }) => typeOf(id) === type).map(({ at }) => instant(at));
  const ofDay = times.filter((at) => now - at < DAY_MS);
  const ofHour = ofDay.filter((at) => now - at < HOUR_MS);
  const left = Math.max(0, Math.min(MAX_AN_HOUR - ofHour.length, MAX_NOTIFIED_A_DAY - ofDay.length));
  const nextAt = ofHour.length >= MAX_AN_HOUR ? Math.min(...ofHour) + HOUR_MS : Math.min(...ofDay) + DAY_MS;
  return { left, nextAt };
}
