import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PodProcess } from '../../bed/pod-process.ts';
import { atMost, forInformation } from '../figure.ts';
import { memoryOf } from '../memory.ts';
import { heapAfterCollection } from './heap-inspector.ts';
import { coresBetween, lookAt, metricsOf, type Phase } from './probe.ts';
import { startedAt } from './processes.ts';
import type { ScaleRecord } from './record.ts';
import { howMany, sentBetween } from './request-counter.ts';
import { fullRollout, pacedAtOnce, pacedFigures, pacedRollout, policySpec, rolloutFigures } from './rollout.ts';
import { onScaleBed, type ScaleBed, type ScaleContext } from './scale-bed.ts';

export interface SizeOptions {
  readonly podsPerNode: number;
  readonly agentsPerProcess: number;
  readonly steadyMs: number;
}

const from = '1.26.0';
const to = '1.26.1';
/** The first are updated at a pace at which the machine keeps up; the rest as fast as it can. */
const mostPaced = 200;

/** Measures one size, phase by phase; `write` is called after each. */
export async function measureSize(
  context: ScaleContext,
  record: ScaleRecord,
  { podsPerNode, agentsPerProcess, steadyMs }: SizeOptions,
  write: () => Promise<void>,
): Promise<void> {
  const { nodes, figures } = record;
  const { say } = context;
  const options = { nodes, podsPerNode, agentsPerProcess, releases: [from, to], policy: policySpec(from, 1) };
  await onScaleBed(context, options, async (scale) => {
    const withoutUs = await alone(scale, say, Math.min(steadyMs, 60_000));
    await scale.install();
    await scale.quiet(10_000, 300_000 + nodes * 100);
    figures.push(...(await start(scale, say)));
    await write();

    const idle = await idleness(scale, say, steadyMs);
    figures.push(...idleFigures(nodes, withoutUs, idle), ...(await held(await scale.leader(), 'steady')));
    record.requests['idle'] = sentBetween(idle.before.requests, idle.after.requests);
    record.cores['idle'] = coresBetween(idle.before, idle.after);
    record.cores['without us'] = withoutUs;
    await write();

    const slowly = Math.min(mostPaced, Math.floor(nodes / 5));
    // A tenth of a small cluster is no faster.
    if (nodes > 10 * pacedAtOnce) {
      const paced = await pacedRollout(scale, say, to, slowly);
      figures.push(...pacedFigures(paced));
      record.requests['paced'] = sentBetween(paced.before.requests, paced.after.requests);
      record.cores['paced'] = coresBetween(paced.before, paced.after);
      await write();
    }

    const rollout = await fullRollout(scale, say, to);
    figures.push(...rolloutFigures(nodes, withoutUs, rollout));
    record.requests['rollout'] = sentBetween(rollout.before.requests, rollout.after.requests);
    record.cores['rollout'] = coresBetween(rollout.before, rollout.after);
    record.series['rss during the rollout'] = rollout.memory.rss;
    await write();

    say('waiting until it is quiet again, and collecting the garbage of the leader');
    await scale.quiet(15_000, 600_000);
    const leader = await scale.leader();
    figures.push(...(await held(leader, 'after_rollout')));
    figures.push(forInformation('heap_after_gc', 'MB', (await heapAfterCollection(leader)).used, 1));
    const { failed } = await scale.fleet.traffic();
    figures.push(atMost(0, 'agents_ended_by_themselves', 'agents', failed, 0));
    record.complete = true;
    await write();
  });
}

/** A control plane that uses less than this has done with what was made before. */
const restingCores = 0.3;
const mostLooks = 90;

/** Cores of the control plane with nodes and pods, and without us, once it has come to rest. */
async function alone(scale: ScaleBed, say: (text: string) => void, forMs: number): Promise<Record<string, number>> {
  say('letting the control plane come to rest, and measuring it without us');
  let before = await lookAt(scale);
  for (let look = 0; ; look += 1) {
    if (look === mostLooks) throw new Error(`the API server has not come to rest in ${mostLooks / 6} minutes`);
    await sleep(10_000, undefined, { signal: scale.signal });
    const now = await lookAt(scale);
    const cores = coresBetween(before, now)['kube-apiserver'] ?? 0;
    before = now;
    if (look > 0 && cores < restingCores) break;
  }
  await sleep(forMs, undefined, { signal: scale.signal });
  return coresBetween(before, await lookAt(scale));
}

