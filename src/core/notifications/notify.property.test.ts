import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import { NOTIFICATION_TYPES, type Notified } from '../../api/notifications.ts';
import type { Condition } from '../../api/primitives.ts';
import type { Decision } from '../command.ts';
import { aNode, anUpdate, aPolicy, aWorld, HOUR, MINUTE, NEW, NOW } from '../testing/builders.ts';
import { timestamp, type World } from '../world.ts';
import { subjectOf } from './notification.ts';
import { type Due, notify, type Settled } from './notify.ts';
import { sightingsOf } from './sightings.ts';

const NODES = ['a', 'b', 'c'];
const AUDIENCE = ['ops', 'chat'].map((name) => ({ name, types: new Set(NOTIFICATION_TYPES) }));
const SETTINGS = { audience: AUDIENCE, windowNoticeMs: HOUR };

type Step =
  | { do: 'fail' | 'block' | 'mend'; node: string }
  | { do: 'halt' | 'resume' | 'kill' }
  | { do: 'wait'; minutes: number }
  /** A pass, whose write of the policy's status may be refused. */
  | { do: 'pass'; written: boolean }
  /** The receiver of a webhook gets what has waited longest; whether it is given up. */
  | { do: 'deliver'; webhook: string; dropped: boolean };

const nodeStep = fc.record({ do: fc.constantFrom('fail' as const, 'block' as const, 'mend' as const), node: fc.constantFrom(...NODES) });
const step: fc.Arbitrary<Step> = fc.oneof(
  nodeStep,
  fc.record({ do: fc.constantFrom('halt' as const, 'resume' as const, 'kill' as const) }),
  fc.record({ do: fc.constant('wait' as const), minutes: fc.integer({ min: 0, max: 90 }) }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), written: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('deliver' as const), webhook: fc.constantFrom('ops', 'chat'), dropped: fc.boolean() }),
  },
);

/** A cluster whose statuses are persisted, the memory of whichever controller leads, and what receivers have got. */
class Model {
  now = NOW;
  readonly heard: string[] = [];
  /** How often a controller was killed after a webhook was done with a notification, and before that was written down. */
  readonly excuses = new Map<string, number>();
  /** What each webhook has heard of, or had dropped for it, without since when. */
  readonly #done = new Set<string>();
  readonly #nodes = new Map<string, NodeUpdateStatus>(NODES.map((name) => [name, {}]));
  #halted: Condition | undefined;
  #notified: readonly Notified[] | undefined;
  #queue: Due[] = [];
  #settled: readonly Settled[] = [];

  do(step: Step): void {
    switch (step.do) {
      case 'fail':
        this.#put(step.node, { phase: 'Failed', reason: 'RebootTimeout' });
        break;
      case 'block':
        this.#put(step.node, { phase: 'Blocked', reason: 'CannotEvict', target: NEW });
        break;
      case 'mend':
        this.#put(step.node, { phase: 'Idle', reason: 'UpToDate' });
        break;
      case 'halt':
        this.#halted ??= { type: 'Halted', status: 'True', reason: 'R', message: 'm', lastTransitionTime: timestamp(this.now) };
        break;
      case 'resume':
        this.#halted = undefined;
        break;
      case 'wait':
        this.now += step.minutes * MINUTE;
        break;
      case 'kill':
        for (const { id, webhook } of this.#settled) this.#excuse(`${webhook} ${id}`);
        this.#queue = [];
        this.#settled = [];
        break;
      case 'pass':
        this.pass(step.written);
        break;
      case 'deliver':
        this.deliver(step.webhook, step.dropped);
        break;
    }
  }

  pass(written: boolean): void {
    // Each moment is one of its own.
    this.now += 1;
    const { world, decision } = this.#seen();
    const notices = notify(world, decision, this.#settled, SETTINGS, this.now);
    this.#settled = notices.unwritten;
    for (const due of notices.due) if (!this.#queue.some((one) => key(one) === key(due))) this.#queue.push(due);
    if (written) this.#notified = notices.decision.policies[0]?.status.notified;
  }

  deliver(webhook: string, dropped: boolean): void {
    const index = this.#queue.findIndex((due) => due.webhook === webhook);
    const [due] = index === -1 ? [] : this.#queue.splice(index, 1);
    if (due === undefined) return;
    if (!dropped) this.heard.push(key(due));
    const { policyUID, id } = due.notification;
    this.#done.add(`${webhook} ${subjectOf(id)}`);
    this.#settled = [...this.#settled, { policyUID, id, webhook, at: this.now }];
  }

  /** What is so, and a webhook has not heard of, be it since when it may. */
  unheard(): string[] {
    const { world, decision } = this.#seen();
    const [policy] = world.policies;
    if (policy === undefined) return [];
    const nodes = decision.nodes.map(({ node, status }) => ({
      node: world.nodes.find(({ name }) => name === node) ?? aNode(node),
      status,
    }));
    return sightingsOf({ policy, status: decision.policies[0]?.status ?? {}, nodes }, HOUR, this.now)
      .filter(({ at }) => at <= this.now && this.now - at <= 24 * HOUR)
      .flatMap(({ id }) => AUDIENCE.map(({ name }) => ({ id, name })))
      .filter(({ id, name }) => !this.#done.has(`${name} ${subjectOf(id)}`))
      .map(({ id, name }) => `${name} ${id}`);
  }

  #excuse(what: string): void {
    const written = this.#notified?.some(({ id, webhooks }) => webhooks.some((webhook) => `${webhook} ${id}` === what));
    if (written !== true) this.excuses.set(what, (this.excuses.get(what) ?? 0) + 1);
  }

  #put(node: string, status: NodeUpdateStatus): void {
    this.now += 1;
    const before = this.#nodes.get(node);
    const since = before?.phase === status.phase && before?.since !== undefined ? before.since : timestamp(this.now);
    this.#nodes.set(node, { ...status, policy: 'default', since });
  }

  #seen(): { world: World; decision: Decision } {
    const status = this.#halted === undefined ? {} : { conditions: [this.#halted] };
    const persisted = this.#notified === undefined ? status : { ...status, notified: [...this.#notified] };
    const nodes = [...this.#nodes].map(([name, of]) => aNode(name, { update: anUpdate(of) }));
    const world = aWorld({ policies: [aPolicy({ status: persisted })], nodes });
    const none = { drains: [], lookAt: [], jobs: [], checks: [], handOver: false };
    const decided = nodes.map(({ name, update }) => ({ node: name, status: update?.status ?? {}, commands: [] }));
    return { world, decision: { policies: [{ policy: 'default', status }], nodes: decided, ...none } };
  }
}

const key = ({ webhook, notification: { id } }: Due): string => `${webhook} ${id}`;

test('wherever controllers are killed, what is so is told once to each webhook, and twice only where nobody could write it down in time', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const model = new Model();
      for (const one of steps) model.do(one);
      // In the end the receivers answer, and the API server takes what is written.
      for (let round = 0; round < 8; round += 1) {
        model.pass(true);
        for (const { name } of AUDIENCE) for (let index = 0; index < 8; index += 1) model.deliver(name, false);
      }
      model.pass(true);
      for (const [what, times] of Map.groupBy(model.heard, (one) => one))
        expect([what, times.length <= 1 + (model.excuses.get(what) ?? 0)]).toEqual([what, true]);
      expect(model.unheard()).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
