import { decideRelease, type Left, leftToRelease } from '../core/release.ts';
import { plannedWrites } from '../core/release-plan.ts';
import type { World } from '../core/world.ts';
import { KubeClient } from '../kube/client.ts';
import { delay, systemClock } from '../kube/clock.ts';
import type { Credentials } from '../kube/credentials.ts';
import { dropLease, leaseAccess, seizeLease } from '../kube/lease.ts';
import type { Logger } from '../kube/logger.ts';
import { VERSION } from '../version.ts';
import { runController } from './controller.ts';
import type { ReleaseSettings } from './release-config.ts';
import { tryRelease } from './release-trial.ts';
import { look, namespaceOf, refuseWithoutKinds } from './release-world.ts';

/** The Lease is ours for so long after each renewal, and nobody's for as long after a release that is done. */
const LEASE_MS = 60_000;
/** Named as the holder after a release: nobody, so that no controller begins anew before it is uninstalled. */
const RELEASED = 'lockkeeper-released';
const REQUEST_MS = 15_000;
const RETRY = { baseMs: 1_000, maxMs: 30_000 };

/** What a release needs of the program that it runs in. */
export interface ReleaseDeps {
  credentials: Credentials;
  /** Gets a line at a time. */
  print: (line: string) => void;
  logger: Logger;
  signal: AbortSignal;
  /** Is shown every write before the first one, the Lease's included; where it says no, there is none. Absent: nobody is asked. */
  confirm?: (writes: readonly string[]) => Promise<boolean>;
}

/**
 * Releases all nodes. Resolves with whether nothing is left; rejects with a ReleaseError where it cannot begin. Aborted, it stops
 * between two writes, gives the Lease back, and rejects with the signal's reason.
 */
export async function runRelease(settings: ReleaseSettings, deps: ReleaseDeps): Promise<boolean> {
  const { credentials, print, logger, signal, confirm } = deps;
  const { leaseName, identity, dryRun } = settings;
  const clock = systemClock;
  const client = new KubeClient({ credentials, userAgent: `lockkeeper-release/${VERSION}`, clock, logger });
  try {
    await refuseWithoutKinds(client, signal);
    const namespace = await namespaceOf(client, settings.namespace, signal);
    const lease = `Lease ${namespace}/${leaseName}`;
    if (dryRun !== 'none') {
      const seen = await look(client, namespace, RETRY, logger, signal);
      for (const line of plannedWrites(seen.world)) print(line);
      return dryRun === 'client' || (await tryRelease(seen, { credentials, print, logger, signal }));
    }
    if (confirm !== undefined) {
      const { world } = await look(client, namespace, RETRY, logger, signal);
      const taken = `${lease}: taken, so that no controller acts meanwhile; done, it is kept from them for another minute`;
      if (!(await confirm([taken, ...plannedWrites(world)]))) return false;
    }
    const access = leaseAccess(client, namespace, leaseName);
    const now = () => clock.now() + client.clockOffsetMs;
    const { holder, mayActMs } = await seizeLease(access, identity, { durationMs: LEASE_MS, now, timeoutMs: REQUEST_MS, signal });
    try {
      const silentAt = clock.monotonic() + (holder === RELEASED ? 0 : mayActMs);
      print(`${lease}: taken${holder === '' ? '' : ` from ${holder}`}; no controller acts meanwhile`);
      const silent = (leading: AbortSignal) => delay(clock, silentAt - clock.monotonic(), leading);
      return await release({ ...deps, settings: { ...settings, namespace }, silent });
    } finally {
      // Stopped before it led, it has nothing to give back by itself.
      await dropLease(access, identity, { now, timeoutMs: REQUEST_MS }).catch((error) =>
        logger.warn({ error }, 'the lease could not be given back: it runs out'),
      );
    }
  } finally {
    client.close();
  }
}

interface Run extends ReleaseDeps {
  settings: ReleaseSettings & { namespace: string };
  /** Resolves once whoever led before has stopped, however long it was frozen. */
  silent: (leading: AbortSignal) => Promise<void>;
}

async function release({ settings, credentials, print, logger, signal, confirm, silent }: Run): Promise<boolean> {
  const over = new AbortController();
  const limit = AbortSignal.timeout(settings.timeoutMs);
  const progress = new Progress(print, confirm !== undefined);
  let released = false;
  const { namespace, identity, leaseName, hookNamespaces, nodeConditions, logLevel } = settings;
  await runController(
    {
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
      brupopMetrics: false,
      checkIntervalMs: 15_000,
      nodeConditions,
      logLevel,
    },
    credentials,
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
  readonly #listed: boolean;

  /** `listed`: what will be written has been said already. */
  constructor(print: (line: string) => void, listed: boolean) {
    this.#print = print;
    this.#listed = listed;
  }

  saw(world: World): void {
    if (this.#nodes === undefined && !this.#listed) for (const line of plannedWrites(world)) this.#print(`to do: ${line}`);
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
