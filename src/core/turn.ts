import { BY_HAND } from '../api/names.ts';
import { durationMs } from '../api/primitives.ts';
import type { GroupState, Rollout } from '../api/update-policy.ts';
import { tokenCommand } from './by-hand.ts';
import type { Verdict } from './command.ts';
import type { Facts, Member } from './facts.ts';
import { isOf } from './releases.ts';
import { type Instant, instant, timestamp, toSecond } from './world.ts';

/** Where a node stands in its rollout: done, failed, still to come by itself, or held by something of its own. */
export type Standing = 'updated' | 'failed' | 'pending' | 'held';

type GroupProgress = NonNullable<Rollout['groups']>[number];

/** So long must a group's nodes be held before it is called untested: an agent that starts, or starts again, reports by then. */
const UNTESTED_AFTER_MS = 60_000;

/** How far a rollout has come through its policy's groups and zones. */
export interface Turn {
  /** The rollout, with that written down. */
  rollout: Rollout;
  /** Index of the group whose turn it is; as many as there are groups where it is everybody else's. */
  group: number;
  /** Holds the nodes of later groups. */
  hold?: Verdict;
  /** The zone whose turn it is within that group; absent where nothing is to come. */
  zone?: string;
}

/** Whose turn it is in each of a policy's rollouts. A `skip` is meant for the groups that nobody could test; where there is none, for those whose turn it is. */
export function turnsOf(facts: Facts, standings: ReadonlyMap<string, Standing>, now: Instant): Turn[] {
  const untested = facts.rollouts.some(isUntested);
  return facts.rollouts.map((rollout) => {
    const skipped = facts.skipped && (!untested || isUntested(rollout));
    return turnOf(facts, rollout, standings, skipped, now);
  });
}

/**
 * Whose turn it is in a rollout. A group is finished when each of its nodes is updated, failed, or held by something of its own,
 * and one at least is updated; a zone when none of its nodes is to come. What is finished stays so, whoever joins later.
 */
function turnOf(facts: Facts, rollout: Rollout, standings: ReadonlyMap<string, Standing>, skipped: boolean, now: Instant): Turn {
  const { groups } = facts.view.spec.rollout;
  const peers = facts.members.filter(({ node }) => node.os !== undefined && isOf(rollout, node.os));
  const known = new Map(rollout.groups?.map((group) => [group.name, group]));
  const before = groups.findIndex(({ name }) => !isDone(known.get(name)?.state));
  const members = groups.map((_, index) => peers.filter((member) => member.group === index));
  const states: GroupProgress[] = [];
  let current = groups.length;
  let hold: Verdict | undefined;
  for (const [index, group] of groups.entries()) {
    const previous = known.get(group.name);
    if (previous !== undefined && isDone(previous.state)) {
      states.push(previous);
      continue;
    }
    if (current < groups.length) {
      states.push({ name: group.name, state: 'Waiting' });
      continue;
    }
    const state = progressOf(group, previous, members[index] ?? [], standings, {
      skipped: skipped && index === before,
      held: facts.checks !== undefined,
      now,
    });
    states.push(state);
    if (isDone(state.state)) continue;
    current = index;
    hold = holdOf(facts, state, members[index] ?? [], now);
  }
  const counted = states.map((state, index): GroupProgress => ({ ...state, ...countsOf(members[index] ?? [], standings) }));
  const { groups: _groups, zone: previousZone, ...kept } = rollout;
  const zone = zoneOf(
    facts,
    peers.filter(({ group }) => group === current),
    standings,
    (before === -1 ? groups.length : before) === current ? previousZone : undefined,
  );
  return {
    rollout: { ...kept, ...(counted.length > 0 && { groups: counted }), ...(zone !== undefined && zone !== '' && { zone }) },
    group: current,
    ...(hold !== undefined && { hold }),
    ...(zone !== undefined && { zone }),
  };
}

