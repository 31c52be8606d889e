import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../bed/eventually.ts';
import { allAt, type EcsBed, policy, startEcsBed } from '../ecs/bed.ts';
import { pythonPrograms } from '../ecs/moto.ts';
import { atMost, CannotRunHere, type Family } from './figure.ts';
import { columns, tally } from './requests.ts';

const instances = 10;
const AT_ONCE = 5;
/** All of the bed's time runs so many times as fast as it would in AWS; a call is a call in both. */
const SPEED = 30;
const scaled = (seconds: number): string => `${Math.round((seconds * 1000) / SPEED)}ms`;
/** What an instance of a busy cluster takes, in seconds. */
const TAKES = { download: 90, tasksLeave: 60, boot: 120, ready: 30 } as const;
/** What ECS's documentation counts as cluster resource read actions, and how many a second it allows for long. */
const READS = /^ecs:(ListContainerInstances|DescribeContainerInstances|ListTasks|DescribeTasks)$/;
const RATE = 20;
/** Those that a round makes once for all instances, by pages of 100. */
const OF_A_ROUND = /^ecs:(ListContainerInstances|DescribeContainerInstances)$/;
const LARGE = { instances: 500, atOnce: 50, readsOfARound: 10 } as const;
const INTERVALS = { poll: 15, idle: 60, lease: 60, refresh: 3_600 } as const;

/** The calls of AWS APIs that one cluster costs, as they came in at the wire in front of moto. */
export const ecs: Family = {
  name: 'ecs',
  figures: ['ecs_calls_per_instance', 'ecs_idle_calls_per_hour'],
  async run({ app, say, signal }) {
    await pythonPrograms().catch((error: unknown) => {
      throw new CannotRunHere(`moto's server cannot be installed: ${error instanceof Error ? error.message : String(error)}`);
    });
    const bed = await startEcsBed({ instances, app });
    try {
      return await measure(bed, { say, signal });
    } finally {
      await bed.close();
    }
  },
};

async function measure(bed: EcsBed, { say, signal }: { say: (text: string) => void; signal: AbortSignal }) {
  bed.repository.releases.splice(1);
  for (const { host } of bed.instances)
    Object.assign(host.timings, { prepareMs: (TAKES.download * 1000) / SPEED, bootMs: (TAKES.boot * 1000) / SPEED });
  bed.scheduler.leaveMs = (TAKES.tasksLeave * 1000) / SPEED;
  await bed.addService({ name: 'web', desired: instances, minimum: 50, maximum: 200 }, bed.instances);
  await bed.addService({ name: 'api', desired: instances, minimum: 50, maximum: 200 }, bed.instances);
  const program = await bed.start(
    policy(`maxUnavailable: ${AT_ONCE}`, scaled(INTERVALS.refresh)).replace(
      'minReadySeconds: 0',
      `minReadySeconds: ${TAKES.ready / SPEED}`,
    ),
    [
      ...['--poll-interval', scaled(INTERVALS.poll), '--idle-interval', scaled(INTERVALS.idle)],
      ...['--lease-duration', scaled(INTERVALS.lease)],
    ],
  );
  await eventually(async () => (await bed.records()).size === instances && bed.judge.count('ssm:SendCommand') >= instances);
  say(`counting the calls of an hour in which nothing is to be done, which is over in ${3_600 / SPEED} s`);
  const from = bed.standIn.calls.length;
  await sleep((3_600 * 1000) / SPEED, undefined, { signal });
  const idle = bed.standIn.calls.slice(from);

  say(`updating ${instances} instances, one at a time`);
  const begun = bed.standIn.calls.length;
  const startedAt = Date.now();
  bed.repository.releases.push({ version: '1.26.1', variant: 'aws-ecs-2', arch: 'x86_64' });
  await allAt(bed, '1.26.1', 600_000);
  const hours = ((Date.now() - startedAt) * SPEED) / 3_600_000;
  const rollout = bed.standIn.calls.slice(begun);
  await program.stop(10_000);
  bed.judge.invariants(AT_ONCE);
  const read = (calls: readonly { action: string }[]) => calls.filter(({ action }) => READS.test(action)).length;
  const perSecond = (read(rollout) - read(rollout.filter(({ action }) => OF_A_ROUND.test(action)))) / (hours * 3_600);
  const atOnce = (perSecond * LARGE.atOnce) / AT_ONCE + LARGE.readsOfARound / INTERVALS.poll;
  return {
    figures: [
      // So many at LARGE.atOnce stay below a quarter of the documented rate, with the calls of other services counted in.
      atMost(150, 'ecs_calls_per_instance', 'calls', rollout.length / instances, 1),
      // A round a minute makes three, the lease three a minute, each host's news an hour three.
      atMost(450, 'ecs_idle_calls_per_hour', 'calls/h', idle.length, 0),
    ],
    notes: [
      {
        title: `All AWS calls of a rollout over ${instances} container instances, ${AT_ONCE} at a time, in ${hours.toFixed(2)} h`,
        lines: [
          ...lines(rollout),
          `Of an instance: ${TAKES.download} s of download, ${TAKES.tasksLeave} s until each task has left, ${TAKES.boot} s of boot, ${TAKES.ready} s of minReadySeconds; rounds every ${INTERVALS.poll} s. All of it ${SPEED} times as fast as counted here.`,
          `${LARGE.instances} instances, ${LARGE.atOnce} at a time: at most ${atOnce.toFixed(1)} calls/s that ECS counts as cluster resource reads, of which it allows ${RATE}/s for long.`,
        ],
      },
      { title: `All AWS calls of an hour in which ${instances} container instances have nothing to do`, lines: lines(idle) },
    ],
  };
}

const lines = (calls: readonly { action: string }[]): string[] =>
  columns(tally(calls, ({ action }) => action).map(([words, count]) => [String(count), words]));
