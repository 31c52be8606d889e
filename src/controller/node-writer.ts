import * as z from 'zod/mini';
import { type Kind, kindPath, NODE_HOST, NODE_UPDATE } from '../api/kinds.ts';
import { API_VERSION, MANAGED_LABEL, OUTDATED_TAINT } from '../api/names.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import { nodeOf } from '../cluster/views.ts';
import type { Command, HookRun, RefreshSettings } from '../core/command.ts';
import { planDrain } from '../core/drain-plan.ts';
import { podKey } from '../core/drain-settings.ts';
import type { NodeView } from '../core/world.ts';
import type { KubeClient } from '../kube/client.ts';
import { isAlreadyExists } from '../kube/errors.ts';
import type { Logger } from '../kube/logger.ts';
import type { Reflector } from '../kube/reflector.ts';
import type { HookJobs } from './hook-jobs.ts';
import { makeHookJob } from './hook-runner.ts';
import {
  cordonAgainPatch,
  cordonPatch,
  fencePatch,
  mergePatchBetween,
  orderPatch,
  recordPatch,
  sweepPatch,
  uncordonPatch,
  untaintPatch,
} from './patches.ts';
import type { PodViews } from './pod-views.ts';
import type { Reflectors } from './reflectors.ts';

/** The world has moved on since the decision: nothing is wrong, the next pass decides anew. */
export class StaleDecisionError extends Error {
  readonly retryable = true;

  constructor(message: string) {
    super(message);
    this.name = 'StaleDecisionError';
  }
}

/** What writing to a node and its objects needs. */
export interface WriterDeps {
  client: KubeClient;
  reflectors: Reflectors;
  podViews: Pick<PodViews, 'list'>;
  hookJobs: Pick<HookJobs, 'observe' | 'refuse'>;
  logger: Logger;
  /** Throws where this replica may no longer act. */
  assertLeading: () => void;
  /** A command of this node is about to be sent. */
  sending?: (node: string) => void;
}

const taintedSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  spec: z.object({ taints: z._default(z.array(z.looseObject({ key: z.string() })), []) }),
});

/** An object as the API server answers with it, as far as the next write needs it. */
type Written = { metadata: { resourceVersion: string } };

/**
 * Carries out the commands of one node, each write under the resourceVersion that the decision saw, or that its own
 * last write left behind: whatever anybody else changed since then refuses it.
 */
export class NodeWriter {
  readonly #deps: WriterDeps;
  readonly #signal: AbortSignal;
  #node: NodeView;

  constructor(deps: WriterDeps, node: NodeView, signal: AbortSignal) {
    this.#deps = deps;
    this.#node = node;
    this.#signal = signal;
  }

