import type { PolicyView } from '../../core/world.ts';
import type { Instant, NodeRow, Upcoming } from '../wire.ts';
import { instantOf } from './node-row.ts';

const MAX_UPCOMING = 8;
/** Of each kind, so that a thousand deadlines hide nothing else. */
const MAX_OF_A_KIND = 3;

/** What is to happen to a policy and its nodes if nothing comes between, soonest first. */
export function upcomingOf({ status }: PolicyView, nodes: readonly NodeRow[], now: Instant): Upcoming[] {
  const all = [...windowOf(status), ...groupsOf(status), ...nodes.flatMap(nodeOf)].filter(({ at }) => at > now).sort((a, b) => a.at - b.at);
  const kept = new Map<Upcoming['what'], number>();
  return all
    .filter(({ what }) => {
      const before = kept.get(what) ?? 0;
      kept.set(what, before + 1);
      return before < MAX_OF_A_KIND;
    })
    .slice(0, MAX_UPCOMING);
}

function windowOf({ window }: PolicyView['status']): Upcoming[] {
  const at = instantOf(window?.nextChange);
  if (window === undefined || at === undefined) return [];
  return [window.open ? { at, what: 'WindowCloses', text: 'the window closes' } : { at, what: 'WindowOpens', text: 'the window opens' }];
}

function groupsOf({ rollouts = [] }: PolicyView['status']): Upcoming[] {
  return rollouts.flatMap(({ groups = [], target }) =>
    groups.flatMap(({ name, state, soakUntil }): Upcoming[] => {
      const at = state === 'Soaking' ? instantOf(soakUntil) : undefined;
      return at === undefined ? [] : [{ at, what: 'GroupSoaked', text: `group ${name} has soaked on ${target}`, group: name }];
    }),
  );
}

function nodeOf({ name, phase, drain, deadline, retryAt, overdueAt, overdue }: NodeRow): Upcoming[] {
  const found: Upcoming[] = [];
  const add = (at: Instant | undefined, what: Upcoming['what'], text: string): void => {
    if (at !== undefined) found.push({ at, what, text, node: name });
  };
  if (phase === 'Draining') add(drain?.deadline, 'DrainDeadline', `the drain of ${name} reaches its deadline`);
  if (phase === 'Rebooting') add(deadline, 'RebootDeadline', `${name} must have rebooted`);
  if (phase === 'Verifying') add(deadline, 'VerifyDeadline', `${name} must be ready`);
  if (phase === 'Soaking') add(deadline, 'NodeSoaked', `${name} has soaked`);
  add(retryAt, 'Retry', `${name} is tried again`);
  if (overdue !== true) add(overdueAt, 'Overdue', `${name} is overdue`);
  return found;
}
