import { type CordonRecord, isRebootOnly } from '../../api/cordon-record.ts';
import { BY_HAND, CORDON_LABELS, KEEP_NODE_ANNOTATIONS, ON_NODE } from '../../api/names.ts';
import type { Order } from '../../api/node-host.ts';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import { durationMs } from '../../api/primitives.ts';
import type { Claim } from '../../api/update-policy.ts';
import { assign } from '../assign.ts';
import type { Decision, HookRun } from '../command.ts';
import { REASONS } from '../reasons.ts';
import { mayBegin } from '../simulate/calendar.ts';
import { bootIDOf, type Machine, type Objects, type SimNode, type SimPod } from '../simulate/objects.ts';

import { Violation } from '../simulate/violation.ts';
import type { RebootOrdered, Witness } from '../simulate/witness.ts';
import { type Instant, instant, type NodeView, type PolicyView, type World } from '../world.ts';
import { ByHandWatchman, isHurried, isNamed, isOfReboot, isUrgentHere } from './by-hand-watchman.ts';
import { DrainWatchman } from './drain-watchman.ts';
import { RollbackWatchman } from './rollback-watchman.ts';

/** As far as two controllers' clocks may be from each other. */
const MAX_SKEW_MS = 60_000;

const must = (holds: boolean, what: string): void => {
  if (!holds) throw new Violation(what);
};

const mustNot = (what: string | undefined): void => must(what === undefined, what ?? '');

/** Looks on at every write and every boot, and judges by what is there and not by what a status says. */
export class Watchman implements Witness {
  readonly #objects: Objects;
  /** When each version was. */
  readonly #releasedAt: ReadonlyMap<string, Instant>;
  readonly #drains = new DrainWatchman();
  readonly #byHand = new ByHandWatchman();
  readonly #rollbacks = new RollbackWatchman();
  /** Nodes (uid) that a person cordoned while nobody else had. */
  readonly #theirs = new Set<string>();
  /** Nodes (uid) as they were before our cordon. */
  readonly #prior = new Map<string, SimNode>();
  /** Nodes (uid) that a person uncordoned while they were in flight. */
  readonly #meddledWith = new Set<string>();
  /** Claims of failed nodes that a person uncordoned all the same. */
  readonly #letGo = new Set<string>();
  /** Until when a rollout's canary soaks, as it was written first. */
  readonly #soaking = new Map<string, number>();
  /** How often a reboot followed on an order. */
  readonly #boots = new Map<string, number>();
  /** Failed updates by machine and target, and how many of them a person has forgiven. */
  readonly #failed = new Map<string, number>();
  readonly #forgiven = new Map<string, number>();
  /** Jobs that were made. */
  readonly #made = new Set<string>();

  constructor(objects: Objects, releasedAt: ReadonlyMap<string, Instant>) {
    this.#objects = objects;
    this.#releasedAt = releasedAt;
  }

  personCordons({ uid, unschedulable, record }: SimNode): void {
    if (!unschedulable && record === undefined) this.#theirs.add(uid);
  }

  personUncordons({ uid, record }: SimNode): void {
    this.#theirs.delete(uid);
    if (record !== undefined) this.#meddledWith.add(uid);
  }

  /** The node's own memory is lost: only what its policy remembers of the machine is known from now on. */
  losesMemory(machine: Machine): void {
    const record = this.#objects.nodes.get(machine.name)?.record;
    if (typeof record === 'object') this.#drains.forget(drainOf(record));
    const remembered = this.#objects.policies.items.flatMap(({ status }) => (status.rollouts ?? []).flatMap(({ failed }) => failed));
    for (const key of this.#failed.keys()) {
      const [hostID, target] = key.split(' ');
      const known = remembered.some((failure) => failure.hostID === hostID && failure.target === target);
      if (hostID === machine.hostID && !known) this.forgive(machine);
    }
  }

