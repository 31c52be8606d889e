import { BY_HAND, MANAGED_LABEL, ON_NODE } from '../../api/names.ts';
import { podKey } from '../drain-settings.ts';
import { decideRelease } from '../release.ts';
import { timestamp } from '../world.ts';

import { ControllerModel } from './controller-model.ts';
import type { SimNode } from './objects.ts';
import { type RandomCluster, VERSIONS } from './random-cluster.ts';
import type { Simulation } from './simulation.ts';
import { Violation } from './violation.ts';

/** Nothing happens any more, and hardly any time passes: nobody writes for ever. Throws a Violation where somebody does. */
export function settle(simulation: Simulation, patience = 60): void {
  const controller = simulation.controller(0);
  controller.restart();
  for (let round = 0; round < patience; round += 1) {
    const before = markOf(simulation, controller);
    simulation.round(controller, { milliseconds: 1 });
    if (markOf(simulation, controller) === before) return;
  }
  throw new Violation(`10: no rest after ${patience} rounds: ${describe(simulation)}`);
}

/**
 * Faults stop, and people take back what they did and retry what failed: then everything that is eligible gets updated, and nothing
 * stays behind. Throws a Violation where that does not come about within `patience` rounds.
 */
export function heal(simulation: Simulation, patience = 400): void {
  repair(simulation);
  const controller = simulation.controller(0);
  controller.restart();
  for (let round = 0; round < patience; round += 1) {
    const before = markOf(simulation, controller);
    simulation.round(controller);
    if (markOf(simulation, controller) !== before) continue;
    if (isDone(simulation.cluster)) return;
    if (!retry(simulation) && !passTime(simulation, controller)) throw new Violation(`10: stuck: ${describe(simulation)}`);
  }
  throw new Violation(`10: not done after ${patience} rounds: ${describe(simulation)}`);
}

/** Times to wait for that bring nothing about: a window that opens, more than any deadline of a node. */
const MAX_IDLE = 6;

/**
 * Releases all nodes, by one that is killed after so many calls and then by another, while everybody else works. Throws a Violation
 * where a claim, or anything of ours on a node, is left; only a reboot that was asked for and never came leaves its node Failed.
 */
export function releaseAll(simulation: Simulation, calls: number, patience = 150): void {
  const { cluster } = simulation;
  const controller = new ControllerModel(cluster, decideRelease);
  controller.begin();
  for (let call = 0; call < calls && controller.step(); call += 1);
  controller.restart();
  for (let round = 0, idle = 0; round < patience && idle < MAX_IDLE; round += 1) {
    const before = markOf(simulation, controller);
    simulation.round(controller);
    if (markOf(simulation, controller) !== before) idle = 0;
    else idle = passTime(simulation, controller) ? idle + 1 : MAX_IDLE;
  }
  const unreleased = ({ name, record, labels, annotations, outdated }: SimNode): boolean =>
    record === undefined
      ? MANAGED_LABEL in labels || ON_NODE.fence in annotations || outdated === true
      : cluster.updates.get(name)?.status.phase !== 'Failed';
  // Where an agent said that its host was asked to reboot, nobody tells that no boot is to come.
  const left = cluster.nodes.items.filter((node) => cluster.machineOf(node.name)?.pretends !== true && unreleased(node));
  const claims = cluster.policies.items
    .flatMap(({ status }) => status.claims ?? [])
    .filter(({ node }) => cluster.nodes.get(node)?.record === undefined);
  if (left.length + claims.length > 0) throw new Violation(`11: not released: ${left.map(({ name }) => name)}: ${describe(simulation)}`);
}

