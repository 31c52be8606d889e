import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Claim } from '../api/update-policy.ts';
import { assign, isHeld, takenByOthers } from './assign.ts';
import { type Blocked, blocked, isBlockedByPods, lookAgain } from './blocked.ts';
import { countOf } from './budget.ts';
import { claimID } from './claim-id.ts';
import { claimOrder } from './claim-order.ts';
import type {
  BarredPod,
  ChecksRequest,
  Command,
  Decision,
  DrainDecision,
  JobRef,
  NodeDecision,
  PolicyDecision,
  Verdict,
} from './command.ts';
import { type Finding, unreadableAnnotations, withFindings } from './conditions.ts';
import { type Facts, factsOf, type Member } from './facts.ts';
import type { Step } from './flight/flight.ts';
import { flightStep, strayStep } from './flight-step.ts';
import { type Ground, groundOf, stagingBegun } from './ground.ts';
import { tooOldForControlPlane } from './kubernetes-skew.ts';
import { isStuck, outdatedTaint } from './outdated.ts';
import { overdue } from './overdue.ts';
import { policyStatus } from './policy-status.ts';
import type { Reason } from './reasons.ts';
import { isOf } from './releases.ts';
import { lastRules, ownRules, rollbackRules, stageRules, turnRules } from './rules/index.ts';
import { type Candidate, firstHold, type Rule } from './rules/rule.ts';
import { standingInFlight, standingOnGround } from './standing.ts';
import { enter } from './status.ts';
import { type Standing, type Turn, turnsOf } from './turn.ts';
import { upkeep } from './upkeep.ts';
import { looksPastWaves, urgencyOf, urgentNode } from './urgent.ts';
import { type Instant, instant, type NodeView, type PolicyView, timestamp, type World } from './world.ts';

/** What holds a node that is begun later by itself: the leader's own waits for it. */
const STILL_TO_COME: ReadonlySet<Reason> = new Set(['CapacityReached', 'CheckPending', 'CheckFailed', 'Preflight', 'AwaitingZone']);
/** Nodes whose pods are looked at before they are claimed. */
const MAX_LOOKED_AT = 64;
/** Blocked nodes whose pods are watched all the time; of more than these, each is looked at when its backoff is over. */
const MAX_BLOCKED_LOOKED_AT = 16;
const NONE: ReadonlySet<string> = new Set();

/** Is told which rules a candidate is put to, before they are asked. */
export type OnAsked = (rules: readonly Rule[], candidate: Candidate) => void;

/**
 * The whole decision: what to do now with every policy and node, and the one reason for each node's being where it is.
 * Pure: the same world and time give the same decision; any pass may be the first after a crash.
 */
export function decide(world: World, now: Instant, onAsked?: OnAsked): Decision {
  const assigned = assign(world.policies, world.nodes);
  const draft = new Draft(world, assigned, now, onAsked);
  const members = Map.groupBy(world.nodes, (node) => assigned.get(node.name)?.uid);
  for (const policy of world.policies) draft.decidePolicy(policy, members.get(policy.uid) ?? []);
  for (const node of members.get(undefined) ?? []) draft.decideUnassigned(node);
  return draft.freeze();
}

class Draft {
  readonly #world: World;
  /** Which policy has which node, by node. */
  readonly #assigned: ReadonlyMap<string, PolicyView>;
  readonly #now: Instant;
  readonly #onAsked: OnAsked | undefined;
  readonly #nodesByName: ReadonlyMap<string, NodeView>;
  readonly #policies: PolicyDecision[] = [];
  readonly #nodes: NodeDecision[] = [];
  /** What of a node's annotations cannot be read, by node. */
  readonly #problems = new Map<string, readonly string[]>();
  /** What is to be said of the urgent version that a node's own annotation names, by node. */
  readonly #urgent = new Map<string, readonly Finding[]>();
  /** Nodes that look past their waves for their policy's urgent version. */
  readonly #pastWaves = new Set<string>();
  /** Policies with a node that may be in flight for ever. */
  readonly #stuck = new Set<string>();
  readonly #drains: DrainDecision[] = [];
  readonly #lookAt = new Set<string>();
  readonly #jobs: JobRef[] = [];
  readonly #checks = new Map<string, ChecksRequest>();
  #lookAhead = 0;
  #lookAtBlocked = 0;
  #handOver = false;
  #wakeAt: Instant | undefined;

