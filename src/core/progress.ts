import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Counts, GroupState, Rollout } from '../api/update-policy.ts';
import type { Facts } from './facts.ts';
import { toSecond } from './world.ts';

const UNDER_WAY: ReadonlySet<GroupState> = new Set(['Updating', 'Untested', 'Soaking']);

/** Where a policy's nodes are, in one line. */
export function summaryOf(counts: Counts, rollouts: readonly Rollout[]): string {
  const parts = [`${counts.updated}/${counts.nodes} up to date`];
  if (counts.inFlight > 0) parts.push(`${counts.inFlight} in flight`);
  if (counts.staging > 0) parts.push(`${counts.staging} downloading`);
  if (counts.staged > 0) parts.push(`${counts.staged} staged`);
  if (counts.blocked > 0) parts.push(`${counts.blocked} blocked`);
  if (counts.failed > 0) parts.push(`${counts.failed} failed`);
  parts.push(...groupsUnderWay(rollouts));
  return parts.join(', ');
}

/** The groups whose turn it is, of all rollouts together, with how far they have come. */
function groupsUnderWay(rollouts: readonly Rollout[]): string[] {
  const groups = rollouts.flatMap(({ groups = [] }) => groups.filter(({ state }) => UNDER_WAY.has(state)));
  return [...Map.groupBy(groups, ({ name }) => name)].map(([name, parts]) => {
    const sum = (of: (part: (typeof parts)[number]) => number | undefined) => parts.reduce((total, part) => total + (of(part) ?? 0), 0);
    const soaks = parts.flatMap(({ state, soakUntil }) => (state === 'Soaking' && soakUntil !== undefined ? [soakUntil] : []));
    const soakUntil = soaks.length === parts.length ? soaks.sort().at(-1) : undefined;
    return `group ${name} ${sum(({ updated }) => updated)}/${sum(({ nodes }) => nodes)}${soakUntil === undefined ? '' : `, soaks until ${toSecond(soakUntil)}`}`;
  });
}

/** Whether a rollout is under way, else what most of the nodes that are behind wait for. */
export function progressOf(
  { view, members, paused, halt, rollouts }: Facts,
  counts: Counts,
  statuses: ReadonlyMap<string, NodeUpdateStatus>,
): { holds: boolean; reason: string; message: string } {
  const summary = summaryOf(counts, rollouts);
  if (counts.inFlight > 0) return { holds: true, reason: 'RollingOut', message: summary };
  const told = members.map(({ node }) => ({ node: node.name, status: statuses.get(node.name) }));
  const untested = told.find(({ status }) => status?.reason === 'GroupUntested')?.status;
  if (untested === undefined && told.some(({ status }) => isDownloading(status)))
    return { holds: true, reason: 'RollingOut', message: summary };
  if (counts.outdated === 0) return { holds: false, reason: 'UpToDate', message: summary };
  if (halt !== undefined) return { holds: false, reason: halt.reason, message: halt.message };
  if (paused) return { holds: false, reason: 'Paused', message: `policy ${view.name} is paused: ${summary}` };
  if (untested !== undefined) return { holds: false, reason: 'GroupUntested', message: untested.message ?? '' };
  return { holds: false, ...waitOf(told.filter(({ status }) => isWaiting(status))) };
}

interface Told {
  node: string;
  status: NodeUpdateStatus | undefined;
}

/** One whose download has failed waits for its next attempt, however long that may be. */
const isDownloading = ({ phase, reason }: NodeUpdateStatus = {}): boolean => phase === 'Staging' && reason !== 'StagingFailed';

const isWaiting = ({ phase, from, target }: NodeUpdateStatus = {}): boolean => phase !== undefined && (phase !== 'Idle' || from !== target);

/** What most of those that wait are waiting for, in the words of the first of them. */
function waitOf(waiting: readonly Told[]): { reason: string; message: string } {
  const groups = [...Map.groupBy(waiting, ({ status }) => status?.reason ?? 'Waiting')];
  const [reason, nodes] = groups.reduce((most, other) => (other[1].length > most[1].length ? other : most), groups[0] ?? ['Waiting', []]);
  const [first] = nodes;
  const more = nodes.length > 1 ? ` and ${nodes.length - 1} more` : '';
  return { reason, message: first === undefined ? 'waits' : `${first.node}${more}: ${first.status?.message ?? ''}` };
}
