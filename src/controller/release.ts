import * as z from 'zod/mini';
import { API_VERSION, COMPONENT_LABEL, PART_OF } from '../api/names.ts';
import { gather } from '../cluster/gather.ts';
import { decideRelease, type Left, leftToRelease } from '../core/release.ts';
import { plannedWrites } from '../core/release-plan.ts';
import type { World } from '../core/world.ts';
import { KubeClient } from '../kube/client.ts';
import { delay, systemClock } from '../kube/clock.ts';
import { isNotFound } from '../kube/errors.ts';
import { dropLease, leaseAccess, seizeLease } from '../kube/lease.ts';
import type { Logger } from '../kube/logger.ts';
import { programCredentials } from '../kube/program-credentials.ts';
import { VERSION } from '../version.ts';
import { runController } from './controller.ts';
import { createReflectors } from './reflectors.ts';
import type { ReleaseConfig } from './release-config.ts';

/** The Lease is ours for so long after each renewal, and nobody's for as long after a release that is done. */
const LEASE_MS = 60_000;
/** Named as the holder after a release: nobody, so that no controller begins anew before it is uninstalled. */
const RELEASED = 'lockkeeper-released';
const REQUEST_MS = 15_000;
const RETRY = { baseMs: 1_000, maxMs: 30_000 };

/** A release cannot begin; the message says what to do. */
export class ReleaseError extends Error {
  readonly retryable = false;

  constructor(message: string) {
    super(message);
    this.name = 'ReleaseError';
  }
}

/**
 * Releases all nodes; `print` gets a line at a time. Resolves with whether nothing is left; rejects with a ReleaseError where it cannot
 * begin. Aborted, it stops between two writes, gives the Lease back, and rejects with the signal's reason.
 */
export async function runRelease(
  config: ReleaseConfig,
  print: (line: string) => void,
  logger: Logger,
  signal: AbortSignal,
): Promise<boolean> {
  const clock = systemClock;
  const credentials = await programCredentials(config, clock);
  const client = new KubeClient({ credentials, userAgent: `lockkeeper-release/${VERSION}`, clock, logger });
  try {
    await refuseWithoutKinds(client, signal);
    const namespace = await namespaceOf(client, config.namespace, signal);
    if (config.dryRun) {
      for (const line of plannedWrites(await look(client, namespace, logger, signal))) print(line);
      return true;
    }
    const access = leaseAccess(client, namespace, config.leaseName);
    const now = () => clock.now() + client.clockOffsetMs;
    const { holder, mayActMs } = await seizeLease(access, config.identity, { durationMs: LEASE_MS, now, timeoutMs: REQUEST_MS, signal });
    try {
      const silentAt = clock.monotonic() + (holder === RELEASED ? 0 : mayActMs);
      print(`Lease ${namespace}/${config.leaseName}: taken${holder === '' ? '' : ` from ${holder}`}; no controller acts meanwhile`);
      const silent = (leading: AbortSignal) => delay(clock, silentAt - clock.monotonic(), leading);
      return await release({ config, namespace, print, logger, signal, silent });
    } finally {
      // Stopped before it led, it has nothing to give back by itself.
      await dropLease(access, config.identity, { now, timeoutMs: REQUEST_MS }).catch((error) =>
        logger.warn({ error }, 'the lease could not be given back: it runs out'),
      );
    }
  } finally {
    client.close();
  }
}

interface Run {
  config: ReleaseConfig;
  namespace: string;
  print: (line: string) => void;
  logger: Logger;
  signal: AbortSignal;
  /** Resolves once whoever led before has stopped, however long it was frozen. */
  silent: (leading: AbortSignal) => Promise<void>;
}

async function release({ config, namespace, print, logger, signal, silent }: Run): Promise<boolean> {
  const over = new AbortController();
  const limit = AbortSignal.timeout(config.timeoutMs);
  const progress = new Progress(print);
  let released = false;
  const { kubeconfig, context, identity, leaseName, hookNamespaces, nodeConditions, logLevel, inCluster } = config;
  await runController(
    {
      ...(kubeconfig !== undefined && { kubeconfig }),
      ...(context !== undefined && { context }),
      namespace,
      identity,
      leaseName,
      leaseDurationMs: LEASE_MS,
      renewIntervalMs: 5_000,
      giveUpAfterMs: 30_000,
      retryBaseMs: RETRY.baseMs,
      retryMaxMs: RETRY.maxMs,
      hookNamespaces,
      prometheusHosts: [],
      checkIntervalMs: 15_000,
      nodeConditions,
      logLevel,
      inCluster,
    },
    logger,
    AbortSignal.any([signal, limit, over.signal]),
    {
      decide: decideRelease,
      beforeLeading: silent,
      onDecision: (world) => {
        progress.saw(world);
        if (progress.left.length > 0 && progress.left.every(({ forGood }) => forGood)) over.abort();
      },
      handOver: (give) => {
        released = true;
        void give(RELEASED).finally(() => over.abort());
      },
    },
  );
  signal.throwIfAborted();
  progress.conclude(released);
  return released;
}