/** The leader is started anew, alone, with all nodes and agents there. */
async function start(scale: ScaleBed, say: (text: string) => void) {
  const { bed } = scale;
  say('starting the leader anew');
  const leader = await scale.leader();
  const standby = bed.pods.processes('controller').filter((one) => one !== leader);
  await Promise.all(standby.map((one) => one.hold()));
  const { size } = await stat(leader.log);
  const { pid } = leader;
  leader.kill('SIGTERM');
  let decidingAt: number | undefined;
  await scale.until(
    async () => {
      const lines = (await textFrom(leader.log, size)).split('\n');
      const line = lines.find((text) => text.includes('"the caches are filled: deciding"'));
      decidingAt = line === undefined ? undefined : (JSON.parse(line) as { time: number }).time;
      return decidingAt !== undefined && leader.pid !== undefined && leader.pid !== pid && leader.ready;
    },
    180_000,
    100,
  );
  if (leader.pid === undefined || decidingAt === undefined) throw new Error('the leader has ended');
  await scale.until(async () => (await metricsOf(leader)).decisions > 0, 60_000, 250);
  const metrics = await metricsOf(leader);
  const seconds = (decidingAt - (await startedAt(leader.pid))) / 1000 + metrics.decideSeconds / metrics.decisions;
  const figures = [forInformation('first_decision_seconds', 's', seconds, 2), ...(await held(leader, 'start'))];
  for (const one of standby) one.release();
  await scale.quiet(10_000, 300_000);
  return figures;
}

/** A log holds a line for each eviction by then: only what is new is read. */
async function textFrom(file: string, position: number): Promise<string> {
  const chunks = await createReadStream(file, { start: position }).toArray();
  return Buffer.concat(chunks).toString('utf8');
}

/** What a process holds now. */
async function held(leader: PodProcess, when: string) {
  if (leader.pid === undefined) throw new Error('the leader has ended');
  const { heap } = await metricsOf(leader);
  const { rss } = await memoryOf(leader.pid);
  return [forInformation(`rss_${when}`, 'MB', rss, 1), forInformation(`heap_${when}`, 'MB', heap, 1)];
}

async function idleness(scale: ScaleBed, say: (text: string) => void, steadyMs: number): Promise<Phase> {
  say(`nothing happens for ${Math.round(steadyMs / 1000)} s: counting requests`);
  const before = await lookAt(scale);
  await sleep(steadyMs, undefined, { signal: scale.signal });
  return { before, after: await lookAt(scale) };
}

function idleFigures(nodes: number, withoutUs: Readonly<Record<string, number>>, { before, after }: Phase) {
  const sent = sentBetween(before.requests, after.requests);
  const seconds = (after.at - before.at) / 1000;
  const perMinute = (pattern: RegExp) => (howMany(sent, pattern) * 60) / seconds;
  const bytes = (who: 'controller' | 'agent') => (after.bytes[who] - before.bytes[who]) / seconds;
  const cores = coresBetween(before, after);
  const watches = (who: string) => after.requests.watches.get(who) ?? 0;
  const serverDue = (cores['kube-apiserver'] ?? 0) - (withoutUs['kube-apiserver'] ?? 0);
  return [
    atMost(Number((20 + 0.0006 * 60 * nodes).toFixed(1)), 'idle_requests_per_minute', 'requests/min', perMinute(/./), 1),
    atMost(0, 'idle_lists', 'requests', howMany(sent, / list /), 0),
    forInformation('idle_controller_requests_per_minute', 'requests/min', perMinute(/^controller/), 1),
    forInformation('idle_agent_requests_per_minute', 'requests/min', perMinute(/^agent/), 1),
    forInformation('idle_controller_kilobytes_per_second', 'kB/s', bytes('controller') / 1e3, 2),
    forInformation('idle_agent_kilobytes_per_second', 'kB/s', bytes('agent') / 1e3, 2),
    forInformation('controller_watches', 'watches', watches('controller'), 0),
    forInformation('agent_watches', 'watches', watches('agent'), 0),
    forInformation('apiserver_cores_without_us', 'cores', withoutUs['kube-apiserver'] ?? 0, 3),
    forInformation('apiserver_cores_idle', 'cores', cores['kube-apiserver'] ?? 0, 3),
    forInformation('apiserver_cores_idle_due_to_us', 'cores', serverDue, 3),
    forInformation('controllers_cores_idle', 'cores', cores['controllers'] ?? 0, 4),
  ];
}
