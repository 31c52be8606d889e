import { AGENT_ADMISSION_POLICY, BY_HAND } from '../../api/names.ts';
import type { PlanWarning, PolicyPlan } from '../../api/plan.ts';
import { durationMs } from '../../api/primitives.ts';
import { tooOldForControlPlane } from '../kubernetes-skew.ts';
import { isOf, variantsOf } from '../releases.ts';
import { countedFailures } from '../rollouts.ts';
import { compareVersions } from '../versions.ts';
import { type Instant, instant, type NodeView, timestamp, type World } from '../world.ts';
import type { PolicyDurations } from './durations.ts';
import { offeredTo } from './managed.ts';
import type { Planned, PolicyState } from './planned.ts';

const MAX_NAMED = 10;

/** Names as people read them, not all of a long list. */
const listed = (names: readonly string[]): string =>
  names.length > MAX_NAMED ? `${names.slice(0, MAX_NAMED).join(', ')} and ${names.length - MAX_NAMED} more` : names.join(', ');

const nodesAre = (names: readonly string[], one: string, many: string): string =>
  names.length === 1 ? `1 node ${one}` : `${names.length} nodes ${many}`;

/** What to know of a cluster that no one policy has to do with. */
export function clusterWarnings(world: World, states: readonly PolicyState[]): PlanWarning[] {
  const warnings: PlanWarning[] = [];
  if (!world.guarded)
    warnings.push({
      name: 'AdmissionPolicyMissing',
      endless: true,
      message: `no node is begun while the ValidatingAdmissionPolicy ${AGENT_ADMISSION_POLICY} or its binding is missing: install them again (helm upgrade)`,
    });
  const taken = new Set(states.flatMap(({ nodes }) => nodes.map(({ name }) => name)));
  const without = world.nodes.filter(({ name, os }) => os !== undefined && !taken.has(name)).map(({ name }) => name);
  if (without.length > 0)
    warnings.push({
      name: 'NodesWithoutPolicy',
      endless: false,
      message: `${nodesAre(without, 'has', 'have')} no policy, and ${without.length === 1 ? 'is' : 'are'} not kept up to date: ${listed(without)}`,
      nodes: without,
    });
  return warnings;
}

type Source = (planned: Planned, plan: PolicyPlan, durations: PolicyDurations | undefined) => PlanWarning | undefined;

/** What to know of a policy's rollouts, above all what keeps them from ever ending. */
export function policyWarnings(planned: Planned, plan: PolicyPlan, durations: PolicyDurations | undefined): PlanWarning[] {
  const busy = plan.steps.length > 0 || plan.held.length > 0;
  return (busy ? [...always, ...whileBusy] : always).flatMap((source) => source(planned, plan, durations) ?? []);
}

const notReady: Source = ({ facts: { problems } }) =>
  problems.length === 0
    ? undefined
    : { name: 'PolicyNotReady', endless: true, message: `no node is begun until this is put right: ${problems.join('; ')}` };

const paused: Source = ({ policy, facts }) => {
  if (!facts.paused) return undefined;
  const how = policy.spec.paused ? 'set spec.paused to false' : `kubectl annotate updatepolicy ${policy.name} ${BY_HAND.paused}-`;
  return { name: 'Paused', endless: true, message: `the policy is paused: no node is begun until it is resumed: ${how}` };
};

const halted: Source = ({ facts }) => {
  if (facts.halt === undefined) return undefined;
  const nodes = countedFailures(facts.rollouts).map(({ node }) => node);
  return { name: 'Halted', endless: true, message: facts.halt.message, nodes };
};

const neverOpens: Source = ({ facts: { schedule, problems } }) =>
  schedule.open || schedule.nextChange !== undefined || problems.length > 0
    ? undefined
    : { name: 'NeverOpens', endless: true, message: 'the schedule names no time to come at which nodes may be begun' };