/** Says what will be written, then what has become of each node, and in the end what is left. */
class Progress {
  left: readonly Left[] = [];
  readonly #print: (line: string) => void;
  #nodes: number | undefined;
  readonly #told = new Map<string, string>();

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  saw(world: World): void {
    if (this.#nodes === undefined) for (const line of plannedWrites(world)) this.#print(`to do: ${line}`);
    this.#nodes = world.nodes.length;
    this.left = leftToRelease(world);
    const waiting = new Map(this.left.map(({ node, why }) => [node, why]));
    for (const [node, why] of waiting) {
      if (this.#told.get(node) !== why) this.#print(`${node}: ${why}`);
      this.#told.set(node, why);
    }
    for (const node of this.#told.keys()) {
      if (waiting.has(node)) continue;
      this.#told.delete(node);
      this.#print(`${node}: released`);
    }
  }

  conclude(released: boolean): void {
    for (const line of this.#conclusion(released)) this.#print(line);
  }

  #conclusion(released: boolean): string[] {
    if (released) return ['all nodes are released'];
    if (this.#nodes === undefined) return ['nothing was released: the cluster could not be read in time, or the Lease not kept'];
    const named = this.left.map(({ node, why, todo }) => `${node}: ${why}${todo === undefined ? '' : `\n  ${todo}`}`);
    return [`left after all: ${named.length === 1 ? '1 node' : `${named.length} nodes`}`, ...named];
  }
}

async function refuseWithoutKinds(client: KubeClient, signal: AbortSignal): Promise<void> {
  try {
    await client.get(`/apis/${API_VERSION}`, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new ReleaseError(
      `the kinds of ${API_VERSION} are not there: apply the CRDs again (kubectl apply --server-side -f charts/lockkeeper/crds/), release, and delete them afterwards`,
    );
  }
}

const podsSchema = z.object({
  items: z.nullable(z.array(z.object({ metadata: z.object({ namespace: z.string(), labels: z.record(z.string(), z.string()) }) }))),
});

/** Where the controllers are, by their pods, and with them the Lease. */
async function namespaceOf(client: KubeClient, wanted: string | undefined, signal: AbortSignal): Promise<string> {
  const query = { labelSelector: `${PART_OF.key}=${PART_OF.value}`, fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' };
  const { items } = z.parse(podsSchema, await client.request({ method: 'GET', path: '/api/v1/pods', query, signal }));
  const of = (component: string) =>
    new Set(
      (items ?? []).filter(({ metadata }) => metadata.labels[COMPONENT_LABEL] === component).map(({ metadata }) => metadata.namespace),
    );
  const controllers = of('controller');
  const elsewhere = [...controllers].filter((namespace) => namespace !== wanted);
  if (wanted !== undefined && elsewhere.length > 0)
    throw new ReleaseError(`controllers run in ${elsewhere.join(', ')}: name that namespace with --namespace, or stop them first`);
  if (controllers.size > 1) throw new ReleaseError(`controllers run in ${elsewhere.join(', ')}: stop those of all but one first`);
  return wanted ?? [...controllers, ...of('agent')][0] ?? 'default';
}

/** The world as it is now, read once. */
async function look(client: KubeClient, namespace: string, logger: Logger, signal: AbortSignal): Promise<World> {
  const stop = new AbortController();
  const deps = { client, clock: systemClock, random: Math.random, logger };
  const reflectors = createReflectors(deps, namespace, { changed: () => undefined, budgetChanged: () => undefined });
  const until = AbortSignal.any([signal, stop.signal]);
  const running = reflectors.run(until);
  try {
    await reflectors.waitForSync(AbortSignal.any([signal, AbortSignal.timeout(60_000)]));
    return gather({
      objects: reflectors,
      self: undefined,
      retry: RETRY,
      pods: new Map(),
      blockedPods: new Map(),
      hookNamespaces: [],
      jobs: new Map(),
      kubernetes: undefined,
      checks: new Map(),
      prometheusHosts: [],
    });
  } finally {
    stop.abort();
    await running;
  }
}
