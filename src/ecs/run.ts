import { createServer, type Server } from 'node:http';
import { Counter } from 'prom-client';
import { createApp } from '../controller/app.ts';
import { createMetrics } from '../controller/metrics.ts';
import { type Clock, delay } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import { connect } from './aws.ts';
import { EcsCluster } from './cluster.ts';
import type { EcsConfig } from './config.ts';
import { embeddedMetrics } from './embedded-metrics.ts';
import { AwsError, NotLeading } from './errors.ts';
import { Lease } from './lease.ts';
import { readEcsPolicies } from './policies.ts';
import { Rounds } from './round.ts';
import { Table } from './table.ts';

/** After a round that failed it is tried again after so long at the latest, in milliseconds. */
const MAX_RETRY_MS = 60_000;
const MIN_WAIT_MS = 10;
/** A process whose last good round is so long ago does not work, in milliseconds. */
const STUCK_MS = 600_000;
/** How often metrics are printed at most, in milliseconds. */
const TELL_MS = 60_000;
/** How often in a row `--once` fails to read the table or the cluster before it gives up. */
const MAX_FAILURES_ONCE = 5;

/** What the program needs of its process. */
interface RunDeps {
  clock: Clock;
  logger: Logger;
  /** Writes to stdout, where the log goes too. */
  print: (text: string) => void;
}

/** Keeps the container instances of one cluster up to date until the signal is aborted, or once; alone, by the lease. */
export async function runEcs(config: EcsConfig, deps: RunDeps, signal: AbortSignal): Promise<void> {
  const { clock, logger } = deps;
  const files = readEcsPolicies(await config.policy.text(), config.policy.source);
  const { region, endpoint } = config;
  const metrics = createMetrics(clock.now);
  const calls = new Counter({
    name: 'lockkeeper_aws_calls_total',
    help: 'Calls of AWS APIs by action; what the SDK tries again is one call.',
    labelNames: ['action'],
    registers: [metrics.registry],
  });
  const told =
    config.embeddedMetrics === undefined
      ? undefined
      : embeddedMetrics(metrics.registry, { namespace: config.embeddedMetrics, cluster: config.cluster });
  let toldAt = Number.NEGATIVE_INFINITY;
  let workedAt = clock.monotonic();
  const aws = connect({
    cluster: config.cluster,
    table: config.table,
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    assertLeading: () => lease.assertHeld(),
    onCall: (action) => calls.inc({ action }),
  });
  const lease = new Lease(aws.table, {
    holder: config.holder,
    durationMs: config.leaseDurationMs,
    renewMs: config.leaseDurationMs / 3,
    giveUpMs: (config.leaseDurationMs * 3) / 4,
    clock,
    logger,
  });
  const server = config.listen && createServer(createApp({ registry: metrics.registry, healthy, waitsFor: () => [] }));
  if (server !== undefined && config.listen !== undefined) await listening(server, config.listen);
  logger.info({ cluster: config.cluster, policies: files.map(({ name }) => name) }, 'started');
  try {
    for (let done = false; !signal.aborted && !done; ) {
      await lease.acquire(signal, config.once ? MAX_FAILURES_ONCE : undefined);
      logger.info({ holder: config.holder }, 'the lease is held: deciding');
      metrics.leads(true);
      const ended = new AbortController();
      const term = AbortSignal.any([signal, ended.signal]);
      const kept = lease.keep(term).finally(() => ended.abort());
      const table = new Table(aws.table, () => lease.assertHeld());
      const retry = { baseMs: config.retryBaseMs, maxMs: config.retryMaxMs };
      const cluster = new EcsCluster({ ecs: aws.ecs, table, name: config.cluster, files, retry });
      const rounds = new Rounds({
        cluster,
        ssm: aws.ssm,
        now: clock.now,
        pollMs: config.pollMs,
        anew: config.once,
        logger,
        onDecision: (world, decision, milliseconds) => {
          workedAt = clock.monotonic();
          metrics.decided(world, decision, milliseconds);
        },
      });
      try {
        done = await work(rounds, config, deps, term, tell);
        if (config.once) await tell(true);
      } finally {
        metrics.leads(false);
        metrics.forget();
        ended.abort();
        await kept;
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await lease.release();
    aws.close();
    server?.close();
    server?.closeAllConnections();
    logger.info({}, 'stopped');
  }

  /** Prints the metrics, once in their interval at most. */
  async function tell(now = false): Promise<void> {
    const at = clock.monotonic();
    if (told === undefined || (!now && at - toldAt < TELL_MS)) return;
    toldAt = at;
    for (const document of await told(clock.now())) deps.print(`${JSON.stringify(document)}\n`);
  }

  function healthy(): boolean {
    return !lease.held || clock.monotonic() - workedAt < STUCK_MS;
  }
}

/** Makes rounds until the signal is aborted or the lease is lost; true where all is done that was to be done once. */
async function work(
  rounds: Rounds,
  config: EcsConfig,
  { clock, logger }: RunDeps,
  signal: AbortSignal,
  tell: () => Promise<void>,
): Promise<boolean> {
  let undone = 0;
  for (let failures = 0; !signal.aborted; ) {
    let waitMs = config.idlePollMs;
    try {
      const { busy, wakeAt, failed } = await rounds.round();
      await tell();
      if (config.once && !busy) {
        if (!failed) return true;
        undone += 1;
        if (undone >= MAX_FAILURES_ONCE) throw new AwsError('not all could be done: the log says what', true);
      }
      failures = 0;
      if (busy || failed) waitMs = config.pollMs;
      if (wakeAt !== undefined) waitMs = Math.min(waitMs, Math.max(config.pollMs, wakeAt - clock.now()));
    } catch (error) {
      if (error instanceof NotLeading) return false;
      failures += 1;
      if (config.once && failures >= MAX_FAILURES_ONCE) throw error;
      waitMs = Math.min(MAX_RETRY_MS, config.pollMs * 2 ** Math.min(10, failures - 1));
      logger.error({ error, failures, waitMs }, 'the cluster could not be read');
    }
    await delay(clock, Math.max(MIN_WAIT_MS, waitMs), signal);
  }
  return false;
}

const listening = (server: Server, address: { host?: string; port: number }): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject).listen(address, resolve);
  });
