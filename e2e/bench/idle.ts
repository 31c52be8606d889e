import { setTimeout as sleep } from 'node:timers/promises';
import { onBenchBed } from './bench-bed.ts';
import { atMost, type Family, forInformation, median } from './figure.ts';
import { memoryOf } from './memory.ts';
import { columns, describeRequest, productRequests, tally } from './requests.ts';

const nodes = 50;
const policy = { approval: 'Automatic' };
/** A process that has nothing to do any more takes a while to give memory back, and the first news of hosts come within 5 s. */
const settleMs = 15_000;

/** Many agents and two controllers with nothing to do: what they ask, and what they hold. */
export const idle: Family = {
  name: 'idle',
  figures: ['idle_requests_per_minute', 'agent_pss', 'agent_rss', 'controller_pss'],
  run: (context) =>
    onBenchBed(context, { nodes, policy }, async ({ bed, quiet }) => {
      const { idleSeconds, say, signal } = context;
      say(`waiting until ${nodes} agents and two controllers have nothing to do`);
      await quiet(settleMs, 300_000);
      say(`counting their requests for ${idleSeconds} s`);
      const mark = await bed.audit.mark();
      const from = Date.now();
      await sleep(idleSeconds * 1000, undefined, { signal });
      const requests = await productRequests(bed.audit, mark, from);
      const minutes = (Date.now() - from) / 60_000;

      const pids = (component: string) => bed.pods.processes(component).flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
      const agents = await Promise.all(pids('agent').map(memoryOf));
      const controllers = await Promise.all(pids('controller').map(memoryOf));
      if (agents.length !== nodes || controllers.length !== 2) {
        throw new Error(`${agents.length} agents and ${controllers.length} controllers run, not ${nodes} and 2`);
      }
      const range = (of: readonly number[]) => `${Math.min(...of).toFixed(1)} to ${Math.max(...of).toFixed(1)} MB`;
      const pss = agents.map((one) => one.pss);
      return {
        figures: [
          atMost(20, 'idle_requests_per_minute', 'requests/min', requests.length / minutes, 1),
          atMost(55, 'agent_pss', 'MB', median(pss), 1),
          forInformation('agent_rss', 'MB', median(agents.map((one) => one.rss)), 1),
          atMost(110, 'controller_pss', 'MB', Math.max(...controllers.map((one) => one.pss)), 1),
        ],
        notes: [
          {
            title: `All requests of two controllers and ${nodes} agents in ${(minutes * 60).toFixed(0)} s of idleness`,
            lines: columns(tally(requests, describeRequest).map(([words, count]) => [String(count), words])),
          },
          {
            title: 'Memory after that, from /proc/PID/smaps_rollup',
            lines: [
              `agents, Pss: ${range(pss)}; anonymous: ${range(agents.map((one) => one.anonymous))}; Rss: ${range(agents.map((one) => one.rss))}`,
              `controllers, Pss: ${range(controllers.map((one) => one.pss))} (the larger counts); Rss: ${range(controllers.map((one) => one.rss))}`,
            ],
          },
        ],
      };
    }),
};
