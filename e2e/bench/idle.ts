import { setTimeout as sleep } from 'node:timers/promises';
import { memoryAlone } from './alone.ts';
import { onBenchBed } from './bench-bed.ts';
import { atMost, type Family, median } from './figure.ts';
import { type Memory, memoryOf } from './memory.ts';
import { columns, describeRequest, productRequests, tally } from './requests.ts';

const nodes = 50;
const policy = { approval: 'Automatic' };
/** A process that has nothing to do any more takes a while to give memory back, and the first news of hosts come within 5 s. */
const settleMs = 15_000;
/** Of two controllers: what each watches cluster-wide, and the standby the Lease. */
const watches = 17;

/** Many agents and two controllers with nothing to do: what they ask, and what they hold. */
export const idle: Family = {
  name: 'idle',
  figures: ['idle_requests_per_minute', 'agent_pss', 'agent_pss_alone', 'controller_pss', 'controller_pss_alone'],
  run: (context) =>
    onBenchBed(context, { nodes, policy }, async (bench) => {
      const { bed, quiet } = bench;
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
      say('running an agent, and the leader, each from a copy of the Node binary of its own');
      const [agent] = bed.pods.processes('agent');
      const leader = bench.leader();
      if (agent === undefined || leader === undefined) throw new Error('there is no agent or no leader');
      const agentAlone = await memoryAlone(bench, agent, settleMs, signal);
      const leaderAlone = await memoryAlone(bench, leader, settleMs, signal);

      return {
        figures: [
          atMost(20, 'idle_requests_per_minute', 'requests/min', requests.length / minutes, 1),
          atMost(55, 'agent_pss', 'MB', median(agents.map(({ pss }) => pss)), 1),
          atMost(55, 'agent_pss_alone', 'MB', agentAlone.pss, 1),
          atMost(110, 'controller_pss', 'MB', Math.max(...controllers.map(({ pss }) => pss)), 1),
          atMost(110, 'controller_pss_alone', 'MB', leaderAlone.pss, 1),
        ],
        notes: [
          {
            title: `All requests of two controllers and ${nodes} agents in ${(minutes * 60).toFixed(0)} s of idleness`,
            lines: [
              ...columns(tally(requests, describeRequest).map(([words, count]) => [String(count), words])),
              `The server ends each of the ${nodes + watches} watches after 30 to 60 minutes: in the long run that adds ${((nodes + watches) / 45).toFixed(1)} a minute.`,
            ],
          },
          {
            title: 'Memory after that, from /proc/PID/smaps_rollup',
            lines: [
              `${nodes} agents (the one in the middle counts): ${describe(agents)}`,
              `2 controllers (the larger one counts): ${describe(controllers)}`,
              `an agent alone: ${describe([agentAlone])}`,
              `a leader alone, soon after its start: ${describe([leaderAlone])}`,
              "Pss counts of a shared page its share: the programs of this bed share the pages of one Node binary. 'Alone' is a program with a",
              'binary that nobody else runs, as on a real node: that is what to compare with another agent, and the smaller number is not.',
            ],
          },
        ],
      };
    }),
};

function describe(processes: readonly Memory[]): string {
  const range = (of: (memory: Memory) => number): string => {
    const values = processes.map(of);
    const [least, most] = [Math.min(...values).toFixed(1), Math.max(...values).toFixed(1)];
    return least === most ? `${least} MB` : `${least} to ${most} MB`;
  };
  return `Pss ${range(({ pss }) => pss)}, Rss ${range(({ rss }) => rss)}, of it anonymous ${range(({ anonymous }) => anonymous)}`;
}
