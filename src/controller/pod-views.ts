import { isDeepStrictEqual } from 'node:util';
import { type BoundPod, podOf } from '../cluster/views.ts';
import type { PodView } from '../core/world.ts';
import { Reflector } from '../kube/reflector.ts';
import type { ReflectorDeps } from './reflectors.ts';

interface View {
  reflector: Reflector<BoundPod>;
  stop: AbortController;
}

/** Pods of the nodes that are being looked at or drained, listed and watched node by node; no pod is cached cluster-wide. */
export class PodViews {
  readonly #deps: ReflectorDeps;
  readonly #changed: (node: string, byWatch: boolean) => void;
  readonly #views = new Map<string, View>();
  readonly #running = new Set<Promise<void>>();

  constructor(deps: ReflectorDeps, changed: (node: string, byWatch: boolean) => void) {
    this.#deps = deps;
    this.#changed = changed;
  }

  /** Looks at these nodes, and at no others. */
  want(nodes: readonly string[]): void {
    const wanted = new Set(nodes);
    for (const [node, view] of this.#views) if (!wanted.has(node)) this.#close(node, view);
    for (const node of wanted) if (!this.#views.has(node)) this.#open(node);
  }

  /** The pods of the nodes that have been listed. */
  snapshot(): Map<string, readonly PodView[]> {
    const pods = new Map<string, readonly PodView[]>();
    for (const [node, { reflector }] of this.#views) if (reflector.synced) pods.set(node, [...reflector.items.values()]);
    return pods;
  }

  /**
   * A fresh list of a node's pods, by a quorum read. Without a limit: API servers up to 1.33 answer it from their memory only then, and
   * else read all pods of the cluster from etcd.
   */
  async list(node: string, signal: AbortSignal): Promise<PodView[]> {
    let pods: PodView[] = [];
    for await (const { items, page } of this.#deps.client.listPages('/api/v1/pods', onNode(node), 0, signal)) {
      if (page === 0) pods = [];
      pods.push(...items.map(podOf));
    }
    return pods;
  }

  /** Looks at nothing any more; resolves when the last watch has ended. */
  async stop(): Promise<void> {
    this.want([]);
    await Promise.all(this.#running);
  }

  #open(node: string): void {
    const stop = new AbortController();
    const reflector = new Reflector<BoundPod>({
      ...this.#deps,
      path: '/api/v1/pods',
      query: onNode(node),
      // What must be fresh is asked for by `list`, once for each reboot.
      firstList: 'cache',
      project: podOf,
      onChange: (change, byWatch) => {
        if (change.type === 'put' && change.previous !== undefined && isDeepStrictEqual(change.value, change.previous)) return;
        if (reflector.synced) this.#changed(node, byWatch);
      },
    });
    this.#views.set(node, { reflector, stop });
    const synced = reflector.waitForSync(stop.signal).then(
      () => this.#changed(node, false),
      () => {},
    );
    const run = Promise.all([reflector.run(stop.signal), synced]).then(() => {
      this.#running.delete(run);
    });
    this.#running.add(run);
  }

  #close(node: string, view: View): void {
    view.stop.abort();
    this.#views.delete(node);
  }
}

const onNode = (node: string) => ({ fieldSelector: `spec.nodeName=${node}` });