  constructor(world: World, assigned: ReadonlyMap<string, PolicyView>, now: Instant, onAsked: OnAsked | undefined) {
    this.#onAsked = onAsked;
    this.#world = world;
    this.#assigned = assigned;
    this.#now = now;
    this.#nodesByName = new Map(world.nodes.map((node) => [node.name, node]));
  }

  decidePolicy(policy: PolicyView, nodes: readonly NodeView[]): void {
    const facts = factsOf(policy, nodes, this.#world, this.#now);
    const hurries = urgencyOf(facts).holds;
    const kept = (policy.status.claims ?? []).filter((claim) => isHeld(claim, this.#nodesByName.get(claim.node)));
    const begun: Claim[] = [];
    const grounded: { member: Member; ground: Ground }[] = [];
    const standings = new Map<string, Standing>();
    /** Groups of the nodes that are in flight, or will be without being asked for. */
    const pending: number[] = [];

    for (const member of facts.members) {
      const urgent = urgentNode(facts, member);
      if (member.byHand.problems.length > 0) this.#problems.set(member.node.name, member.byHand.problems);
      if (urgent.length > 0) this.#urgent.set(member.node.name, urgent);
      if (hurries && looksPastWaves(facts, member.node)) this.#pastWaves.add(member.node.name);
      const step = flightStep(this.#world, facts, member, this.#now);
      if (step === undefined) {
        const ground = groundOf(this.#world, facts, member, this.#now);
        grounded.push({ member, ground });
        standings.set(member.node.name, this.#standing(facts, member, ground));
      } else {
        if (isStuck(step.status)) this.#stuck.add(policy.name);
        if (step.status.phase !== 'Failed') pending.push(member.group);
        standings.set(member.node.name, standingInFlight(member, step.status, rolloutOf(facts, member.node)));
        this.#take(member.node, step);
      }
    }
    this.#wake(facts.schedule.until);
    this.#wake(facts.releases.until);
    const turns = turnsOf(facts, standings, this.#now);
    grounded.sort((a, b) => claimOrder(facts, a.member, b.member));
    pending.push(...this.#stage(facts, grounded));
    this.#claim(facts, turns, grounded, begun, pending);
    for (const { state, soakUntil, untestedFrom } of turns.flatMap(({ rollout }) => rollout.groups ?? [])) {
      if (state === 'Soaking') this.#wantChecks(facts);
      // One that has soaked long enough waits for its policy's checks.
      for (const time of [soakUntil, untestedFrom]) if (time !== undefined && instant(time) > this.#now) this.#wake(instant(time));
    }

    const claims = [...kept, ...begun];
    const changed = begun.length > 0 || kept.length !== (policy.status.claims ?? []).length;
    const statuses = new Map(this.#nodes.map((decision) => [decision.node, decision.status]));
    const taken = this.#world.policies.length > 1 ? takenByOthers(policy, this.#world.nodes, this.#assigned) : new Map();
    const status = policyStatus({ ...facts, rollouts: turns.map(({ rollout }) => rollout), taken }, claims, statuses, this.#now);
    this.#policies.push({ policy: policy.name, status, ...(changed && { claims }) });
  }

  /** A node that no policy has: one in flight is finished or taken back by its record, any other is left alone. */
  decideUnassigned(node: NodeView): void {
    const { record, update } = node;
    if (record === undefined) {
      const untaint: Command[] = node.outdated === true ? [{ type: 'Untaint' }] : [];
      if (update?.status.phase === undefined) {
        if (untaint.length > 0) this.#nodes.push({ node: node.name, status: update?.status ?? {}, commands: untaint });
        return;
      }
      const status = enter(update.status, 'Idle', { reason: 'NoPolicy', message: 'no policy selects the node' }, this.#now, {
        policy: undefined,
      });
      this.#nodes.push({ node: node.name, status: withFindings(status, [], this.#now), commands: untaint });
      return;
    }
    const step = strayStep(this.#world, node, this.#now);
    this.#take(node, step);
  }

  freeze(): Decision {
    return {
      policies: this.#policies,
      nodes: this.#nodes,
      drains: this.#drains,
      lookAt: [...this.#lookAt],
      jobs: this.#jobs,
      checks: [...this.#checks.values()],
      handOver: this.#handOver,
      ...(this.#wakeAt !== undefined && { wakeAt: this.#wakeAt }),
    };
  }

  #standing(facts: Facts, member: Member, ground: Ground): Standing {
    const { node, byHand } = member;
    const candidate = this.#candidate(facts, member, member.target.version ?? '');
    const ownHold = byHand.paused || byHand.problems.length > 0 || firstHold(ownRules, candidate, this.#now) !== undefined;
    return standingOnGround(member, ground, rolloutOf(facts, node), ownHold);
  }

  /** Gives Stage orders as far as slots go; returns the groups of the nodes that are downloading or about to. */
  #stage(facts: Facts, grounded: readonly { member: Member; ground: Ground }[]): number[] {
    const slots = countOf(facts.view.spec.staging.maxParallel, facts.members.length);
    // A download that no agent carries on holds up nobody.
    const pending = grounded
      .filter(({ member, ground }) => ground.kind === 'staging' && member.node.agent !== 'missing')
      .map(({ member }) => member.group);
    let downloading = pending.length;
    for (const { member, ground } of grounded) {
      switch (ground.kind) {
        case 'settled':
          if (ground.until !== undefined) this.#wake(ground.until);
          this.#settle(member.node, ground.status);
          break;
        case 'staging':
          this.#settle(member.node, ground.status);
          break;
        case 'stage': {
          const candidate = this.#candidate(facts, member, ground.version);
          const hold = this.#firstHold(goesBack(member) ? rollbackRules.stage : stageRules, candidate);
          if (hold !== undefined) {
            this.#settle(member.node, enter(ground.status, ground.status.phase ?? 'Idle', hold, this.#now));
            break;
          }
          pending.push(member.group);
          if (downloading >= slots) {
            this.#settle(member.node, ground.status);
            break;
          }
          downloading += 1;
          const begun = stagingBegun(ground.status, ground, this.#now);
          this.#settle(member.node, begun.status, begun.commands);
          break;
        }
        case 'staged':
        case 'reboot':
          break;
      }
    }
    return pending;
  }

  /** Claims nodes that are staged, or are to reboot as they are, in claim order, as far as the rules allow. */
  #claim(
    facts: Facts,
    turns: readonly Turn[],
    grounded: readonly { member: Member; ground: Ground }[],
    begun: Claim[],
    pending: number[],
  ): void {
    const claimed = new Set<string>();
    const ready = grounded.flatMap(({ member, ground }) =>
      ground.kind === 'staged' || ground.kind === 'reboot' ? [{ member, ground }] : [],
    );
    for (const { member, ground } of ready) {
      const reboot = ground.kind === 'reboot';
      const phase = reboot ? 'Idle' : 'Staged';
      const { node } = member;
      // A node that is named itself waits for no group's and no zone's turn.
      const named = member.byHand.urgent === ground.version;
      const turn = named ? undefined : turns.find(({ rollout }) => rollout.id === ground.rollout);
      const candidate = {
        ...this.#candidate(facts, member, ground.version),
        claimed,
        othersPending: pending.some((group) => group <= member.group),
        ...(turn !== undefined && { turn }),
        reboot,
      };
      if (isBlockedByPods(ground.status)) {
        const still = lookAgain(candidate, ground.status, this.#now);
        if (still !== undefined) {
          this.#block(node, still);
          continue;
        }
      }
      const hold = this.#firstHold(goesBack(member) ? rollbackRules.turn : turnRules, candidate) ?? this.#lastHold(candidate);
      if (hold === undefined) {
        claimed.add(node.name);
        pending.push(member.group);
        begun.push({ id: claimID(node, this.#now), node: node.name, uid: node.uid, rollout: ground.rollout, at: timestamp(this.#now) });
        this.#settle(
          node,
          enter(ground.status, phase, { reason: 'Claimed', message: 'holds a slot and is about to be cordoned' }, this.#now),
        );
        this.#lookAt.add(node.name);
        continue;
      }
      if (STILL_TO_COME.has(hold.reason)) pending.push(member.group);
      // The slot is its own while its pods are looked at: not the whole fleet's pods are listed for one free slot.
      if (hold.reason === 'Preflight') claimed.add(node.name);
      if (hold.reason === 'HandingOver') this.#handOver = true;
      if (hold.reason === 'CannotEvict') {
        this.#block(node, blocked(candidate, ground.status, hold, this.#now));
        continue;
      }
      if (hold.reason === 'Preflight') this.#look(node.name);
      if (hold.until !== undefined) this.#wake(hold.until);
      const told = reboot ? { ...hold, message: `a reboot was asked for: ${hold.message}` } : hold;
      this.#settle(node, enter(ground.status, phase, told, this.#now));
    }
  }

  #firstHold(rules: readonly Rule[], candidate: Candidate): Verdict | undefined {
    this.#onAsked?.(rules, candidate);
    return firstHold(rules, candidate, this.#now);
  }

  #lastHold(candidate: Candidate): Verdict | undefined {
    if (goesBack(candidate.member)) return firstHold(rollbackRules.last, candidate, this.#now);
    this.#wantChecks(candidate.facts);
    return firstHold(lastRules, candidate, this.#now);
  }

  #wantChecks({ view: { uid, generation, spec } }: Facts): void {
    if (spec.checks.length > 0) this.#checks.set(uid, { policy: uid, generation, checks: spec.checks });
  }

  #candidate(facts: Facts, member: Member, version: string): Candidate {
    return { world: this.#world, facts, node: member.node, member, version, claimed: NONE, othersPending: false };
  }

  #take(node: NodeView, step: Step): void {
    if (step.drain !== undefined) this.#drains.push(step.drain);
    if (step.jobs !== undefined) this.#jobs.push(...step.jobs);
    if (step.lookAt === true) this.#lookAt.add(node.name);
    if (step.until !== undefined) this.#wake(step.until);
    this.#settle(node, step.status, step.commands);
  }

  #settle(node: NodeView, status: NodeUpdateStatus, commands: readonly Command[] = [], barred: readonly BarredPod[] = []): void {
    const told = withFindings(status, this.#findings(node, status), this.#now);
    const taint = outdatedTaint(node, status, this.#now, this.#stuck.has(status.policy ?? ''));
    const untaint: Command[] = taint.remove ? [{ type: 'Untaint' }] : [];
    if (taint.until !== undefined) this.#wake(taint.until);
    this.#nodes.push({
      node: node.name,
      status: told,
      commands: [...upkeep(this.#world, node, status, this.#pastWaves.has(node.name)), ...commands, ...untaint],
      ...(barred.length > 0 && { barred }),
    });
  }

  /** What is to be said of a node besides its one reason. */
  #findings(node: NodeView, status: NodeUpdateStatus): Finding[] {
    const found = [...unreadableAnnotations(this.#problems.get(node.name) ?? []), ...(this.#urgent.get(node.name) ?? [])];
    const policy = this.#world.policies.find(({ name }) => name === status.policy);
    if (policy === undefined) return found;
    return [...found, ...overdue(policy, status, this.#now), ...tooOldForControlPlane(node.os, this.#world.kubernetes)];
  }

  #block(node: NodeView, { status, commands, due, until, barred }: Blocked): void {
    if (until !== undefined) this.#wake(until);
    if (this.#lookAtBlocked < (due ? MAX_LOOKED_AT : MAX_BLOCKED_LOOKED_AT)) {
      this.#lookAtBlocked += 1;
      this.#lookAt.add(node.name);
    }
    this.#settle(node, status, commands, barred);
  }

  #look(name: string): void {
    if (this.#lookAhead >= MAX_LOOKED_AT) return;
    this.#lookAhead += 1;
    this.#lookAt.add(name);
  }

  #wake(at: Instant): void {
    if (Number.isFinite(at)) this.#wakeAt = Math.min(this.#wakeAt ?? at, at);
  }
}

const goesBack = ({ target }: Member): boolean => target.version !== undefined && target.rollsBack === true;

const rolloutOf = ({ rollouts }: Facts, { os }: NodeView) => os && rollouts.find((rollout) => isOf(rollout, os));
