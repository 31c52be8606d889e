import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { startNodes } from '../../nodes/nodes.ts';
import { missingRequirements } from '../../nodes/requirements.ts';
import { aborted } from '../bench-bed.ts';
import { atMost, type BenchContext, CannotRunHere, type Family, forInformation, type Outcome } from '../figure.ts';
import { archiveOfOurImage } from '../image.ts';
import { type BareTimes, bareTotal } from './bare-update.ts';
import { gateLabel, type NodesBench, nodesBench, type Rolled, release, updatedNodes } from './nodes-bench.ts';
import { medianSeconds, notesOf } from './notes.ts';
import { agentBack, type ProductTimes, productTotal } from './product-times.ts';
import { workLabel } from './workload.ts';

/** A run takes some two and a half minutes; one that takes so long hangs. */
const limitMs = 480_000;

/** Real kubelets that reboot, updated by us and by a script in turn: the same machines, the same pods, the same run. */
export const realNodes: Family = {
  name: 'nodes',
  figures: [
    'node_update_seconds',
    'node_floor_seconds',
    'node_overhead_ratio',
    'failed_requests_during_rollout',
    'agent_ready_after_boot_seconds',
  ],
  async run(context) {
    const missing = await missingRequirements();
    if (missing.length > 0) throw new CannotRunHere(`real nodes cannot run here: ${missing.join('; ')}`);
    const image = await archiveOfOurImage();
    const ending = new AbortController();
    const signal = AbortSignal.any([context.signal, ending.signal]);
    signal.throwIfAborted();
    const { say } = context;
    say(`starting a control plane and ${updatedNodes + 1} machines`);
    const bed = await startNodes({
      image,
      nodes: updatedNodes + 1,
      releases: [release('1.26.0')],
      // The last one runs the controllers, and leads the client to the pods; it is never updated.
      each: (index) =>
        index < updatedNodes ? { labels: workLabel } : { osImage: 'Debian GNU/Linux 12 (bookworm)', labels: { [gateLabel]: 'true' } },
    });
    let failed = true;
    void sleep(limitMs, undefined, { signal: ending.signal, ref: false }).then(
      () => ending.abort(new Error(`it took longer than ${limitMs / 60_000} minutes`)),
      () => undefined,
    );
    try {
      const outcome = await Promise.race([
        nodesBench(bed, { ...context, signal }).then((bench) => measure(bench, context)),
        aborted(signal),
      ]);
      failed = false;
      return outcome;
    } finally {
      ending.abort(new Error('the work is done'));
      await bed.stop({ keepLogs: failed && !context.signal.aborted });
      if (failed && !context.signal.aborted) say(`logs are in ${bed.home.out}`);
    }
  },
};

/** What a machine does to another's figures over time, it does to both: the script goes first and last, we in between. */
async function measure(bench: NodesBench, { say }: BenchContext): Promise<Outcome> {
  const load = [loadavg()[0] ?? 0];
  const bare: Rolled<BareTimes>[] = [await bench.byScript('1.26.1')];
  say('installing the chart');
  await bench.install();
  const product: Rolled<ProductTimes>[] = [await bench.byProduct('1.26.2'), await bench.byProduct('1.26.3')];
  say('removing the chart');
  await bench.uninstall();
  bare.push(await bench.byScript('1.26.4'));
  load.push(loadavg()[0] ?? 0);

  const ours = product.flatMap(({ times }) => times);
  const update = medianSeconds(ours, productTotal);
  const floor = medianSeconds(
    bare.flatMap(({ times }) => times),
    bareTotal,
  );
  const failures = product.flatMap(({ served }) => served.failures).length;
  return {
    figures: [
      forInformation('node_update_seconds', 's', update, 2),
      forInformation('node_floor_seconds', 's', floor, 2),
      atMost(1.15, 'node_overhead_ratio', '', update / floor, 3),
      atMost(0, 'failed_requests_during_rollout', 'requests', failures, 0),
      forInformation('agent_ready_after_boot_seconds', 's', medianSeconds(ours, agentBack), 2),
    ],
    notes: notesOf({ product, bare, load }),
  };
}
