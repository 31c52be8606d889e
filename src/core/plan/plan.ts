import {
  PLAN_API_VERSION,
  type Plan,
  type PlanAssumption,
  type PlanHeld,
  type PlanStep,
  type PlanWarning,
  type PolicyPlan,
} from '../../api/plan.ts';
import { claimOn } from '../assign.ts';
import { decide } from '../decide.ts';
import { podKey } from '../drain-settings.ts';
import type { Member } from '../facts.ts';
import { preflight } from '../rules/preflight.ts';
import { type Assumptions, type Forecast, forecast, type NodeForecast } from '../simulate/forecast.ts';
import { isCurrent } from '../target.ts';
import { zoneOfNode } from '../turn.ts';
import { type Instant, instant, timestamp, type World } from '../world.ts';
import { type Approved, asIfApproved } from './approved.ts';
import { ASSUMED, durationsOf, type PolicyDurations } from './durations.ts';
import { asIfManaged } from './managed.ts';
import { type Planned, type PolicyState, statesOf } from './planned.ts';
import { clusterWarnings, policyWarnings } from './warnings.ts';

const DAY = 86_400_000;
/** How far a plan looks ahead. */
const HORIZON_MS = 120 * DAY;

/** What a plan is made of besides the world. The world holds the pods of every node that is to be updated. */
export interface PlanOptions {
  now: Instant;
  /** Policies, by name, that are not in the cluster as the world has them. */
  sources?: ReadonlyMap<string, PolicyPlan['source']>;
  /** What is to be warned of besides. */
  warnings?: readonly PlanWarning[];
  foresee?: (world: World, now: Instant, assumptions: Assumptions) => Forecast;
}

/** What would become of a cluster's nodes if nothing went wrong, nobody meddled, and what waits for an approval got it now. Pure. */
export function planOf(seen: World, { now, sources = new Map(), warnings = [], foresee = forecast }: PlanOptions): Plan {
  const { world: real, nodes: unmanaged } = asIfManaged(seen);
  const states = statesOf(real, now);
  const { world, approved } = asIfApproved(real, states);
  const durations = new Map(states.map(({ policy, nodes }) => [policy.name, durationsOf(policy, nodes, real.nodes)]));
  const policyOf = new Map(states.flatMap(({ policy, nodes }) => nodes.map((node) => [node.name, { policy, node }] as const)));
  const until = now + HORIZON_MS;
  // Where another replica takes over from the leader, its node goes then; without one it would go at the same time, with it.
  const foreseen = foresee({ ...world, standby: false }, now, {
    until,
    durationsOf: (name) => {
      const known = policyOf.get(name);
      return (known && durations.get(known.policy.name)?.of(known.node)) ?? ASSUMED;
    },
  });
  const decided = new Map(decide(asIfChecked(real, now), now).nodes.map((decision) => [decision.node, decision]));
  const policies = states.map((state) =>
    policyPlan({ ...state, world: real, now, until, foreseen, decided }, durations.get(state.policy.name), sources),
  );
  return {
    apiVersion: PLAN_API_VERSION,
    kind: 'Plan',
    at: timestamp(now),
    policies,
    assumptions: assumptionsOf(states, policies, durations, approved, unmanaged),
    warnings: [...warnings, ...clusterWarnings(real, states)],
  };
}

/** Nobody but the controller looks at checks: they are taken to hold. */
export const asIfChecked = (world: World, now: Instant): World => ({
  ...world,
  checks: new Map(world.policies.map(({ uid, generation }) => [uid, { generation, at: now }])),
});

function policyPlan(
  planned: Planned,
  durations: PolicyDurations | undefined,
  sources: ReadonlyMap<string, PolicyPlan['source']>,
): PolicyPlan {
  const { policy, facts, foreseen, decided } = planned;
  const members = new Map(facts.members.map((member) => [member.node.name, member]));
  const left = new Set(foreseen.left);
  const own = foreseen.nodes.flatMap((node) => {
    const member = members.get(node.node);
    return member === undefined ? [] : [{ member, node }];
  });
  // What is in flight was claimed before the forecast began.
  const begun = own
    .flatMap(({ member, node }) => {
      const startsAt = left.has(node.node) ? undefined : startOf(planned, member, node);
      return startsAt === undefined ? [] : [{ member, node, startsAt }];
    })
    .sort((a, b) => a.startsAt - b.startsAt);
  const steps = begun.map((one, index) => stepOf(planned, one, index + 1));
  const held = own.filter(({ node }) => left.has(node.node)).map(({ member, node }) => heldOf(planned, member, node));
  const ends = begun.map(({ node }) => node.stays.at(-1)?.at ?? planned.now);
  const upToDate = facts.members.filter(({ node }) => isCurrent(decided.get(node.name)?.status ?? {})).length;
  const plan: PolicyPlan = {
    name: policy.name,
    source: sources.get(policy.name) ?? 'InCluster',
    timeZone: policy.spec.schedule?.windows?.[0]?.timeZone ?? 'UTC',
    nodes: facts.members.length,
    upToDate,
    targets: targetsOf(steps, held, members),
    ...(steps.length > 0 && {
      startsAt: timestamp(Math.min(...begun.map(({ startsAt }) => startsAt))),
      endsAt: timestamp(Math.max(...ends)),
    }),
    complete: held.length === 0,
    steps,
    held,
    warnings: [],
  };
  return { ...plan, warnings: policyWarnings(planned, plan, durations) };
}

