import type { NodeUpdateStatus } from '../api/node-update.ts';
import type { Decision } from '../core/command.ts';
import { LIFECYCLE_CONDITIONS, lifecycleOf } from '../core/lifecycle.ts';
import { type Instant, type NodeView, timestamp, type World } from '../core/world.ts';
import type { KubeClient } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import type { Logger } from '../kube/logger.ts';
import type { Reflector } from '../kube/reflector.ts';
import { forEachBounded } from './bounded.ts';

/** What telling of lifecycles needs. */
export interface LifecycleSignalsDeps {
  client: Pick<KubeClient, 'strategicPatch'>;
  nodes: Pick<Reflector<unknown>, 'observe'>;
  logger: Logger;
  now: () => Instant;
  /** Throws where this replica may no longer act. */
  assertLeading: () => void;
}

const CONCURRENCY = 8;

/** Tells others of maintenance by conditions of the Node (KEP-5683). Nothing waits for it: a failure is logged, and the next pass tries again. */
export class LifecycleSignals {
  readonly #deps: LifecycleSignalsDeps;

  constructor(deps: LifecycleSignalsDeps) {
    this.#deps = deps;
  }

  /** Writes the conditions of the nodes that carry others than their phase calls for. Rejects only when the signal is aborted. */
  async tell(world: World, { nodes }: Decision, signal: AbortSignal): Promise<void> {
    const statuses = new Map(nodes.map(({ node, status }) => [node, status]));
    const wrong = world.nodes.filter((node) => !carries(node, statuses.get(node.name)));
    await forEachBounded(wrong, CONCURRENCY, (node) => this.#write(node, statuses.get(node.name), signal));
  }

  async #write(node: NodeView, status: NodeUpdateStatus | undefined, signal: AbortSignal): Promise<void> {
    const { client, nodes, logger, now, assertLeading } = this.#deps;
    try {
      assertLeading();
      const path = `/api/v1/nodes/${encodeURIComponent(node.name)}/status`;
      nodes.observe(await client.strategicPatch(path, { status: { conditions: conditionsOf(status, now()) } }, { signal }));
    } catch (error) {
      signal.throwIfAborted();
      if (!isNotFound(error)) logger.warn({ node: node.name, error }, 'the lifecycle conditions of a node could not be written');
    }
  }
}

const carries = ({ lifecycle = [] }: NodeView, status: NodeUpdateStatus | undefined): boolean => {
  const wanted = lifecycleOf(status?.phase);
  return lifecycle.length === wanted.length && wanted.every((type) => lifecycle.includes(type));
};

/** Each of our conditions, set or taken away; the list is merged by type, so that nobody else's is touched. */
function conditionsOf(status: NodeUpdateStatus | undefined, now: Instant): object[] {
  const wanted = lifecycleOf(status?.phase);
  const at = timestamp(now).replace(/\.\d+Z$/, 'Z');
  return LIFECYCLE_CONDITIONS.map((type) =>
    wanted.includes(type)
      ? {
          type,
          status: 'True',
          reason: status?.reason ?? 'Maintenance',
          message: `Lockkeeper: ${status?.message ?? ''}`.slice(0, 1024),
          lastHeartbeatTime: at,
          lastTransitionTime: at,
        }
      : { type, $patch: 'delete' },
  );
}
