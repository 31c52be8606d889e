import { readFile } from 'node:fs/promises';
import { type Clock, delay } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import { connect } from './aws.ts';
import { EcsCluster } from './cluster.ts';
import type { EcsConfig } from './config.ts';
import { NotLeading } from './errors.ts';
import { Lease } from './lease.ts';
import { readEcsPolicies } from './policies.ts';
import { Rounds } from './round.ts';
import { Table } from './table.ts';

/** After a round that failed it is tried again after so long at the latest, in milliseconds. */
const MAX_RETRY_MS = 60_000;
const MIN_WAIT_MS = 10;

/** Keeps the container instances of one cluster up to date until the signal is aborted; alone, by the lease. */
export async function runEcs(config: EcsConfig, deps: { clock: Clock; logger: Logger }, signal: AbortSignal): Promise<void> {
  const { clock, logger } = deps;
  const files = readEcsPolicies(await readFile(config.policyFile, 'utf8'), config.policyFile);
  const { region, endpoint } = config;
  const aws = connect({
    cluster: config.cluster,
    table: config.table,
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    assertLeading: () => lease.assertHeld(),
  });
  const lease = new Lease(aws.table, {
    holder: config.holder,
    durationMs: config.leaseDurationMs,
    renewMs: config.leaseDurationMs / 3,
    giveUpMs: (config.leaseDurationMs * 3) / 4,
    clock,
    logger,
  });
  logger.info({ cluster: config.cluster, policies: files.map(({ name }) => name) }, 'started');
  try {
    while (!signal.aborted) {
      await lease.acquire(signal);
      logger.info({ holder: config.holder }, 'the lease is held: deciding');
      const ended = new AbortController();
      const term = AbortSignal.any([signal, ended.signal]);
      const kept = lease.keep(term).finally(() => ended.abort());
      const table = new Table(aws.table, () => lease.assertHeld());
      const retry = { baseMs: config.retryBaseMs, maxMs: config.retryMaxMs };
      const cluster = new EcsCluster({ ecs: aws.ecs, table, name: config.cluster, files, retry });
      await work(new Rounds({ cluster, ssm: aws.ssm, now: clock.now, pollMs: config.pollMs, logger }), config, deps, term);
      ended.abort();
      await kept;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await lease.release();
    aws.close();
    logger.info({}, 'stopped');
  }
}

async function work(
  rounds: Rounds,
  config: EcsConfig,
  { clock, logger }: { clock: Clock; logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    let waitMs = config.idlePollMs;
    try {
      const { busy, wakeAt, failed } = await rounds.round();
      failures = 0;
      if (busy || failed) waitMs = config.pollMs;
      if (wakeAt !== undefined) waitMs = Math.min(waitMs, Math.max(config.pollMs, wakeAt - clock.now()));
    } catch (error) {
      if (error instanceof NotLeading) return;
      failures += 1;
      waitMs = Math.min(MAX_RETRY_MS, config.pollMs * 2 ** Math.min(10, failures - 1));
      logger.error({ error, failures, waitMs }, 'the cluster could not be read');
    }
    await delay(clock, Math.max(MIN_WAIT_MS, waitMs), signal);
  }
}