  /** A leader that was frozen may write over the status of a claim that it does not know of: what it remembers is lost. */
  statusWritten(name: string, { claim }: NodeUpdateStatus): void {
    const record = this.#objects.nodes.get(name)?.record;
    if (typeof record === 'object' && record.claim !== claim) this.#drains.forget(drainOf(record));
  }

  /** A person has asked for a retry. */
  forgive({ hostID }: { hostID: string }): void {
    this.#forgiven.set(hostID, (this.#forgiven.get(hostID) ?? 0) + 1);
  }

  /** A person has asked for a reboot. */
  asksReboot(machine: Machine): void {
    this.#byHand.asksReboot(machine);
  }

  /** Pods are evicted, or deleted, for a claim. */
  evicts(claim: string, pod: SimPod): void {
    const record = this.#objects.nodes.get(pod.node)?.record;
    // A leader that was frozen may evict for a claim that is long over.
    if (typeof record === 'object' && record.claim === claim) mustNot(this.#drains.evicts(drainOf(record), pod));
  }

  /** Invariants 4, 8 and 10: gone nodes hold no claim; every node of a policy has one reason. */
  decided(world: World, decision: Decision, now: Instant): void {
    const { policies, nodes } = decision;
    mustNot(this.#drains.forces(world, decision, now));
    mustNot(this.#drains.cordons(world, decision));
    mustNot(this.#byHand.untaints(world, decision));
    const uids = new Map(world.nodes.map(({ name, uid }) => [name, uid]));
    for (const { policy, claims } of policies) {
      const kept = claims ?? world.policies.find(({ name }) => name === policy)?.status.claims ?? [];
      for (const { node, uid } of kept)
        must(uids.get(node) === uid, `8: policy ${policy} keeps a claim on ${node} (${uid}), which is gone`);
    }
    const decided = Map.groupBy(nodes, ({ node }) => node);
    for (const name of assign(world.policies, world.nodes).keys()) {
      const reasons = decided.get(name)?.map(({ status }) => status) ?? [];
      must(reasons.length === 1, `10: ${reasons.length} statuses for ${name}`);
      must((reasons[0]?.reason ?? '') in REASONS && reasons[0]?.message !== '', `10: ${name} waits in silence: ${reasons[0]?.reason}`);
    }
  }

  /** Invariants 1 and 5: what the policy allowed when its claims were written; a halt ends by a person's hand alone. */
  policyWritten(world: World, before: PolicyView, after: PolicyView): void {
    const old = before.status.claims ?? [];
    const present = after.status.claims ?? [];
    for (const claim of old) if (!present.some(({ id }) => id === claim.id)) this.#dropped(claim);
    const begun = present.filter(({ id }) => !old.some((claim) => claim.id === id));
    this.#haltHolds(world, before, after);
    this.#superseded(before, after);
    const members = membersOf(world, before);
    const viewOf = (claim: Claim) => members.find(({ name, uid }) => name === claim.node && uid === claim.uid);
    const back = begun.filter((claim) => {
      const view = viewOf(claim);
      return view !== undefined && !isOfReboot(claim) && this.#rollbacks.isBack(after, view);
    });
    const there = begun.filter((claim) => !back.includes(claim));
    mustNot(this.#rollbacks.marks(before, after, budgetOf(before, members.length)));
    if (before.status.tokens?.clearBadRelease !== after.status.tokens?.clearBadRelease) for (const member of members) this.forgive(member);
    this.#groupsInTurn(world, before, after, there);
    this.#oldEnough(world, before, after);
    const held = before.spec.checks.length === 0 || (world.checks.has(before.uid) && world.checks.get(before.uid)?.failed === undefined);
    must(held || !endsSoak(before, after), '5: a group has soaked while a check fails');
    if (begun.length === 0) return;
    must(held || there.length === 0, '5: a claim while a check fails, or nobody has looked');
    must(world.guarded, '2: a claim while the agents’ admission policy is missing');
    must(!before.spec.paused && before.annotations[BY_HAND.paused] !== 'true', '5: a claim of a paused policy');
    if (there.length > 0) this.#withinFailureBudget(world, before);
    const urgent = (claim: Claim): boolean => {
      const view = members.find(({ name }) => name === claim.node);
      return !isOfReboot(claim) && isUrgentHere(view?.host?.status.staged?.version, before, view);
    };
    for (const claim of there)
      must(
        urgent(claim) || mayBegin(before.spec.schedule, instant(claim.at)),
        `5: a claim on ${claim.node} at ${claim.at}, outside the window or in an exclusion`,
      );
    const limit = limitOf(before, members.length);
    const used = new Set(
      this.#usedSlots(
        before,
        present.filter((claim) => !begun.includes(claim)),
      ),
    );
    for (const { name, ready, unschedulable } of members) if (!ready.status || unschedulable) used.add(name);
    for (const { name, update } of members)
      if (update?.status.phase === 'Soaking' && begun.some(({ at }) => at < (update.status.deadlines?.soak ?? ''))) used.add(name);
    for (const claim of begun) {
      const view = viewOf(claim);
      must(view !== undefined, `8: a claim on ${claim.node}, which is no node of ${before.name}`);
      if (view === undefined) continue;
      must(!view.unschedulable, `3: a claim on ${view.name}, which somebody else cordoned`);
      must(!view.deleting, `1: a claim on ${view.name}, which is being deleted`);
      const goesBack = back.includes(claim);
      must(
        goesBack || isOfReboot(claim) || urgent(claim) || isApproved(before, view),
        `5: a claim on ${view.name}, whose version nobody has approved`,
      );
      if (goesBack)
        mustNot(
          this.#rollbacks.claimsBack(
            members,
            back.filter((other) => other !== claim),
            view,
          ),
        );
      else if (!isOfReboot(claim)) mustNot(this.#rollbacks.claims(after, view));
      must(
        view.annotations[BY_HAND.paused] !== 'true' && view.update?.annotations[BY_HAND.paused] !== 'true',
        `5: a claim on paused ${view.name}`,
      );
      const counted = [...used].filter((name) => !(goesBack && (name === view.name || this.#failedWith(after, members, name, view))));
      if (view.ready.status) must(counted.length < limit, `1: ${view.name} is claimed over ${counted.length} of ${limit}: ${counted}`);
      used.add(view.name);
    }
  }

  /** A group ends by an updated node, by a person's word, or because it is empty; until then, and until it has soaked, no other node is claimed. */
  #groupsInTurn(world: World, before: PolicyView, after: PolicyView, begun: readonly Claim[]): void {
    const [canary] = after.spec.rollout.groups;
    if (canary === undefined) return;
    const isCanary = ({ labels }: NodeView) => labels['ring'] === 'canary';
    for (const { id, variant, target, groups = [] } of after.status.rollouts ?? []) {
      const old = before.status.rollouts?.find((rollout) => rollout.id === id)?.groups?.[0]?.state ?? 'Waiting';
      const state = groups[0]?.state;
      const peers = membersOf(world, before).filter((node) => node.os?.variant === variant);
      const canaries = peers.filter(isCanary);
      const key = `${before.uid} ${id}`;
      if (state === 'Soaking' && !this.#soaking.has(key)) this.#soaking.set(key, instant(groups[0]?.soakUntil ?? ''));
      if (state !== old && (state === 'Soaking' || (state === 'Finished' && old !== 'Soaking')))
        must(
          canaries.length === 0 || canaries.some(({ os }) => (os?.version ?? '') >= target),
          `group: the canary of ${id} is ${state}, and none of it runs ${target}`,
        );
      if (state === 'Finished' && old === 'Soaking')
        must(
          this.#objects.now + MAX_SKEW_MS >= (this.#soaking.get(key) ?? Number.POSITIVE_INFINITY),
          `group: the canary of ${id} has not soaked`,
        );
      if (state === 'Skipped' && old !== 'Skipped')
        must(
          before.annotations[BY_HAND.skip] !== undefined && before.annotations[BY_HAND.skip] !== before.status.tokens?.skip,
          `group: nobody asked to skip the canary of ${id}`,
        );
      for (const claim of begun.filter(({ rollout }) => rollout === id)) {
        const node = peers.find(({ name }) => name === claim.node);
        if (node !== undefined && !isCanary(node) && !isNamed(target, node))
          must(state === 'Finished' || state === 'Skipped', `group: ${node.name} is claimed while the canary of ${id} is ${state}`);
      }
    }
  }

  /** Whether a node failed in the rollout that another one is taken back with. */
  #failedWith({ status: { rollouts = [] } }: PolicyView, members: readonly NodeView[], name: string, { os }: NodeView): boolean {
    const hostID = members.find((member) => member.name === name)?.hostID;
    return rollouts.some(
      ({ variant, failed }) => variant === os?.variant && failed.some((one) => one.hostID === hostID && one.target === os.version),
    );
  }

  #dropped({ id, node, uid }: Claim): void {
    const present = this.#objects.nodes.get(node);
    must(present?.uid !== uid || present.annotations[ON_NODE.fence] === id, `lock: claim ${id} is dropped before ${node} has changed`);
  }

  *#usedSlots({ uid }: PolicyView, held: readonly Claim[]): Generator<string> {
    for (const { node } of held) yield node;
    for (const { name, record } of this.#objects.nodes.items) if (typeof record === 'object' && record.policyUID === uid) yield name;
  }

  #withinFailureBudget(world: World, policy: PolicyView): void {
    const failed = standingFailures(world, policy);
    const budget = budgetOf(policy, membersOf(world, policy).length);
    must(failed.length < budget, `5: a claim with ${failed.length} failed of a budget of ${budget}`);
  }

  /** A newer rollout need not know what failed under the one before. */
  #superseded({ status: { rollouts: old = [] } }: PolicyView, { status: { rollouts: present = [] } }: PolicyView): void {
    for (const { id, failed } of old)
      if (!present.some((rollout) => rollout.id === id)) for (const failure of failed) this.forgive(failure);
  }

  /** What the range takes has been out for long enough, whoever takes over meanwhile; a pin does not wait. */
  #oldEnough(world: World, before: PolicyView, { status: { rollouts: present = [] } }: PolicyView): void {
    const { spec, annotations, status } = before;
    if (spec.version.pin !== undefined || annotations[BY_HAND.pinVersion] !== undefined) return;
    const members = membersOf(world, before);
    for (const { id, target, startedAt } of present) {
      if (annotations[BY_HAND.urgent] === target) continue;
      if (status.rollouts?.some((rollout) => rollout.id === id) || !members.some(({ os }) => (os?.version ?? target) < target)) continue;
      const age = instant(startedAt) - (this.#releasedAt.get(target) ?? Number.POSITIVE_INFINITY);
      must(age + MAX_SKEW_MS >= durationMs(spec.version.minAge), `5: ${target} is rolled out ${age} ms after its release`);
    }
  }

  #haltHolds(world: World, before: PolicyView, after: PolicyView): void {
    const standing = standingFailures(world, before);
    if (standing.length < budgetOf(before, membersOf(world, before).length)) return;
    for (const { hostID, target } of standing)
      must(
        after.status.rollouts?.some(({ failed }) => failed.some((failure) => failure.hostID === hostID && failure.target === target)) ===
          true,
        `5: policy ${before.name} forgets that ${target} failed on ${hostID} while it is halted`,
      );
  }

  /** Invariant 3: what somebody else cordoned stays cordoned, and what we changed is put back. */
  nodeWritten(before: SimNode, after: SimNode, world: World): void {
    const { name, uid, record } = before;
    if (after.record === undefined && record === undefined)
      must(before.unschedulable === after.unschedulable, `3: ${name} has no record of ours`);
    if (after.record !== undefined && record === undefined) {
      this.#prior.set(uid, before);
      must(!before.unschedulable, `3: cordoned ${name}, which somebody else had cordoned`);
      if (typeof after.record === 'object') {
        this.#stillClaimed(name, after.record);
        const { policyUID, at, rollsBack } = after.record;
        const schedule = world.policies.find((policy) => policy.uid === policyUID)?.spec.schedule;
        const view = world.nodes.find((node) => node.uid === uid);
        const free = rollsBack === true || isHurried(after.record, view, world) || mayBegin(schedule, instant(at));
        must(free, `5: ${name} is cordoned at ${at}, outside the window or in an exclusion`);
      }
    }
    if (record === undefined || after.record !== undefined) return;
    must(!this.#theirs.has(uid), `3: uncordoned ${name}, which a person had cordoned`);
    must(!after.unschedulable, `3: ${name} stays cordoned without a record`);
    if (typeof record !== 'object') return;
    this.#finallyRan(name, record);
    this.#soakIsKept(before, record);
    if (!before.unschedulable && this.#meddledWith.has(uid)) this.#letGo.add(record.claim);
    this.#meddledWith.delete(uid);
    const { annotations = {}, labels = {} } = this.#prior.get(uid) ?? {};
    for (const [key, ours] of Object.entries(KEEP_NODE_ANNOTATIONS)) {
      const wanted = before.annotations[key] === ours ? annotations[key] : before.annotations[key];
      must(after.annotations[key] === wanted, `3: annotation ${key} of ${name} is ${after.annotations[key]}, should be ${wanted}`);
    }
    for (const [key, ours] of Object.entries(CORDON_LABELS)) {
      // A label that was there already is not ours, whatever it says.
      const wanted = labels[key] === undefined && before.labels[key] === ours ? undefined : before.labels[key];
      must(after.labels[key] === wanted, `3: label ${key} of ${name} is ${after.labels[key]}, should be ${wanted}`);
    }
  }

  /** Before an updated node is uncordoned it is written down until when it soaks: afterwards nothing else tells. */
  #soakIsKept({ name, uid, os, bootID }: SimNode, { claim, target, bootID: previous, soakMs }: CordonRecord): void {
    const update = this.#objects.updates.get(name);
    if (soakMs === undefined || update?.nodeUID !== uid || update.status.claim !== claim || update.status.phase === 'Failed') return;
    if (os?.version === target && bootID !== previous && update.status.because?.reason === 'UpToDate')
      must(update.status.deadlines?.soak !== undefined, `soak: ${name} is uncordoned, and nothing says that it soaks`);
  }

  /** A hook's Job is made: once for each name, and under what its position promises as far as a late request can be told. */
  makesJob({ namespace, name, at, node }: HookRun): void {
    const key = `${namespace}/${name}`;
    must(!this.#made.has(key), `hooks: Job ${key} is made twice`);
    this.#made.add(key);
    const present = this.#objects.nodes.get(node);
    if (at === 'AfterReboot' && typeof present?.record === 'object' && name.includes(present.record.claim))
      must(present.bootID !== present.record.bootID, `hooks: AfterReboot on ${node} before it has rebooted`);
  }

  /** Each hook Finally has run, and ended or had its time, before the node is given back. */
  #finallyRan(name: string, { hooks = [], claim }: CordonRecord): void {
    for (const [index, { at, namespace, timeoutMs }] of hooks.entries()) {
      if (at !== 'Finally') continue;
      const job = this.#objects.jobs.get(`${namespace}/lockkeeper-${claim}-${index}`);
      const ended = job !== undefined && (job.view.state !== 'Active' || job.createdAt + timeoutMs <= this.#objects.now);
      must(ended, `hooks: ${name} is uncordoned before its hook Finally (${index}) has ended`);
    }
  }

  /** The lock covers what is cordoned, as long as its policy is there. */
  #stillClaimed(name: string, { policyUID, claim }: { policyUID: string; claim: string }): void {
    const policy = this.#objects.policies.items.find(({ uid }) => uid === policyUID);
    if (policy !== undefined)
      must(policy.status.claims?.some(({ id }) => id === claim) === true, `lock: ${name} is cordoned without a claim`);
  }

  /** Invariant 2, when the order is written. */
  ordersReboot(world: World, view: NodeView, { order, record, decidedAt, listed }: RebootOrdered): void {
    const schedule = world.policies.find(({ uid }) => uid === record.policyUID)?.spec.schedule;
    must(
      schedule?.onClose !== 'Release' ||
        record.rollback !== undefined ||
        record.rollsBack === true ||
        isHurried(record, view, world) ||
        mayBegin(schedule, decidedAt),
      `5: a reboot of ${view.name} is ordered although the schedule has closed, and releases`,
    );
    const attached = this.#drains.stillAttached(world, view, record, decidedAt);
    must(attached === undefined, attached ?? '');
    const node = this.#objects.nodes.get(view.name);
    const hostRV = this.#objects.hosts.get(view.name)?.resourceVersion;
    if (view.host?.resourceVersion !== hostRV) return;
    must(world.guarded, '2: a reboot is ordered while the agents’ admission policy is missing');
    if (node?.uid !== view.uid) return;
    must(
      typeof node.record === 'object' && node.record.claim === record.claim,
      `2: a reboot is ordered of ${view.name} without our record`,
    );
    if (this.#meddledWith.has(node.uid)) return;
    must(node.unschedulable, `2: a reboot is ordered of ${view.name}, which is not cordoned`);
    // A pod that comes between the list and the order is one that no list can find.
    const left = this.#drains.leftBehind(listed, { claim: drainOf(record), drain: record.drain }, !world.standby);
    must(left.length === 0, `2: a reboot is ordered of ${view.name} with ${left} on it`);
    must(order.bootID === record.bootID && order.version === record.target, '2: the order is not the record’s');
    if (isRebootOnly(record)) must(view.os?.version === order.version, `2: a reboot by hand of ${view.name} into ${order.version}`);
    else must(view.host?.status.staged?.version === record.target, `2: a reboot of ${view.name} without a proof of ${record.target}`);
  }

  /** Invariant 2, when the host is asked. */
  asksForReboot(machine: Machine, order: Order): void {
    must(order.bootID === bootIDOf(machine), `2: ${machine.name} is rebooted for an order of an earlier boot`);
    must(
      machine.version === order.version ? !machine.activated : machine.activated && machine.staged === order.version,
      `2: ${machine.name} is rebooted into ${machine.staged}, not ${order.version}`,
    );
    this.#rollbacks.asksForReboot(machine, order.version ?? '');
    this.#isHeld(machine, order.id);
  }

  #isHeld({ name }: Machine, orderID: string): void {
    const node = this.#objects.nodes.get(name);
    // The order of a node that has been deleted since can no longer be taken back.
    if (node === undefined || !orderID.startsWith(`${node.uid}-`) || this.#letGo.has(orderID.split('.')[0] ?? '')) return;
    must(typeof node.record === 'object' && rebootOf(node.record) === orderID, `2: ${name} is rebooted without our record of that claim`);
    must(node.unschedulable || this.#meddledWith.has(node.uid), `2: ${name} is rebooted while it is not cordoned`);
  }

  /** Invariants 2 and 6, when the machine boots. */
  boots(machine: Machine): void {
    const { asked, flaw, activated, staged, fine } = machine;
    mustNot(this.#byHand.boots(machine, this.#objects.nodes.get(machine.name)));
    this.#rollbacks.boots(machine);
    if (asked !== undefined) {
      this.#isHeld(machine, asked);
      const count = (this.#boots.get(asked) ?? 0) + 1;
      this.#boots.set(asked, count);
      must(count === 1, `2: two reboots for order ${asked}`);
      const unwell = flaw === 'rollsBack' || (flaw === 'needsItsVersion' && staged !== fine);
      if (activated && unwell) this.updateFailed(machine, staged);
    }
  }

  /** The machine would not have its target. */
  updateFailed({ hostID, name }: Machine, target: string | undefined): void {
    const key = `${hostID} ${target}`;
    const count = (this.#failed.get(key) ?? 0) + 1;
    this.#failed.set(key, count);
    must(count <= 1 + (this.#forgiven.get(hostID) ?? 0), `6: ${target} failed on ${name} ${count} times, and nobody asked for a retry`);
  }
}

/** The drain before the reboot there, and what is evicted before the one back, under whatever boot. */
const drainOf = ({ claim, rollback }: CordonRecord): string => `${claim}${rollback === undefined ? '' : '.back'}`;

/** The one Reboot order that a record stands for: of the way there, or of the way back under the boot that this began under. */
const rebootOf = (record: CordonRecord): string =>
  `${drainOf(record)}${record.rollback === undefined ? '' : `-${record.rollback.bootID}`}.reboot`;

const membersOf = (world: World, policy: PolicyView): NodeView[] => {
  const assigned = assign(world.policies, world.nodes);
  return world.nodes.filter(({ name }) => assigned.get(name)?.uid === policy.uid);
};

/** Failures that the policy knows of, that no person has answered, and that the node has not outlived. */
function standingFailures(world: World, policy: PolicyView) {
  const { rollouts = [], badReleases = [], tokens } = policy.status;
  const resume = policy.annotations[BY_HAND.resume];
  if (resume !== undefined && resume !== tokens?.resume) return [];
  const clear = policy.annotations[BY_HAND.clearBadRelease];
  const cleared = clear !== undefined && clear !== tokens?.clearBadRelease;
  const isBad = ({ variant, target }: { variant: string; target: string }) =>
    badReleases.some((bad) => bad.variant === variant && bad.version === target);
  return rollouts
    .filter((rollout) => !(cleared && isBad(rollout)))
    .flatMap(({ failed }) => failed)
    .filter(({ resumed, hostID, target }) => {
      const node = world.nodes.find((view) => view.hostID === hostID);
      if (resumed === true || (node !== undefined && isRetried(node, policy))) return false;
      return node === undefined || node.update?.status.failures?.some((failure) => failure.target === target) === true;
    });
}

function isRetried({ annotations, update }: NodeView, policy: PolicyView): boolean {
  const retry = annotations[BY_HAND.retry] ?? update?.annotations[BY_HAND.retry];
  const all = policy.annotations[BY_HAND.retry];
  return (
    (retry !== undefined && retry !== update?.status.tokens?.retry) || (all !== undefined && all !== update?.status.tokens?.policyRetry)
  );
}

function isApproved({ spec, annotations }: PolicyView, { annotations: own, update, host }: NodeView): boolean {
  const approved = [annotations, own, update?.annotations].map((of) => of?.[BY_HAND.approvedVersion]);
  return spec.approval === 'Automatic' || approved.includes(host?.status.staged?.version);
}

function limitOf({ spec }: PolicyView, nodes: number): number {
  const count = share(spec.rollout.maxUnavailable, nodes);
  return nodes >= 2 ? Math.min(count, nodes - 1) : count;
}

const budgetOf = ({ spec }: PolicyView, nodes: number): number => share(spec.rollout.failureBudget, nodes);

const share = (amount: number | string, of: number): number =>
  typeof amount === 'number' ? amount : Math.max(1, Math.floor((Number(amount.replace('%', '')) / 100) * of));

/** Whether a group that soaked is finished by a write. */
const endsSoak = (before: PolicyView, after: PolicyView): boolean =>
  (after.status.rollouts ?? []).some(({ id, groups = [] }) => {
    const old = before.status.rollouts?.find((rollout) => rollout.id === id)?.groups;
    return groups.some(({ name, state }) => state === 'Finished' && old?.find((group) => group.name === name)?.state === 'Soaking');
  });