/** When a node is claimed, or was; undefined where it never is. */
function startOf({ policy }: PolicyState, { node }: Member, { claimedAt }: NodeForecast): Instant | undefined {
  const claim = claimOn(policy, node);
  if (claim !== undefined) return instant(claim.at);
  if (typeof node.record === 'object') return instant(node.record.at);
  return claimedAt;
}

function placeOf({ policy, facts }: PolicyState, member: Member) {
  const group = policy.spec.rollout.groups[member.group]?.name;
  const zone = zoneOfNode(facts, member.node);
  return { ...(group !== undefined && { group }), ...(zone !== '' && { zone }) };
}

interface Begun {
  member: Member;
  node: NodeForecast;
  startsAt: Instant;
}

function stepOf(planned: Planned, { member, node: foreseen, startsAt }: Begun, order: number): PlanStep {
  const { node } = member;
  const known = node.update?.status;
  // That a check fails only the controller has seen.
  const status = known?.reason === 'CheckFailed' ? known : planned.decided.get(node.name)?.status;
  const { phase = 'Idle', reason = '', message = '' } = status ?? {};
  return {
    order,
    node: node.name,
    ...placeOf(planned, member),
    from: fromOf(member) ?? '',
    to: foreseen.to ?? member.target.version ?? '',
    inFlight: node.record !== undefined || claimOn(planned.policy, node) !== undefined,
    startsAt: timestamp(startsAt),
    ...(foreseen.uncordonedAt !== undefined && { endsAt: timestamp(foreseen.uncordonedAt) }),
    now: { phase, reason, message },
  };
}

/** What a node runs, or ran when its update began. */
const fromOf = ({ node }: Member): string | undefined => (typeof node.record === 'object' ? node.record.from : node.os?.version);

/** Why a node is not updated: its pods where they may not be evicted, whatever it waits for first; else what it waits for in the end. */
function heldOf(planned: Planned, member: Member, { stays }: NodeForecast): PlanHeld {
  const { world, facts, now, decided } = planned;
  const { node } = member;
  const version = member.target.version;
  const barred =
    version === undefined || node.record !== undefined
      ? undefined
      : preflight({ world, facts, node, member, version, claimed: new Set(), othersPending: false }, now);
  const status = decided.get(node.name)?.status;
  const last = (barred?.reason === 'CannotEvict' ? barred : stays.at(-1)) ?? status;
  // What is tried over and over has a message of the forecast's last time: people read that of now.
  const message = last?.reason === status?.reason ? status?.message : last?.message;
  const from = fromOf(member);
  return {
    node: node.name,
    ...placeOf(planned, member),
    ...(from !== undefined && { from }),
    ...(version !== undefined && { to: version }),
    reason: last?.reason ?? '',
    message: message ?? '',
    ...(barred?.barred !== undefined && { pods: barred.barred.map(({ pod, why }) => ({ pod: podKey(pod), why })) }),
  };
}

function targetsOf(steps: readonly PlanStep[], held: readonly PlanHeld[], members: ReadonlyMap<string, Member>): PolicyPlan['targets'] {
  const targets = new Map<string, PolicyPlan['targets'][number]>();
  for (const { node, to } of [...steps, ...held]) {
    const os = members.get(node)?.node.os;
    if (os === undefined || to === undefined) continue;
    targets.set(`${os.variant} ${os.arch} ${to}`, { variant: os.variant, arch: os.arch, to });
  }
  return [...targets].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target);
}

function assumptionsOf(
  states: readonly PolicyState[],
  policies: readonly PolicyPlan[],
  durations: ReadonlyMap<string, PolicyDurations>,
  approved: readonly Approved[],
  unmanaged: readonly string[],
): PlanAssumption[] {
  const busy = states.filter(({ policy }) => policies.some(({ name, steps }) => name === policy.name && steps.length > 0));
  const agents = `agents start on ${unmanaged.length === 1 ? 'a node that has' : `${unmanaged.length} nodes that have`} none yet, and their hosts are offered what others of their variant are`;
  return [
    ...(unmanaged.length > 0 ? [{ name: 'AgentsStart' as const, message: agents }] : []),
    ...approved.map(({ policy, version }): PlanAssumption => ({ name: 'Approved', policy, message: `${version} is approved now` })),
    ...busy.flatMap(({ policy }) => durations.get(policy.name)?.assumptions ?? []),
    ...busy
      .filter(({ policy }) => policy.spec.checks.length > 0)
      .map(
        ({ policy }): PlanAssumption => ({
          name: 'ChecksHold',
          policy: policy.name,
          message: 'its checks hold whenever they are looked at',
        }),
      ),
    { name: 'NothingElse', message: 'no node fails or joins, no release appears, nobody intervenes; every drain ends within its timeout' },
  ];
}
