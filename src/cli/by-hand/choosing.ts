import { BY_HAND } from '../../api/names.ts';
import { readByHand } from '../../core/by-hand.ts';
import { compareVersions } from '../../core/versions.ts';
import { RefusedError } from '../errors.ts';
import { askedOn, askedOnNode, change, nothing, removeFromNode, titleOf, type Verb, wordOf } from './change.ts';
import { listed, type Target } from './targets.ts';
import { mustBeWanted, namedVersion, waitingVersion } from './versions.ts';

/** This version, and no other. */
export const pin: Verb = (target, ask) => {
  const version = namedVersion(target, ask);
  const onNode = askedOnNode(target).pin;
  if (onNode !== undefined && onNode !== version)
    throw new RefusedError(
      `the Node ${wordOf(target)} itself is pinned to ${onNode}, which goes before this: ${removeFromNode(wordOf(target), BY_HAND.pinVersion)}`,
    );
  if (askedOn(target).pin === version) return nothing(target, `${titleOf(target)} is pinned to ${version} already`);
  return change(
    target,
    { [BY_HAND.pinVersion]: version },
    `pinned to ${version}`,
    `${whatPinDoes(target, version)}; to go back to what its policy says: kubectl lockkeeper unpin ${wordOf(target)}`,
  );
};

function whatPinDoes(target: Target, version: string): string {
  const nodes = target.kind === 'policy' ? target.nodes : [target.node];
  const newer = nodes
    .filter(({ status }) => status.from !== undefined && compareVersions(status.from, version) > 0)
    .map(({ name }) => name);
  const to = `${target.kind === 'policy' ? 'its nodes are' : 'it is'} brought to ${version} by the rules of the policy, and to no other`;
  if (newer.length === 0) return to;
  const { allowDowngrade } = target.policy.spec.version;
  return allowDowngrade
    ? `${to}; newer and taken back: ${listed(newer)}`
    : `${to}; newer, and stays as it is because spec.version.allowDowngrade is false: ${listed(newer)}`;
}

/** What the policy's spec says again. */
export const unpin: Verb = (target) => {
  const onNode = askedOnNode(target).pin;
  const stays =
    onNode === undefined ? undefined : `the Node itself is pinned to ${onNode}: ${removeFromNode(wordOf(target), BY_HAND.pinVersion)}`;
  const inSpec = target.policy.spec.version.pin;
  const above = target.kind === 'node' ? (readByHand(target.policy.annotations).pin ?? inSpec) : inSpec;
  const rest =
    stays ??
    (above === undefined ? undefined : `${target.kind === 'node' ? `its UpdatePolicy ${target.policy.name}` : 'its spec'} says ${above}`);
  if (askedOn(target).pin === undefined)
    return nothing(target, `${titleOf(target)} is not pinned by this program${rest === undefined ? '' : `, but ${rest}`}`);
  return change(
    target,
    { [BY_HAND.pinVersion]: null },
    'no longer pinned by hand',
    rest ?? `spec.version.range (${target.policy.spec.version.range}) holds again`,
  );
};

/** Lets nodes be brought to a version that waits for it; with `now`, whatever calendar and waves say. */
export const approve: Verb = (target, ask) => {
  const version = ask.version === undefined ? waitingVersion(target) : namedVersion(target, ask);
  const asked = askedOn(target);
  if (version === undefined) {
    if (asked.approved !== undefined && ask.now !== true)
      return nothing(target, `nothing waits for approval on ${titleOf(target)} (approved is ${asked.approved})`);
    if (ask.now === true)
      throw new RefusedError(
        `no version waits for approval on ${titleOf(target)}: name the urgent one: kubectl lockkeeper approve VERSION --now ${wordOf(target)}`,
      );
    return nothing(target, `nothing waits for approval on ${titleOf(target)}`);
  }
  mustBeWanted(target, version);
  if (ask.now === true) return urgent(target, version);
  if (target.policy.spec.approval !== 'Manual')
    return nothing(target, `UpdatePolicy ${target.policy.name} asks for no approval (spec.approval: ${target.policy.spec.approval})`);
  if (asked.approved === version) return nothing(target, `${version} is approved for ${titleOf(target)} already`);
  const onNode = askedOnNode(target).approved;
  if (onNode !== undefined && onNode !== version)
    throw new RefusedError(
      `the Node ${wordOf(target)} itself has ${onNode} approved, which goes before this: ${removeFromNode(wordOf(target), BY_HAND.approvedVersion)}`,
    );
  return change(
    target,
    { [BY_HAND.approvedVersion]: version },
    `may be brought to ${version}`,
    `${target.kind === 'policy' ? 'its nodes are begun' : 'it is begun'} as the other rules allow: kubectl lockkeeper plan shows when; to take it back: kubectl lockkeeper unapprove ${wordOf(target)}`,
  );
};

function urgent(target: Target, version: string) {
  if (askedOn(target).urgent === version) return nothing(target, `${version} is urgent for ${titleOf(target)} already`);
  const behind = (target.kind === 'policy' ? target.nodes : [target.node])
    .filter(({ status }) => status.from === undefined || compareVersions(status.from, version) < 0)
    .map(({ name }) => name);
  if (behind.length === 0) return nothing(target, `${titleOf(target)} runs ${version} or a newer version`);
  return change(
    target,
    { [BY_HAND.urgent]: version },
    `brought to ${version} now`,
    `window, exclusions, minAge, waves and approval no longer hold it; pauses, the failure budget, groups, capacity, checks and PodDisruptionBudgets do; to end that: kubectl lockkeeper unapprove ${wordOf(target)}`,
    `${titleOf(target)}: nodes are drained and rebooted into ${version} from now on, outside any window: ${listed(behind)}`,
  );
}

/** Takes approval and urgency back; what is in flight finishes. */
export const unapprove: Verb = (target) => {
  const { approved, urgent: hurried } = askedOn(target);
  const gone = [approved === undefined ? [] : [`${approved} approved`], hurried === undefined ? [] : [`${hurried} urgent`]].flat();
  if (gone.length === 0) return nothing(target, `no version is approved or urgent by hand for ${titleOf(target)}`);
  return change(
    target,
    { ...(approved !== undefined && { [BY_HAND.approvedVersion]: null }), ...(hurried !== undefined && { [BY_HAND.urgent]: null }) },
    `no longer has ${gone.join(' and ')}`,
    'what is in flight finishes; all rules hold again for what is not begun',
  );
};
