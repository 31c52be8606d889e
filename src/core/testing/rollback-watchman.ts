import { BY_HAND } from '../../api/names.ts';
import type { BadRelease, Claim } from '../../api/update-policy.ts';
import { isOf } from '../releases.ts';
import type { Machine } from '../simulate/objects.ts';
import type { NodeView, PolicyView } from '../world.ts';

/** Looks on at what is taken back, and why; says what did not hold. */
export class RollbackWatchman {
  /** Versions that machines have run, and those that they were asked to boot, by `hostID version`. */
  readonly #ran = new Set<string>();
  readonly #asked = new Set<string>();

  boots({ hostID, version }: Machine): void {
    this.#ran.add(`${hostID} ${version}`);
  }

  asksForReboot({ hostID }: Machine, version: string): void {
    this.#asked.add(`${hostID} ${version}`);
  }

  /** Whether a claim is to take its node back: from a release that is marked bad, to something older. */
  isBack({ status, spec }: PolicyView, { os, host }: NodeView): boolean {
    const older = os !== undefined && (host?.status.staged?.version ?? os.version) < os.version;
    return (
      spec.rollout.onExceeded === 'RollBack' &&
      older &&
      (status.badReleases ?? []).some((bad) => bad.version === os.version && isOf(bad, os))
    );
  }

  /** A release is bad by as many machines as the budget says, and until a person clears it or a newer one is rolled out. */
  marks(before: PolicyView, after: PolicyView, budget: number): string | undefined {
    const { badReleases: old = [], tokens } = before.status;
    const { badReleases: present = [], rollouts = [] } = after.status;
    const isIn = (list: readonly BadRelease[], bad: BadRelease) =>
      list.some(({ version, ...of }) => version === bad.version && isOf(of, bad));
    for (const bad of present.filter((one) => !isIn(old, one))) {
      const failed = rollouts
        .filter((rollout) => isOf(rollout, bad))
        .flatMap((rollout) =>
          rollout.failed.filter(({ target, hostID }) => target === bad.version && this.#asked.has(`${hostID} ${target}`)),
        );
      if (failed.length < budget)
        return `5: ${bad.version} is marked bad by ${failed.length} of ${budget} machines that were asked to boot it`;
    }
    const token = before.annotations[BY_HAND.clearBadRelease];
    if (token !== undefined && token !== tokens?.clearBadRelease) return undefined;
    for (const bad of old.filter((one) => !isIn(present, one)))
      if (!rollouts.some((rollout) => isOf(rollout, bad) && rollout.target > bad.version))
        return `6: ${bad.version} is no longer bad, and nobody has cleared it`;
    return undefined;
  }

  /** No node is brought to a bad release. */
  claims({ status }: PolicyView, { name, os, host }: NodeView): string | undefined {
    const version = host?.status.staged?.version;
    const bad = os !== undefined && (status.badReleases ?? []).some((one) => one.version === version && isOf(one, os));
    return bad ? `6: ${name} is claimed for ${version}, which is marked bad` : undefined;
  }

  /** One at a time, and back to what the machine ran before. */
  claimsBack(members: readonly NodeView[], others: readonly Claim[], { name, hostID, host }: NodeView): string | undefined {
    const version = host?.status.staged?.version;
    if (!this.#ran.has(`${hostID} ${version}`)) return `${name} is to be taken back to ${version}, which its machine never ran`;
    for (const { name: other, record, update } of members) {
      if (other === name || typeof record !== 'object') continue;
      const failed = update?.status.phase === 'Failed';
      if (failed && record.rollsBack === true) return `${name} is to be taken back although ${other} could not be`;
      if (!failed && (record.rollsBack === true || record.rollback !== undefined)) return `${name} is to be taken back while ${other} is`;
    }
    return others.length === 0 ? undefined : `${name} is to be taken back together with ${others.map(({ node }) => node)}`;
  }
}
