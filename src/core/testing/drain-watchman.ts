import type { CordonRecord } from '../../api/cordon-record.ts';
import type { Decision } from '../command.ts';
import { hooksTimeMs } from '../flight/hooks.ts';
import type { SimPod } from '../simulate/objects.ts';
import { instant, type NodeView, type PodView, type World } from '../world.ts';

/** Looks on at what is evicted, deleted and left behind; says what did not hold. */
export class DrainWatchman {
  /** Uids of pods that tolerate a cordon and were evicted, by claim and name. */
  readonly #evicted = new Map<string, Set<string>>();
  /** How often the memory of a drain was lost, by claim. */
  readonly #forgotten = new Map<string, number>();

  /** Invariant 4: a budget is only bypassed where the policy says so, and its time is up. */
  forces({ nodes, policies }: World, { drains }: Decision, now: number): string | undefined {
    for (const { node, force } of drains) {
      const { record } = nodes.find(({ name }) => name === node) ?? {};
      if (force !== true || typeof record !== 'object') continue;
      const policy = policies.find(({ uid }) => uid === record.policyUID);
      if (policy?.spec.drain.onTimeout !== 'Force') return `4: pods of ${node} are deleted, and no policy says so`;
      // The deadline leaves the hooks before the drain all their time; without them it is earlier.
      if (instant(record.drainDeadline) - hooksTimeMs(record.hooks, 'BeforeDrain') > now)
        return `4: pods of ${node} are deleted before the drain’s time is up`;
    }
    return undefined;
  }

  /** Nothing is cordoned whose pods, as the controller sees them, can never be evicted. */
  cordons({ pods, budgets }: World, { nodes }: Decision): string | undefined {
    for (const { node, commands } of nodes) {
      const cordon = commands.find((command) => command.type === 'Cordon');
      if (cordon === undefined || cordon.record.drain.mode === 'None') continue;
      const shut = new Set(budgets.get('shop')?.flatMap(({ name, expectedPods }) => (expectedPods === 2 ? name : [])));
      const isShut = ({ namespace, name }: PodView): boolean => namespace === 'shop' && shut.has(name);
      const never = pods.get(node)?.find((pod) => !pod.terminating && (pod.controller === undefined || isShut(pod)));
      if (never !== undefined) return `4: ${node} is cordoned with ${never.name} on it, which can never be evicted`;
    }
    return undefined;
  }

  /** Pods that come straight back are evicted once a claim. */
  evicts(claim: string, { name, uid, toleratesCordon }: SimPod): string | undefined {
    if (toleratesCordon !== true) return undefined;
    const key = `${claim} ${name}`;
    const uids = (this.#evicted.get(key) ?? new Set()).add(uid);
    this.#evicted.set(key, uids);
    const allowed = 1 + (this.#forgotten.get(claim) ?? 0);
    return uids.size <= allowed ? undefined : `2: ${name} is evicted ${uids.size} times for claim ${claim}`;
  }

  /** The memory of a drain is lost: what comes back may be evicted once more, and before that by a leader that has not seen the loss. */
  forget(claim: string): void {
    this.#forgotten.set(claim, (this.#forgotten.get(claim) ?? 0) + 1);
  }

  /** No reboot is ordered over volumes that the controller sees, unless the policy says so, and its time is up. */
  stillAttached(
    { policies }: World,
    { name, volumesAttached = [] }: NodeView,
    record: CordonRecord,
    decidedAt: number,
  ): string | undefined {
    if (volumesAttached.length === 0 || record.drain.mode === 'None') return undefined;
    const forced = policies.find(({ uid }) => uid === record.policyUID)?.spec.drain.onTimeout === 'Force';
    const late = instant(record.drainDeadline) - hooksTimeMs(record.hooks, 'BeforeDrain') <= decidedAt;
    return forced && late ? undefined : `2: a reboot of ${name} is ordered with ${volumesAttached} attached to it`;
  }

  /** Invariant 2: what a finished drain has left on the node, and must not have. */
  leftBehind(pods: readonly SimPod[], { claim, drain }: Pick<CordonRecord, 'claim' | 'drain'>, ridesThrough: boolean): readonly string[] {
    if (drain.mode === 'None') return [];
    const mayStay = ({ name, uid, controller, toleratesCordon }: SimPod): boolean => {
      if (controller?.kind === 'DaemonSet' || (name === 'lockkeeper' && ridesThrough)) return true;
      const evicted = this.#evicted.get(`${claim} ${name}`);
      return toleratesCordon === true && evicted !== undefined && !evicted.has(uid);
    };
    return pods.filter((pod) => !mayStay(pod)).map(({ name }) => name);
  }
}