function repair(simulation: Simulation): void {
  const { cluster } = simulation;
  simulation.act({ do: 'guard', on: true });
  simulation.act({ do: 'standby', on: false });
  simulation.act({ do: 'checks', hold: true });
  simulation.act({ do: 'createPolicy', policy: 'a' });
  for (const leader of [0, 1]) simulation.act({ do: 'clock', leader, seconds: 0 });
  for (const [node, { name, pretends = false }] of cluster.machines.entries()) {
    simulation.act({ do: 'flaw', node, flaw: null });
    simulation.act({ do: 'agentUp', node, up: true });
    simulation.act({ do: 'wave', node, open: true });
    // Nothing but a boot tells an agent that no reboot is to come: a person sees to it.
    simulation.act({ do: 'boot', node, anyway: pretends });
    simulation.act({ do: 'register', node });
    if (cluster.nodes.get(name)?.record === undefined) simulation.act({ do: 'uncordon', node });
    simulation.act({ do: 'annotateNode', node, key: 'paused', value: null });
    simulation.act({ do: 'annotateNode', node, key: 'pinVersion', value: null });
    simulation.act({ do: 'annotateNode', node, key: 'urgent', value: null });
    simulation.act({ do: 'disrupt', node, on: false });
    simulation.act({ do: 'kubelet', node });
  }
  for (const pod of cluster.pods.items) {
    if (pod.controller === undefined) cluster.pods.delete(podKey(pod));
    else cluster.patchPod(pod, { guarded: false });
  }
  for (const policy of ['a', 'b'] as const) {
    simulation.act({ do: 'pausePolicy', policy, paused: false });
    simulation.act({ do: 'annotatePolicy', policy, key: 'paused', value: null });
    simulation.act({ do: 'annotatePolicy', policy, key: 'pinVersion', value: null });
    simulation.act({ do: 'annotatePolicy', policy, key: 'approvedVersion', value: VERSIONS[cluster.released - 1] ?? null });
  }
}

const markOf = ({ cluster }: Simulation, { attention }: ControllerModel): string => `${cluster.changes} ${attention}`;

function isDone({ policies, nodes, updates, released }: RandomCluster): boolean {
  const target = VERSIONS[released - 1];
  return (
    policies.items.every(({ status }) => (status.claims ?? []).length === 0) &&
    nodes.items.every(
      ({ os, unschedulable, record, outdated }) => os?.version === target && !unschedulable && record === undefined && !outdated,
    ) &&
    nodes.items.every(({ name, annotations }) => {
      const reboot = annotations[BY_HAND.reboot];
      return reboot === undefined || updates.get(name)?.status.tokens?.reboot === reboot;
    })
  );
}

function passTime({ cluster }: Simulation, { wakeAt }: ControllerModel): boolean {
  if (wakeAt === undefined || wakeAt <= cluster.now) return false;
  cluster.now = wakeAt;
  return true;
}

/** A person asks for a retry of everything that failed, and clears what is marked bad. */
function retry(simulation: Simulation): boolean {
  const { cluster } = simulation;
  let asked = false;
  for (const [node, { name }] of cluster.machines.entries()) {
    const phase = cluster.updates.get(name)?.status.phase;
    if (phase !== 'RolledBack' && phase !== 'Failed') continue;
    simulation.act({ do: 'annotateNode', node, key: 'retry', value: 'token' });
    asked = true;
  }
  for (const { name, status } of cluster.policies.items) {
    if (status.badReleases !== undefined) {
      simulation.act({ do: 'annotatePolicy', policy: name as 'a' | 'b', key: 'clearBadRelease', value: 'token' });
      asked = true;
    }
    if (!status.conditions?.some((condition) => condition.type === 'Halted' && condition.status === 'True')) continue;
    simulation.act({ do: 'annotatePolicy', policy: name as 'a' | 'b', key: 'resume', value: 'token' });
    asked = true;
  }
  return asked;
}

function describe({ cluster }: Simulation): string {
  const nodes = cluster.nodes.items.map(({ name, os, unschedulable, record }) => {
    const { phase, reason, message } = cluster.updates.get(name)?.status ?? {};
    return `${name} runs ${os?.version}${unschedulable ? ', cordoned' : ''}${record === undefined ? '' : ', with a record'}: ${phase} ${reason} (${message})`;
  });
  const claims = cluster.policies.items.map(({ name, status }) => `${name} claims ${status.claims?.map(({ node }) => node)}`);
  return [timestamp(cluster.now), ...nodes, ...claims].join('; ');
}
