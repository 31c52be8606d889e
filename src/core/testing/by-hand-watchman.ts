import { type CordonRecord, isRebootOnly } from '../../api/cordon-record.ts';
import { BY_HAND } from '../../api/names.ts';
import type { Claim } from '../../api/update-policy.ts';
import type { Decision } from '../command.ts';
import type { Machine, SimNode } from '../simulate/objects.ts';
import type { NodeView, PolicyView, World } from '../world.ts';

/** Looks on at what people ask for by hand, by the annotations alone; each answer is what is wrong, or nothing. */
export class ByHandWatchman {
  /** Reboots by hand of each machine, and how many have been asked for. */
  readonly #rebooted = new Map<string, number>();
  readonly #asked = new Map<string, number>();

  /** A person gives a node a new `reboot` token, or its policy. */
  asksReboot({ hostID }: Machine): void {
    this.#asked.set(hostID, (this.#asked.get(hostID) ?? 0) + 1);
  }

  /** Each token counts once. */
  boots({ hostID, name, asked }: Machine, node: SimNode | undefined): string | undefined {
    const record = node?.record;
    if (typeof record !== 'object' || !isRebootOnly(record) || asked !== `${record.claim}.reboot`) return undefined;
    const count = (this.#rebooted.get(hostID) ?? 0) + 1;
    this.#rebooted.set(hostID, count);
    const wanted = this.#asked.get(hostID) ?? 0;
    return count <= wanted ? undefined : `2: ${name} is rebooted by hand ${count} times, and was asked to ${wanted} times`;
  }

  /** A taint stays as long as its node is away, and goes from no node that carries none. */
  untaints({ nodes }: World, decision: Decision): string | undefined {
    for (const { node: name, commands, status } of decision.nodes) {
      if (!commands.some(({ type }) => type === 'Untaint')) continue;
      const node = nodes.find((view) => view.name === name);
      const home = node?.record === undefined || commands.some(({ type }) => type === 'Uncordon') || status.phase === 'Failed';
      if (node?.outdated !== true || !home) return `taint: ${name} is to lose it, and is not home, or carries none`;
    }
    return undefined;
  }
}

/** A claim for a reboot by hand. */
export const isOfReboot = ({ rollout }: Claim): boolean => rollout.startsWith('reboot-');

/** Whether a person has said that a version is urgent, on a node or on its policy. */
export const isUrgentHere = (version: string | undefined, policy: PolicyView | undefined, node: NodeView | undefined): boolean =>
  version !== undefined && (policy?.annotations[BY_HAND.urgent] === version || isNamed(version, node));

/** Whether it was said on the node itself. */
export const isNamed = (version: string, node: NodeView | undefined): boolean =>
  node?.annotations[BY_HAND.urgent] === version || node?.update?.annotations[BY_HAND.urgent] === version;

/** Whether the record is of an update to a version that is urgent, in the world that a decision saw. */
export function isHurried({ policyUID, ...record }: CordonRecord, node: NodeView | undefined, { policies }: World): boolean {
  const policy = policies.find(({ uid }) => uid === policyUID);
  return !isRebootOnly(record) && isUrgentHere(record.target, policy, node);
}