const countsOf = (members: readonly Member[], standings: ReadonlyMap<string, Standing>) => ({
  nodes: members.length,
  updated: members.filter(({ node }) => standings.get(node.name) === 'updated').length,
});

const isUntested = ({ groups = [] }: Rollout): boolean => groups.some(({ state }) => state === 'Untested');

/** The zone that a node belongs to; empty where it has none. */
export const zoneOfNode = (facts: Pick<Facts, 'view'>, node: { labels: Readonly<Record<string, string>> }): string =>
  node.labels[facts.view.spec.rollout.zoneKey] ?? '';

const isDone = (state: GroupState | undefined): boolean => state === 'Finished' || state === 'Skipped';

function progressOf(
  { name, soak }: { name: string; soak: string },
  previous: GroupProgress | undefined,
  members: readonly Member[],
  standings: ReadonlyMap<string, Standing>,
  { skipped, held, now }: { skipped: boolean; held: boolean; now: Instant },
): GroupProgress {
  if (skipped) return { name, state: 'Skipped' };
  if (previous?.state === 'Soaking') return held || instant(previous.soakUntil ?? '') > now ? previous : { name, state: 'Finished' };
  if (members.length === 0) return { name, state: 'Finished' };
  const standing = members.map(({ node }) => standings.get(node.name));
  if (standing.includes('pending')) return { name, state: 'Updating' };
  if (!standing.includes('updated')) {
    const from = previous?.untestedFrom ?? timestamp(now + UNTESTED_AFTER_MS);
    const mayPass = standing.includes('held') && previous?.state !== 'Untested' && instant(from) > now;
    return mayPass ? { name, state: 'Updating', untestedFrom: from } : { name, state: 'Untested' };
  }
  const soakMs = durationMs(soak);
  return soakMs === 0 ? { name, state: 'Finished' } : { name, state: 'Soaking', soakUntil: timestamp(now + soakMs) };
}

function holdOf({ view, checks }: Facts, { name, state, soakUntil }: GroupProgress, members: readonly Member[], now: Instant): Verdict {
  switch (state) {
    case 'Soaking': {
      const until = instant(soakUntil ?? '');
      const shown = toSecond(soakUntil ?? '');
      if (checks?.reason === 'CheckFailed' || (checks !== undefined && until <= now)) {
        const message =
          until > now
            ? `group ${name} soaks until ${shown}; besides, the next one ${checks.message}`
            : `group ${name} soaked until ${shown}; the next one ${checks.message}`;
        return { reason: checks.reason, message, ...(until > now && { until }) };
      }
      return { reason: 'GroupSoaking', message: `waits for group ${name} to soak until ${shown}`, until };
    }
    case 'Untested': {
      const named = members.slice(0, 5).map(({ node }) => `${node.name} (${node.update?.status.reason ?? 'unknown'})`);
      return {
        reason: 'GroupUntested',
        message: `no node of group ${name} could be updated: ${named.join(', ')}; mend one, or go on without the group: ${tokenCommand('updatepolicy', view.name, BY_HAND.skip)}`,
      };
    }
    default: {
      // Said to all that wait: a count of those that are done would be written to each of them again and again.
      const whom = members.length === 1 ? 'the node' : `the ${members.length} nodes`;
      return { reason: 'AwaitingGroup', message: `waits for ${whom} of group ${name}: groups go one after the other` };
    }
  }
}

/** The zone that was come to, while something is to come there; else the next one. The leader's own node goes last, and holds up no zone. */
function zoneOf(
  facts: Facts,
  members: readonly Member[],
  standings: ReadonlyMap<string, Standing>,
  previous: string | undefined,
): string | undefined {
  const pending = members.filter(({ node }) => standings.get(node.name) === 'pending' && node.name !== facts.ownNode);
  const zones = new Set(pending.map(({ node }) => zoneOfNode(facts, node)));
  if (previous !== undefined && zones.has(previous)) return previous;
  const next = [...zones].sort().find((zone) => previous === undefined || zone > previous);
  return next ?? previous;
}
