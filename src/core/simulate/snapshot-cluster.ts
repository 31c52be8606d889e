import { podKey } from '../drain-settings.ts';
import { type Instant, type NodeView, type PodView, stagedVersion, type World } from '../world.ts';
import { Cluster, type Surroundings } from './cluster.ts';
import type { Machine } from './objects.ts';
import { replicaSetPod } from './pods.ts';

/** Whatever stays in the way of a drain stays there: to look again is of no use soon. */
const RETRY_MS = 24 * 3_600_000;

/** A real cluster as it was gathered, whose machines do from then on what they are told. */
export class SnapshotCluster extends Cluster {
  readonly #world: World;
  readonly #offered: ReadonlyMap<string, readonly string[]>;

  constructor(world: World, now: Instant) {
    super(world.nodes.flatMap(machineOf), now);
    this.#world = world;
    this.#offered = new Map(world.nodes.map(({ name, host }) => [name, host?.status.available ?? []]));
    for (const policy of world.policies) this.policies.put(policy.name, policy);
    for (const view of world.nodes) this.#putNode(view);
  }

  surroundings(): Surroundings {
    const { policies: _policies, nodes: _nodes, pods: _pods, blockedPods: _blocked, jobs: _jobs, checks: _checks, ...rest } = this.#world;
    return { ...rest, retry: { baseMs: RETRY_MS, maxMs: RETRY_MS } };
  }

  offered({ name }: Machine): readonly string[] {
    return this.#offered.get(name) ?? [];
  }

  failedCheck(policy: string): string | undefined {
    return this.#world.checks.get(policy)?.failed;
  }

  /** The pods that were told to go are gone, to other nodes, and their volumes are detached. */
  finishDrain(node: string): void {
    for (const pod of this.pods.group(node)) if (pod.terminating) this.pods.delete(podKey(pod));
    if (this.nodes.get(node)?.volumesAttached !== undefined) this.nodes.patch(node, undefined, () => ({ volumesAttached: [] }));
  }

  /** The kubelet reports the boot that has just come about: its node is not Ready yet. */
  comeUp(machine: Machine): void {
    this.boot(machine);
    this.report(machine, false);
  }

  /** The node is Ready, and all that runs on it. */
  getReady(machine: Machine): void {
    this.report(machine);
    for (const pod of this.pods.group(machine.name)) if (!pod.ready) this.patchPod(pod, { ready: true });
  }

  #putNode({ update, host, agent: _agent, ...node }: NodeView): void {
    const { name, uid } = node;
    this.nodes.put(name, node);
    if (update !== undefined) this.updates.put(name, { ...update, nodeUID: uid });
    if (host !== undefined) this.hosts.put(name, { ...host, nodeUID: uid });
    for (const pod of this.#world.pods.get(name) ?? [somePod(name)]) this.putPod({ ...pod, node: name, guarded: false });
  }
}

/** Stands for the pods of a node that nobody has listed. */
const somePod = (node: string): PodView => replicaSetPod(`pods-of-${node}`, { namespace: '' });

function machineOf(node: NodeView): Machine[] {
  const { name, hostID, bootID, os, host, record, agent } = node;
  if (os === undefined) return [];
  const { answer } = host?.status ?? {};
  const asked = record !== undefined && answer?.state === 'RebootAsked' && host?.status.bootID === bootID ? answer.id : undefined;
  const staged = stagedVersion(node);
  const machine = { name, hostID, ...os, boot: 1, firstBootID: bootID, reported: true, agentUp: agent !== 'missing' };
  return [{ ...machine, staged, asked, activated: asked !== undefined }];
}