const windowTooShort: Source = ({ policy, facts }, { targets }, durations) => {
  const windows = policy.spec.schedule?.windows ?? [];
  const takes = Math.max(0, ...targets.map((os) => durations?.updateMs({ ...os, version: os.to }) ?? 0));
  const short = windows.filter(({ duration }) => durationMs(duration) < takes);
  if (short.length === 0 || facts.problems.length > 0) return undefined;
  const release = policy.spec.schedule?.onClose === 'Release';
  const open = `a node takes ${minutes(takes)}, and a window is open for ${short.map(({ duration }) => duration).join(', ')}`;
  return {
    name: 'WindowTooShort',
    endless: release && short.length === windows.length,
    message: release
      ? `${open}: a node whose host was not asked to reboot when it closes is given back (onClose: Release); make the window longer`
      : `${open}: nodes begun in it finish after it has closed (onClose: Finish)`,
  };
};

const minutes = (ms: number): string => `${Math.max(1, Math.ceil(ms / 60_000))} min`;

/** A node below the target that registered when its rollout was under way came from a template that is still old. */
const joinBelowTarget: Source = ({ policy, nodes, facts }) => {
  const begun = facts.rollouts.filter(({ id }) => policy.status.rollouts?.some((rollout) => rollout.id === id));
  const joined = begun.flatMap((rollout) =>
    nodes.filter(
      (node) =>
        node.os !== undefined &&
        isOf(rollout, node.os) &&
        instant(node.createdAt) > instant(rollout.startedAt) &&
        compareVersions(registeredWith(node), rollout.target) < 0,
    ),
  );
  if (joined.length === 0) return undefined;
  const names = joined.map(({ name }) => name);
  return {
    name: 'NodesJoinBelowTarget',
    endless: true,
    message: `${nodesAre(names, 'has', 'have')} registered with an older version since the rollout began (${listed(names)}): where an autoscaler goes on adding such nodes it never ends: have its launch template, node group or node class start the new version`,
    nodes: names,
  };
};

/** The version that a node had when it registered, as far as its updates are remembered. */
const registeredWith = ({ update, os }: NodeView): string => update?.status.history?.[0]?.from ?? os?.version ?? '0.0.0';

const groupUntested: Source = (_planned, { held }) => {
  const message = held.find(({ reason }) => reason === 'GroupUntested')?.message;
  return message === undefined ? undefined : { name: 'GroupUntested', endless: true, message };
};

const noCapacity: Source = ({ facts, nodes }, { held }) => {
  const waiting = held.filter(({ reason }) => reason === 'CapacityReached').map(({ node }) => node);
  if (waiting.length === 0) return undefined;
  const names = nodes.filter(({ name }) => facts.unavailable.has(name)).map(({ name }) => name);
  return {
    name: 'NoCapacity',
    endless: true,
    message: `${nodesAre(waiting, 'waits', 'wait')} for a slot that nothing frees: at most ${facts.limit} of ${nodes.length} nodes may be unavailable (rollout.maxUnavailable), and these are: ${listed(names)}`,
    nodes: names,
  };
};

/** Held by something of their own: the others wait for what the other warnings say. */
const OTHERS_DOING = new Set([
  'AdmissionPolicyMissing',
  'AwaitingGroup',
  'AwaitingZone',
  'CapacityReached',
  'GroupSoaking',
  'GroupUntested',
  'Halted',
  'InExclusion',
  'LeaderLast',
  'OutsideWindow',
  'Paused',
  'PolicyNotReady',
]);

const nodesHeld: Source = ({ facts }, { held }) => {
  const own = held.filter(({ reason }) => !OTHERS_DOING.has(reason) || (reason === 'Paused' && !facts.paused));
  if (own.length === 0) return undefined;
  return {
    name: 'NodesHeld',
    endless: true,
    message: `${nodesAre(
      own.map(({ node }) => node),
      'is',
      'are',
    )} not updated as things stand: ${listed(own.map(({ node, reason }) => `${node} (${reason})`))}`,
    nodes: own.map(({ node }) => node),
  };
};