  /** Carries out one command; false where nothing had to be written. Rejects with the API server's error, or a StaleDecisionError. */
  async carryOut(command: Command): Promise<boolean> {
    switch (command.type) {
      case 'CreateObjects':
        return this.#createObjects(command.host, command.refresh);
      case 'WriteStatus':
        return this.writeStatus(command.status);
      case 'LabelManaged':
        return this.#patchNode({ metadata: { resourceVersion: this.#node.resourceVersion, labels: { [MANAGED_LABEL]: 'true' } } });
      case 'SetRefresh':
        return this.#patchHost((resourceVersion) => ({
          metadata: { resourceVersion },
          spec: { ...command.refresh },
        }));
      case 'Order':
        return this.#patchHost((resourceVersion) => orderPatch(resourceVersion, command.order));
      case 'OrderReboot':
        return this.#orderReboot(command);
      case 'Cordon':
        return this.#patchNode(cordonPatch(this.#node, command));
      case 'UpdateRecord':
        return this.#patchNode(recordPatch(this.#node, command.record));
      case 'CordonAgain':
        return this.#patchNode(cordonAgainPatch(this.#node));
      case 'Uncordon':
        return this.#patchNode(uncordonPatch(this.#node, command.record));
      case 'RunHook':
        return this.#runHook(command.hook);
      case 'Fence':
        return this.#patchNode(fencePatch(this.#node, command.claim));
      case 'Untaint':
        return this.#patchNode(untaintPatch(this.#node, await this.#otherTaints()));
      case 'Sweep':
        return this.#patchNode(sweepPatch(this.#node, this.#node.outdated === true ? await this.#otherTaints() : undefined));
    }
  }

  /** Writes the NodeUpdate's status; false where it is so already. */
  async writeStatus(status: NodeUpdateStatus): Promise<boolean> {
    const { update, name } = this.#node;
    if (update === undefined) throw new StaleDecisionError(`the NodeUpdate of ${name} is not there`);
    const patch = mergePatchBetween({ ...update.status }, { ...status });
    if (patch === undefined) return false;
    const body = { metadata: { resourceVersion: update.resourceVersion }, status: patch };
    const written = await this.#patch(kindPath(NODE_UPDATE, name, 'status'), body, this.#deps.reflectors.nodeUpdates);
    this.#node = { ...this.#node, update: { ...update, resourceVersion: written.metadata.resourceVersion, status } };
    return true;
  }

  async #orderReboot({ order, record, context, status }: Command & { type: 'OrderReboot' }): Promise<true> {
    const { name } = this.#node;
    const pods = await this.#deps.podViews.list(name, this.#signal);
    const plan = planDrain(pods, record.drain, context);
    const left = [...[...plan.evict, ...plan.later, ...plan.waitFor].map(podKey).slice(0, 5), ...plan.errors];
    if (left.length > 0) throw new StaleDecisionError(`pods have come to ${name} since it was drained: ${left.join('; ')}`);
    await this.writeStatus(status);
    return this.#patchHost((resourceVersion) => orderPatch(resourceVersion, order));
  }

  /** A Job is under no resourceVersion of ours: nobody must have written the node's status since, as whoever gives it back does first. */
  async #runHook(hook: HookRun): Promise<true> {
    const { name, update } = this.#node;
    const fresh = await this.#deps.client.get<Written>(kindPath(NODE_UPDATE, name), { signal: this.#signal });
    if (fresh.metadata.resourceVersion !== update?.resourceVersion) throw new StaleDecisionError(`the NodeUpdate of ${name} has changed`);
    if (await makeHookJob(this.#deps, hook, this.#signal)) return true;
    throw new StaleDecisionError(`Job ${hook.namespace}/${hook.name} was there already, or cannot be made`);
  }

  /** Its taints without ours: a list is patched as a whole, and a view keeps only what decisions look at. */
  async #otherTaints(): Promise<readonly unknown[]> {
    const { name, resourceVersion } = this.#node;
    const present = await this.#deps.client.get(`/api/v1/nodes/${encodeURIComponent(name)}`, { signal: this.#signal });
    const { metadata, spec } = z.parse(taintedSchema, present);
    if (metadata.resourceVersion !== resourceVersion) {
      this.#deps.reflectors.nodes.observe(present);
      throw new StaleDecisionError(`${name} has changed`);
    }
    return spec.taints.filter(({ key }) => key !== OUTDATED_TAINT);
  }

  async #createObjects(host: boolean, refresh: RefreshSettings): Promise<boolean> {
    const { nodeUpdates, nodeHosts } = this.#deps.reflectors;
    const { update, host: letterbox } = this.#node;
    if (update === undefined) {
      const { metadata } = await this.#create(nodeUpdates, NODE_UPDATE, {});
      this.#node = { ...this.#node, update: { resourceVersion: metadata.resourceVersion, annotations: {}, status: {} } };
    }
    if (host && letterbox === undefined) {
      const { metadata } = await this.#create(nodeHosts, NODE_HOST, { spec: refresh });
      this.#node = { ...this.#node, host: { resourceVersion: metadata.resourceVersion, spec: refresh, status: {} } };
    }
    return update === undefined || (host && letterbox === undefined);
  }

  /** Creates an object that the Node owns; one of an earlier node of the same name is deleted, and made anew in the next pass. */
  async #create(reflector: Pick<Reflector<unknown>, 'observe'>, kind: Kind, fields: object): Promise<Written> {
    const { name, uid } = this.#node;
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name, uid }];
    try {
      this.#deps.assertLeading();
      const created = await this.#deps.client.create<Written>(
        kindPath(kind),
        { apiVersion: API_VERSION, kind: kind.kind, metadata: { name, ownerReferences }, ...fields },
        { signal: this.#signal },
      );
      reflector.observe(created);
      return created;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      await this.#makeWay(reflector, kind);
      throw new StaleDecisionError(`the ${kind.kind} of ${name} was there already`);
    }
  }

  /** Takes notice of an object that is there already, or deletes it where it is another node's. */
  async #makeWay(reflector: Pick<Reflector<unknown>, 'observe'>, kind: Kind): Promise<void> {
    const { name, uid } = this.#node;
    const { client, logger, assertLeading } = this.#deps;
    const path = kindPath(kind, name);
    const existing = await client.get<{ metadata: { uid: string; ownerReferences?: { uid: string }[] } }>(path, { signal: this.#signal });
    if (existing.metadata.ownerReferences?.some((owner) => owner.uid === uid)) {
      reflector.observe(existing);
      return;
    }
    assertLeading();
    await client.delete(path, { preconditions: { uid: existing.metadata.uid } }, { signal: this.#signal });
    logger.info({ action: 'Delete', node: name, kind: kind.kind, why: 'it belonged to an earlier node of this name' }, 'acted');
  }

  async #patchNode(body: object): Promise<true> {
    const { name, update, host, agent } = this.#node;
    const written = await this.#patch(`/api/v1/nodes/${encodeURIComponent(name)}`, body, this.#deps.reflectors.nodes);
    // What was written is what the next command of the same decision must see: an uncordon restores what is there.
    this.#node = { ...nodeOf(written), agent, ...(update !== undefined && { update }), ...(host !== undefined && { host }) };
    return true;
  }

  async #patchHost(body: (resourceVersion: string) => object): Promise<true> {
    const { host, name } = this.#node;
    if (host === undefined) throw new StaleDecisionError(`the NodeHost of ${name} is not there`);
    const written = await this.#patch(kindPath(NODE_HOST, name), body(host.resourceVersion), this.#deps.reflectors.nodeHosts);
    this.#node = { ...this.#node, host: { ...host, resourceVersion: written.metadata.resourceVersion } };
    return true;
  }

  async #patch(path: string, body: object, reflector: Pick<Reflector<unknown>, 'observe'>): Promise<Written> {
    this.#deps.assertLeading();
    const written = await this.#deps.client.mergePatch<Written>(path, body, { signal: this.#signal });
    reflector.observe(written);
    return written;
  }
}
