import { BY_HAND } from '../../api/names.ts';
import type { Phase } from '../../api/node-update.ts';
import { readByHand } from '../../core/by-hand.ts';
import type { FleetNode } from '../fleet.ts';
import { askedOf, askedOn, askedOnNode, change, nothing, removeFromNode, titleOf, type Verb, wordOf } from './change.ts';
import { listed, type Target } from './targets.ts';

const FLYING: ReadonlySet<Phase> = new Set(['Draining', 'Rebooting', 'Verifying', 'RollingBack', 'Uncordoning']);
const isFlying = ({ status }: FleetNode): boolean => status.phase !== undefined && FLYING.has(status.phase);

/** Begins no further node; a node in flight is given back, where its reboot was not asked for yet. */
export const pause: Verb = (target) => {
  if (target.kind === 'policy' && target.policy.spec.paused)
    return nothing(target, `${titleOf(target)} is paused by its spec (spec.paused: true)`);
  if (askedOf(target).paused) return nothing(target, `${titleOf(target)} is paused already`);
  const undo = `to go on: kubectl lockkeeper resume ${wordOf(target)}`;
  return change(target, { [BY_HAND.paused]: 'true' }, 'paused', `${whatPauses(target)}; ${undo}`);
};

function whatPauses(target: Target): string {
  if (target.kind === 'policy') {
    const flying = target.nodes.filter(isFlying).map(({ name }) => name);
    const finish = flying.length === 0 ? 'none is in flight' : `what is in flight finishes (${listed(flying)})`;
    return `no further node is begun or downloads, ${finish}`;
  }
  switch (target.node.status.phase) {
    case 'Draining':
      return 'its drain is given up and it is uncordoned; it is not begun again';
    case 'Rebooting':
    case 'Verifying':
    case 'RollingBack':
    case 'Uncordoning':
      return 'where its host was asked to reboot already it is finished first, else it is given back; after that it is not begun';
    default:
      return 'it is not begun, and downloads nothing';
  }
}

/**
 * Takes back a pause; where there is none, has a halted rollout go on. One call does one of the two, so that nobody who ends a pause
 * sends nodes after those that failed without having heard of them.
 */
export const resume: Verb = (target, { token, all }) => {
  const halt = target.kind === 'policy' ? haltOf(target) : undefined;
  const own = askedOn(target);
  if (own.paused) {
    const stays = staysPaused(target);
    const goesOn = target.kind === 'policy' ? 'its nodes are begun again as its rules allow' : 'it is begun again in its turn';
    const next =
      stays ??
      (halt === undefined
        ? goesOn
        : `it is still halted (${halt.message}): look at those nodes, then: kubectl lockkeeper resume ${wordOf(target)}`);
    return change(target, { [BY_HAND.paused]: null }, 'no longer paused by hand', next);
  }
  const stays = staysPaused(target);
  if (stays !== undefined) return nothing(target, `${titleOf(target)} is not paused by this program, but ${stays}`);
  if (halt === undefined)
    return nothing(target, `${titleOf(target)} is ${target.kind === 'policy' ? 'neither paused nor halted' : 'not paused'}`);
  if (all === true) return nothing(target, `${titleOf(target)} is not paused but halted (${halt.message}), which --all leaves as it is`);
  if (own.resume !== undefined && own.resume !== halt.acted)
    return nothing(target, `${titleOf(target)} was told to go on already, and no controller has acted upon it yet`);
  return change(
    target,
    { [BY_HAND.resume]: token },
    'told to go on',
    `the failures so far no longer count against its failure budget; nodes that failed stay as they are until: kubectl lockkeeper retry NODE${halt.bad.length > 0 ? `; ${halt.bad.join(', ')} stays marked bad until: kubectl lockkeeper clear-bad-release ${wordOf(target)}` : ''}`,
  );
};

function haltOf({ policy: { status } }: Target & { kind: 'policy' }) {
  const halted = status.conditions?.find(({ type, status: is }) => type === 'Halted' && is === 'True');
  if (halted === undefined) return undefined;
  const failed = (status.rollouts ?? []).flatMap((rollout) => rollout.failed.filter((failure) => failure.resumed !== true));
  return {
    message: `failed: ${listed(failed.map(({ node, reason, target }) => `${node} (${reason}, ${target})`))}`,
    acted: status.tokens?.resume,
    bad: (status.badReleases ?? []).map(({ version }) => version),
  };
}

/** What keeps a target paused that this program does not write. */
function staysPaused(target: Target): string | undefined {
  if (target.kind === 'policy')
    return target.policy.spec.paused
      ? 'its spec says paused: true, which is changed where the policy is kept (Git, Helm values)'
      : undefined;
  if (askedOnNode(target).paused)
    return `the Node itself is paused by an annotation of its own: ${removeFromNode(target.node.name, BY_HAND.paused)}`;
  if (target.policy.spec.paused || readByHand(target.policy.annotations).paused)
    return `its UpdatePolicy ${target.policy.name} is paused: kubectl lockkeeper resume ${target.policy.name}`;
  return undefined;
}