const beyondHorizon: Source = ({ until, facts }, { held }) => {
  const late = held.filter(({ reason }) => reason === 'OutsideWindow' || reason === 'InExclusion').map(({ node }) => node);
  if (late.length === 0 || facts.schedule.nextChange === undefined) return undefined;
  const message = `${nodesAre(late, 'is', 'are')} not reached by ${timestamp(until)}, which is as far as the plan looks: ${listed(late)}`;
  return { name: 'BeyondHorizon', endless: false, message, nodes: late };
};

const checkFailed: Source = ({ nodes }) => {
  const status = nodes.find(({ update }) => update?.status.reason === 'CheckFailed')?.update?.status;
  if (status === undefined) return undefined;
  return {
    name: 'CheckFailed',
    endless: true,
    message: `a check holds the rollout now, and the plan takes it that it recovers at once: ${status.message ?? ''}`,
  };
};

const patchDeadline: Source = ({ policy, nodes }, { steps }) => {
  const { patchDeadline: deadline } = policy.spec;
  const since = new Map(nodes.map(({ name, update }) => [name, update?.status.behindSince]));
  const overdueAt = (node: string): Instant => instant(since.get(node) ?? '') + durationMs(deadline);
  const late = steps.filter(({ node, endsAt }) => instant(endsAt ?? '') > overdueAt(node)).map(({ node }) => node);
  if (late.length === 0) return undefined;
  return {
    name: 'PatchDeadlineMissed',
    endless: false,
    message: `${nodesAre(late, 'is', 'are')} updated later than patchDeadline allows (${deadline} behind): ${listed(late)}`,
    nodes: late,
  };
};

const kubernetesTooOld: Source = ({ world, nodes }) => {
  const found = nodes.flatMap(({ name, os }) => tooOldForControlPlane(os, world.kubernetes).map(({ message }) => ({ name, message })));
  const [first] = found;
  if (first === undefined) return undefined;
  const names = found.map(({ name }) => name);
  return { name: 'KubernetesTooOld', endless: false, message: `${listed(names)}: ${first.message}`, nodes: names };
};

const releasesUnknown: Source = ({ world, nodes }) => {
  const unknown = variantsOf(nodes).filter((os) => offeredTo(os, world.nodes) === undefined);
  if (unknown.length === 0) return undefined;
  const variants = unknown.map(({ variant, arch }) => `${variant} (${arch})`);
  return {
    name: 'ReleasesUnknown',
    endless: false,
    message: `no node of ${variants.join(', ')} has said yet which releases it is offered, so nobody knows what there is to update to: plan again once agents run there`,
    nodes: nodes.filter(({ os }) => os !== undefined && unknown.some((one) => isOf(one, os))).map(({ name }) => name),
  };
};

/** They run what they are pinned to, so no rollout waits for them, and none brings them along. */
const nodesPinned: Source = ({ facts }) => {
  const pinned = facts.members.flatMap(({ node, byHand: { pin } }) => {
    const target = facts.rollouts.find((rollout) => node.os !== undefined && isOf(rollout, node.os))?.target;
    return pin === undefined || target === undefined || pin === target ? [] : [{ name: node.name, pin }];
  });
  if (pinned.length === 0) return undefined;
  const names = pinned.map(({ name }) => name);
  return {
    name: 'NodesPinned',
    endless: false,
    message: `${nodesAre(names, 'is', 'are')} pinned to another version than the rollout's, and stay${names.length === 1 ? 's' : ''} there until the annotation ${BY_HAND.pinVersion} is taken away: ${listed(pinned.map(({ name, pin }) => `${name} (${pin})`))}`,
    nodes: names,
  };
};

/** What is to be known of a policy also while there is nothing to do. */
const always: readonly Source[] = [releasesUnknown, nodesPinned];

const whileBusy: readonly Source[] = [
  notReady,
  paused,
  halted,
  neverOpens,
  groupUntested,
  noCapacity,
  nodesHeld,
  joinBelowTarget,
  windowTooShort,
  beyondHorizon,
  checkFailed,
  patchDeadline,
  kubernetesTooOld,
];
