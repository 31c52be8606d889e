import type { NodeUpdateStatus, Phase } from '../api/node-update.ts';
import type { Condition } from '../api/primitives.ts';
import type { UpdatePolicyStatus } from '../api/update-policy.ts';
import type { Decision } from '../core/command.ts';
import { annotationProblem, NODE_CONDITIONS } from '../core/conditions.ts';
import { instant, type NodeView, type PolicyView, type World } from '../core/world.ts';
import type { Logger } from '../kube/logger.ts';
import type { EventRecorder, EventTarget } from './events.ts';

/** A node's change from one phase to another. */
export interface PhaseChange {
  node: NodeView;
  from: Phase | undefined;
  status: NodeUpdateStatus;
  /** How long the node was in the phase before, in seconds; absent where that is not known. */
  seconds?: number;
}

/** Tells people of every phase change: an Event on the Node and on its policy, a log line, and whoever counts them. */
export class Announcer {
  readonly #events: Pick<EventRecorder, 'record'>;
  readonly #logger: Logger;
  readonly #onChange: (change: PhaseChange) => void;
  readonly #phases = new Map<string, { phase: Phase | undefined; since: string | undefined }>();
  /** What was last said to be wrong with an object, by its uid and the reason; empty where nothing was. */
  readonly #problems = new Map<string, Map<string, string>>();

  constructor(events: Pick<EventRecorder, 'record'>, logger: Logger, onChange: (change: PhaseChange) => void) {
    this.#events = events;
    this.#logger = logger;
    this.#onChange = onChange;
  }

  /** Announces what is new in a decision against what was announced, or persisted, before. */
  announce(world: World, decision: Decision, skip: ReadonlySet<string>): void {
    const nodes = new Map(world.nodes.map((node) => [node.name, node]));
    const policies = new Map(world.policies.map((policy) => [policy.name, policy]));
    const uids = new Set([...world.nodes, ...world.policies].map(({ uid }) => uid));
    for (const known of [this.#phases, this.#problems]) for (const uid of known.keys()) if (!uids.has(uid)) known.delete(uid);
    for (const { node: name, status } of decision.nodes) {
      const node = nodes.get(name);
      if (node !== undefined && !skip.has(name)) this.#node(policies, node, status);
    }
    for (const { policy: name, status } of decision.policies) {
      const policy = policies.get(name);
      if (policy === undefined) continue;
      const about = { kind: 'UpdatePolicy', name, uid: policy.uid } as const;
      this.#problem(about, 'PolicyNotReady', problemOf(policy.status), problemOf(status));
      this.#urgent(about, policy.status.conditions, status.conditions);
      for (const type of ['Halted', 'BadRelease'])
        this.#problem(about, type, messageOf(policy.status.conditions, type), messageOf(status.conditions, type));
    }
  }

  #node(policies: ReadonlyMap<string, PolicyView>, node: NodeView, status: NodeUpdateStatus): void {
    const persisted = node.update?.status;
    const before = this.#phases.get(node.uid) ?? { phase: persisted?.phase, since: persisted?.since };
    this.#phases.set(node.uid, { phase: status.phase, since: status.since });
    const about = { kind: 'Node', name: node.name, uid: node.uid } as const;
    this.#problem(about, 'InvalidAnnotation', annotationProblem(persisted), annotationProblem(status));
    this.#urgent(about, persisted?.conditions, status.conditions);
    if (before.phase === status.phase || status.phase === undefined) return;
    const type = isBad(status.phase) ? 'Warning' : 'Normal';
    const message = status.message ?? '';
    this.#events.record({ about, type, reason: status.phase, message });
    const policy = policies.get(status.policy ?? '');
    if (policy !== undefined) {
      this.#events.record({
        about: { kind: 'UpdatePolicy', name: policy.name, uid: policy.uid },
        type,
        reason: status.phase,
        message: `${node.name}: ${message}`,
      });
    }
    const seconds =
      before.since === undefined || status.since === undefined ? Number.NaN : (instant(status.since) - instant(before.since)) / 1000;
    // A node that has landed says no longer where it came from; its record, which goes now, does.
    const record = typeof node.record === 'object' ? node.record : undefined;
    this.#logger.info(
      {
        action: 'Phase',
        node: node.name,
        policy: status.policy,
        claim: record?.claim ?? status.claim,
        phaseFrom: before.phase,
        phase: status.phase,
        from: record?.from ?? status.from,
        to: record?.target ?? status.target,
        reason: status.reason,
        why: message,
      },
      'phase changed',
    );
    this.#onChange({ node, from: before.phase, status, ...(Number.isFinite(seconds) && seconds >= 0 && { seconds }) });
  }

  /** An urgent version passes rules that people made: who asks for it is told where people and auditors look. */
  #urgent(about: EventTarget, persisted: readonly Condition[] | undefined, now: readonly Condition[] | undefined): void {
    const told = this.#problem(about, 'Urgent', urgencyIn(persisted), urgencyIn(now));
    if (told !== undefined) this.#logger.info({ action: 'Urgent', about: about.kind, name: about.name, why: told }, 'acted');
  }

  /** Tells of a problem once, for as long as it is the same; one that was persisted was told by whoever led then. Returns what it told. */
  #problem(about: EventTarget, reason: string, persisted: string, now: string): string | undefined {
    const known = this.#problems.get(about.uid) ?? new Map<string, string>();
    const before = known.get(reason) ?? persisted;
    this.#problems.set(about.uid, known.set(reason, now));
    if (now === '' || now === before) return undefined;
    this.#events.record({ about, type: 'Warning', reason, message: now });
    return now;
  }
}

/** What is to be told of an urgent version: nothing before it is what nodes are brought to. */
function urgencyIn(conditions: readonly Condition[] = []): string {
  const urgent = conditions.find(({ type }) => type === NODE_CONDITIONS.urgent);
  return urgent?.status === 'True' && urgent.reason === 'Urgent' ? urgent.message : '';
}

/** What a condition says that holds; empty where it does not. */
function messageOf(conditions: readonly Condition[] = [], type: string): string {
  const found = conditions.find((condition) => condition.type === type);
  return found?.status === 'True' ? found.message : '';
}

function problemOf(status: UpdatePolicyStatus): string {
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'False' ? ready.message : '';
}

function isBad(phase: Phase): boolean {
  switch (phase) {
    case 'Blocked':
    case 'RollingBack':
    case 'RolledBack':
    case 'Failed':
      return true;
    case 'Idle':
    case 'Staging':
    case 'Staged':
    case 'Soaking':
    case 'Draining':
    case 'Rebooting':
    case 'Verifying':
    case 'Uncordoning':
      return false;
  }
}
