import { BY_HAND } from '../../../api/names.ts';
import { tooOldForControlPlane } from '../../kubernetes-skew.ts';
import { isOf, variantsOf } from '../../releases.ts';
import { compareVersions } from '../../versions.ts';
import { instant, type NodeView } from '../../world.ts';
import { offeredTo } from '../managed.ts';
import type { Source } from './source.ts';
import { listed, nodesAre } from './words.ts';

/** The slots are taken by nodes that nobody brings back. */
export const noCapacity: Source = ({ facts, nodes }, { held }) => {
  const waiting = held.filter(({ reason }) => reason === 'CapacityReached').map(({ node }) => node);
  if (waiting.length === 0) return undefined;
  const names = nodes.filter(({ name }) => facts.unavailable.has(name)).map(({ name }) => name);
  return {
    name: 'NoCapacity',
    endless: true,
    message: `${nodesAre(waiting, 'waits', 'wait')} for a slot that nothing frees: at most ${facts.limit} of ${nodes.length} nodes may be unavailable (rollout.maxUnavailable), and these are: ${listed(names)}`,
    nodes: names,
  };
};

/** Held by something of their own: the others wait for what the other warnings say. */
const OTHERS_DOING = new Set([
  'AdmissionPolicyMissing',
  'AwaitingGroup',
  'AwaitingZone',
  'CapacityReached',
  'GroupSoaking',
  'GroupUntested',
  'Halted',
  'InExclusion',
  'LeaderLast',
  'OutsideWindow',
  'Paused',
  'PolicyNotReady',
]);

/** Nodes that are held by something of their own. */
export const nodesHeld: Source = ({ facts }, { held }) => {
  const own = held.filter(({ reason }) => !OTHERS_DOING.has(reason) || (reason === 'Paused' && !facts.paused));
  if (own.length === 0) return undefined;
  return {
    name: 'NodesHeld',
    endless: true,
    message: `${nodesAre(
      own.map(({ node }) => node),
      'is',
      'are',
    )} not updated as things stand: ${listed(own.map(({ node, reason }) => `${node} (${reason})`))}`,
    nodes: own.map(({ node }) => node),
  };
};

/** A node below the target that registered when its rollout was under way came from a template that is still old. */
export const joinBelowTarget: Source = ({ policy, nodes, facts }) => {
  const begun = facts.rollouts.filter(({ id }) => policy.status.rollouts?.some((rollout) => rollout.id === id));
  const joined = begun.flatMap((rollout) =>
    nodes.filter(
      (node) =>
        node.os !== undefined &&
        isOf(rollout, node.os) &&
        instant(node.createdAt) > instant(rollout.startedAt) &&
        compareVersions(registeredWith(node), rollout.target) < 0,
    ),
  );
  if (joined.length === 0) return undefined;
  const names = joined.map(({ name }) => name);
  return {
    name: 'NodesJoinBelowTarget',
    endless: true,
    message: `${nodesAre(names, 'has', 'have')} registered with an older version since the rollout began (${listed(names)}): where an autoscaler goes on adding such nodes it never ends: have its launch template, node group or node class start the new version`,
    nodes: names,
  };
};

/** The version that a node had when it registered, as far as its updates are remembered. */
const registeredWith = ({ update, os }: NodeView): string => update?.status.history?.[0]?.from ?? os?.version ?? '0.0.0';

/** They run what they are pinned to, so no rollout waits for them, and none brings them along. */
export const nodesPinned: Source = ({ facts }) => {
  const pinned = facts.members.flatMap(({ node, byHand: { pin } }) => {
    const target = facts.rollouts.find((rollout) => node.os !== undefined && isOf(rollout, node.os))?.target;
    return pin === undefined || target === undefined || pin === target ? [] : [{ name: node.name, pin }];
  });
  if (pinned.length === 0) return undefined;
  const names = pinned.map(({ name }) => name);
  return {
    name: 'NodesPinned',
    endless: false,
    message: `${nodesAre(names, 'is', 'are')} pinned to another version than the rollout's, and stay${names.length === 1 ? 's' : ''} there until the annotation ${BY_HAND.pinVersion} is taken away: ${listed(pinned.map(({ name, pin }) => `${name} (${pin})`))}`,
    nodes: names,
  };
};

/** Nobody has said what there is to update to. */
export const releasesUnknown: Source = ({ world, nodes }) => {
  const unknown = variantsOf(nodes).filter((os) => offeredTo(os, world.nodes) === undefined);
  if (unknown.length === 0) return undefined;
  const variants = unknown.map(({ variant, arch }) => `${variant} (${arch})`);
  return {
    name: 'ReleasesUnknown',
    endless: false,
    message: `no node of ${variants.join(', ')} has said yet which releases it is offered, so nobody knows what there is to update to: plan again once agents run there`,
    nodes: nodes.filter(({ os }) => os !== undefined && unknown.some((one) => isOf(one, os))).map(({ name }) => name),
  };
};

/** What no update mends. */
export const kubernetesTooOld: Source = ({ world, nodes }) => {
  const found = nodes.flatMap(({ name, os }) => tooOldForControlPlane(os, world.kubernetes).map(({ message }) => ({ name, message })));
  const [first] = found;
  if (first === undefined) return undefined;
  const names = found.map(({ name }) => name);
  return { name: 'KubernetesTooOld', endless: false, message: `${listed(names)}: ${first.message}`, nodes: names };
};
