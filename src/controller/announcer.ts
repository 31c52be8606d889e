import type { NodeUpdateStatus, Phase } from '../api/node-update.ts';
import type { Decision } from '../core/command.ts';
import { instant, type NodeView, type World } from '../core/world.ts';
import type { Logger } from '../kube/logger.ts';
import type { EventRecorder } from './events.ts';

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
  readonly #problems = new Map<string, string>();

  constructor(events: Pick<EventRecorder, 'record'>, logger: Logger, onChange: (change: PhaseChange) => void) {
    this.#events = events;
    this.#logger = logger;
    this.#onChange = onChange;
  }

  /** Announces what is new in a decision against what was announced, or persisted, before. */
  announce(world: World, decision: Decision, skip: ReadonlySet<string>): void {
    const nodes = new Map(world.nodes.map((node) => [node.name, node]));
    const uids = new Set(world.nodes.map(({ uid }) => uid));
    for (const uid of this.#phases.keys()) if (!uids.has(uid)) this.#phases.delete(uid);
    for (const { node: name, status } of decision.nodes) {
      const node = nodes.get(name);
      if (node !== undefined && !skip.has(name)) this.#node(world, node, status);
    }
    for (const { policy, status } of decision.policies) {
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      const problem = ready?.status === 'False' ? ready.message : '';
      const uid = world.policies.find(({ name }) => name === policy)?.uid ?? '';
      if (this.#problems.get(policy) === problem || (problem === '' && !this.#problems.has(policy))) continue;
      this.#problems.set(policy, problem);
      if (problem !== '')
        this.#events.record({
          about: { kind: 'UpdatePolicy', name: policy, uid },
          type: 'Warning',
          reason: 'PolicyNotReady',
          message: problem,
        });
    }
  }

  #node(world: World, node: NodeView, status: NodeUpdateStatus): void {
    const before = this.#phases.get(node.uid) ?? { phase: node.update?.status.phase, since: node.update?.status.since };
    this.#phases.set(node.uid, { phase: status.phase, since: status.since });
    const key = `node ${node.uid}`;
    if (status.reason === 'InvalidAnnotation' && this.#problems.get(key) !== status.message) {
      this.#problems.set(key, status.message ?? '');
      this.#events.record({
        about: { kind: 'Node', name: node.name, uid: node.uid },
        type: 'Warning',
        reason: 'InvalidAnnotation',
        message: status.message ?? '',
      });
    }
    if (before.phase === status.phase || status.phase === undefined) return;
    const type = isBad(status.phase) ? 'Warning' : 'Normal';
    const message = status.message ?? '';
    this.#events.record({ about: { kind: 'Node', name: node.name, uid: node.uid }, type, reason: status.phase, message });
    const policy = world.policies.find(({ name }) => name === status.policy);
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
    this.#logger.info(
      {
        action: 'Phase',
        node: node.name,
        policy: status.policy,
        phaseFrom: before.phase,
        phase: status.phase,
        from: status.from,
        to: status.target,
        reason: status.reason,
        why: message,
      },
      'phase changed',
    );
    this.#onChange({ node, from: before.phase, status, ...(Number.isFinite(seconds) && { seconds }) });
  }
}

function isBad(phase: Phase): boolean {
  switch (phase) {
    case 'Blocked':
    case 'RolledBack':
    case 'Failed':
      return true;
    case 'Idle':
    case 'Staging':
    case 'Staged':
    case 'Draining':
    case 'Rebooting':
    case 'Verifying':
    case 'Uncordoning':
      return false;
  }
}
