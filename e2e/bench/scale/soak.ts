import { setTimeout as sleep } from 'node:timers/promises';
import { atMost, forInformation } from '../figure.ts';
import { memoryOf } from '../memory.ts';
import { heapAfterCollection } from './heap-inspector.ts';
import { round, sampleMemory } from './probe.ts';
import type { ScaleRecord } from './record.ts';
import { howMany, sentBetween } from './request-counter.ts';
import { onScaleBed, type ScaleContext } from './scale-bed.ts';

export interface SoakOptions {
  readonly forMs: number;
  readonly rollouts: number;
  readonly agentsPerProcess: number;
}

const podsPerNode = 4;
/** A repository keeps old releases; the newest of so many are enough to choose from. */
const releasesKept = 8;
/** What is warm after five minutes of an hour is the base. */
const shares = 12;
const policy = {
  approval: 'Automatic',
  version: { refreshInterval: '5s' },
  rollout: { maxUnavailable: '25%', minReadySeconds: 0 },
  staging: { maxParallel: '100%' },
};

/**
 * Releases follow one another, each over all nodes with their pods: claims, cordons, evictions, orders, boots, Events, failures of none.
 * A rollout begins when its share of the time has come, or when the one before is over. What the heap keeps is measured after forced
 * collections, with nothing under way, after each twelfth of the time: the first is the base.
 */
export async function soak(
  context: ScaleContext,
  record: ScaleRecord,
  { forMs, rollouts, agentsPerProcess }: SoakOptions,
  write: () => Promise<void>,
): Promise<void> {
  const { nodes, figures } = record;
  const { say } = context;
  const version = (patch: number) => `1.26.${patch}`;
  await onScaleBed(context, { nodes, podsPerNode, agentsPerProcess, releases: [version(0)], policy }, async (scale) => {
    await scale.install();
    await scale.quiet(5_000, 300_000).catch(() => undefined);
    const leader = await scale.leader();
    const { pid } = leader;
    if (pid === undefined) throw new Error('the leader has ended');
    const counted = await scale.counter.read();
    const sampling = sampleMemory(leader, 5_000, 60_000);
    const began = performance.now();
    const elapsed = () => performance.now() - began;
    const heaps: [number, number][] = [];
    const collect = async (): Promise<number> => {
      await scale.until(async () => scale.progress.unavailable === 0, 60_000);
      await scale.quiet(1_000, 30_000).catch(() => undefined);
      const { used } = await heapAfterCollection(leader);
      heaps.push([round(elapsed() / 60_000, 2), round(used, 2)]);
      return used;
    };
    let base: { readonly heap: number; readonly rss: number } | undefined;
    let done = 0;
    try {
      while (elapsed() < forMs && done < rollouts) {
        scale.signal.throwIfAborted();
        done += 1;
        const kept = Array.from({ length: Math.min(done + 1, releasesKept) }, (_, back) => version(done - back));
        await scale.release(kept);
        await scale.updated(version(done), () => undefined);
        if (done % 10 === 0) say(`${done} of ${rollouts} rollouts in ${Math.round(elapsed() / 1000)} s`);
        const due = (done / rollouts) * forMs - elapsed();
        if (due > 0) await sleep(due, undefined, { signal: scale.signal });
        if (elapsed() < (forMs / shares) * (heaps.length + 1) || done === rollouts) continue;
        const heap = await collect();
        base ??= { heap, rss: (await memoryOf(pid)).rss };
        say(`after ${done} rollouts the heap is ${heap.toFixed(2)} MB, ${((heap / base.heap - 1) * 100).toFixed(2)} % more than the base`);
        record.series['heap after collections'] = heaps;
        await write();
      }
    } finally {
      const memory = sampling.stop();
      record.series['rss during the soak'] = memory.rss;
      record.series['heap during the soak'] = memory.heap;
    }
    if (leader.pid !== pid || (await scale.leader()) !== leader)
      throw new Error('another controller leads by now: nothing can be compared');
    const minutes = elapsed() / 60_000;
    const end = { heap: await collect(), rss: (await memoryOf(pid)).rss };
    record.series['heap after collections'] = heaps;
    const sent = sentBetween(counted, await scale.counter.read());
    record.requests['soak'] = sent;
    if (base === undefined) throw new Error('the soak was over before its base was measured');
    figures.push(
      forInformation('soak_minutes', 'min', minutes, 1),
      { name: 'soak_rollouts', value: done, unit: 'rollouts', goal: `>= ${rollouts}`, holds: done >= rollouts },
      forInformation('soak_node_updates', 'nodes', done * nodes, 0),
      forInformation('soak_requests', 'requests', howMany(sent), 0),
      forInformation('soak_heap_base', 'MB', base.heap, 2),
      forInformation('soak_heap_end', 'MB', end.heap, 2),
      atMost(3, 'soak_heap_growth_percent', '%', (end.heap / base.heap - 1) * 100, 2),
      forInformation('soak_rss_base', 'MB', base.rss, 1),
      forInformation('soak_rss_end', 'MB', end.rss, 1),
    );
    record.complete = true;
    await write();
  });
}
