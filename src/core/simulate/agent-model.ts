import type { Answer, ErrorCode, NodeHostStatus, Order } from '../../api/node-host.ts';
import { timestamp } from '../world.ts';
import type { Cluster } from './cluster.ts';
import { type Lie, untruth } from './lies.ts';
import { bootIDOf, type Machine, type SimHost } from './objects.ts';
import { ConflictError, type Lag, ObjectCache } from './store.ts';

/** More effects than any order has. */
const MANY = 10;

/** The agent of one machine, by the protocol of its fence; it can be killed, and its machine can boot, between any two steps. */
export class AgentModel {
  readonly #cluster: Cluster;
  readonly #machine: Machine;
  readonly #cache: ObjectCache<SimHost>;
  #work: Iterator<void> | undefined;
  #fencedHere: string | undefined;
  #asked: string | undefined;

  constructor(cluster: Cluster, machine: Machine) {
    this.#cluster = cluster;
    this.#machine = machine;
    this.#cache = new ObjectCache(cluster.hosts, machine.name);
  }

  /** Goes on to its next effect. */
  step(lag: Lag): void {
    if (!this.#machine.agentUp) return;
    this.#cache.advance(lag);
    this.#work ??= this.#round();
    if (this.#work.next().done === true) this.#work = undefined;
  }

  /** Does all that there is to do now. */
  work(): void {
    for (let step = 0; step < MANY; step += 1) this.step('none');
  }

  /** Writes what is not true. */
  lie(lie: Lie): void {
    const letter = this.#letter();
    if (letter === undefined || !this.#machine.agentUp) return;
    if (lie === 'isAsked') this.#machine.pretends = true;
    this.#write(untruth(lie, letter.spec.order, { at: timestamp(this.#cluster.now), offered: this.#cluster.offered(this.#machine) }));
  }

  /** The program ends, and all that it only remembered. */
  kill(): void {
    this.#work = undefined;
    this.#fencedHere = undefined;
    this.#asked = undefined;
  }

  #letter(): SimHost | undefined {
    const { name } = this.#machine;
    const { value } = this.#cache;
    const isOurs = value?.nodeUID === this.#cluster.nodes.get(name)?.uid && value?.nodeUID === this.#cluster.hosts.get(name)?.nodeUID;
    return isOurs ? value : undefined;
  }

  *#round(): Generator<void> {
    const letter = this.#letter();
    if (letter === undefined) return;
    yield* this.#learnFacts(letter);
    const { order } = letter.spec;
    const { answer } = this.#status();
    if (order === undefined || (answer?.id === order.id && ['Done', 'Failed', 'Unsupported'].includes(answer.state))) return;
    if (this.#rebootMayFollow(order)) return;
    switch (order.action) {
      case 'Stage':
        return yield* this.#stage(order);
      case 'Reboot':
        return yield* this.#reboot(order, letter);
      case 'Cancel':
        this.#machine.activated = false;
        yield;
        this.#answer(order, 'Done');
        return;
    }
  }

  *#learnFacts(letter: SimHost): Generator<void> {
    const bootID = bootIDOf(this.#machine);
    const { status, spec } = letter;
    const changes: Partial<NodeHostStatus> = {};
    if (status.bootID !== bootID) Object.assign(changes, { bootID, version: this.#machine.version, staged: undefined });
    else if (status.staged !== undefined && this.#machine.staged !== status.staged.version) changes.staged = undefined;
    const { answer } = status;
    const askedUnder = spec.order?.id === answer?.id ? spec.order?.bootID : status.bootID;
    if (answer?.state === 'RebootAsked' && askedUnder !== undefined && askedUnder !== bootID) changes.answer = { ...answer, state: 'Done' };
    const available = this.#offered(spec.ignoreWaves);
    if (status.available?.join() !== available.join()) changes.available = [...available];
    if (Object.keys(changes).length === 0) return;
    yield;
    this.#write(changes);
  }

  /** What the host is offered, past its waves where it ignores them. */
  #offered(ignoreWaves = false): readonly string[] {
    return this.#cluster.offered(ignoreWaves ? { ...this.#machine, waits: false } : this.#machine);
  }

  #rebootMayFollow({ id }: Order): boolean {
    const { answer, staged } = this.#status();
    if (answer?.state !== 'RebootAsked' || answer.id === id) return false;
    if (this.#fencedHere === answer.id && this.#asked !== answer.id) return false;
    const hostShowsNone = staged !== undefined && this.#machine.staged !== undefined && !this.#machine.activated;
    return this.#asked === answer.id || !hostShowsNone;
  }

  *#stage(order: Order): Generator<void> {
    const machine = this.#machine;
    const { version = '' } = order;
    yield;
    this.#answer(order, 'Running', { staged: undefined });
    machine.activated = false;
    machine.staged = undefined;
    yield;
    if (!this.#offered(order.ignoreWaves).includes(version)) {
      this.#answer(order, 'Failed', {}, 'NotOffered');
      return;
    }
    if (machine.flaw === 'failsPrepare' || machine.version === version) {
      this.#answer(order, 'Failed', {}, 'PrepareFailed');
      return;
    }
    machine.staged = version;
    yield;
    const staged = { version, provenAt: timestamp(this.#cluster.now), lastCommandAt: timestamp(this.#cluster.now) };
    if (this.#letter()?.spec.order?.id === order.id) this.#answer(order, 'Done', { staged });
    else this.#write({ staged });
  }

  *#reboot(order: Order, { resourceVersion }: SimHost): Generator<void> {
    const machine = this.#machine;
    if (this.#asked === order.id) return;
    const { answer, staged } = this.#status();
    const fenced = answer?.id === order.id && answer.state === 'RebootAsked';
    if (bootIDOf(machine) !== order.bootID) {
      if (!fenced) this.#answer(order, 'Failed', {}, 'BootIDChanged');
      return;
    }
    const alone = machine.version === order.version;
    const proven = staged?.version === order.version && machine.staged === order.version;
    if (!fenced) {
      if (alone) machine.activated = false;
      else if (!proven) {
        machine.activated = false;
        this.#answer(order, 'Failed', {}, 'ProofLost');
        return;
      }
      yield;
      if (!this.#fence(order, resourceVersion, alone)) return;
      this.#fencedHere = order.id;
    }
    yield;
    if (!alone && !machine.activated) {
      if (machine.staged !== order.version) {
        if (this.#fencedHere === order.id) this.#answer(order, 'Failed', {}, 'ProofLost');
        return;
      }
      if (machine.flaw === 'refusesActivation') {
        this.#cluster.witness.updateFailed?.(machine, order.version);
        this.#answer(order, 'Failed', {}, 'ActivationFailed');
        return;
      }
      machine.activated = true;
    }
    const { activated, staged: made } = machine;
    yield;
    // Whoever uses the host's update API between its last answer and the request for the reboot is seen by nobody.
    this.#cluster.witness.asksForReboot?.({ ...machine, activated, staged: made }, order);
    this.#asked = order.id;
    machine.asked = order.id;
  }

  #fence(order: Order, resourceVersion: string, alone: boolean): boolean {
    const { hosts } = this.#cluster;
    const { name } = this.#machine;
    const answer = { id: order.id, state: 'RebootAsked', startedAt: timestamp(this.#cluster.now) } as const;
    for (let seen: string | undefined = resourceVersion; seen !== undefined; ) {
      try {
        hosts.patch(name, seen, ({ status: { staged, ...status } }) => ({
          // Nothing is activated, so no proof must seem to say that nothing was asked for.
          status: { ...status, ...(staged !== undefined && !alone && { staged }), answer },
        }));
        this.#cache.observe();
        return true;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        this.#cache.observe();
        const letter = this.#letter();
        seen = JSON.stringify(letter?.spec.order) === JSON.stringify(order) ? letter?.resourceVersion : undefined;
      }
    }
    return false;
  }

  #status(): NodeHostStatus {
    return this.#letter()?.status ?? {};
  }

  #answer(order: Order, state: Answer['state'], changes: Partial<NodeHostStatus> = {}, code?: ErrorCode): void {
    const error = code === undefined ? {} : { error: { code, message: 'the simulated host said so' } };
    this.#write({ ...changes, answer: { id: order.id, state, startedAt: timestamp(this.#cluster.now), ...error } });
  }

  #write(changes: { [Key in keyof NodeHostStatus]?: NodeHostStatus[Key] | undefined }): void {
    const letter = this.#letter();
    if (letter === undefined) return;
    this.#cluster.hosts.patch(this.#machine.name, undefined, ({ status }) => ({
      status: Object.fromEntries(Object.entries({ ...status, ...changes }).filter(([, value]) => value !== undefined)),
    }));
    this.#cache.observe();
  }
}
