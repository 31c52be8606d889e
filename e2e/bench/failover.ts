import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditEntry } from '../bed/audit.ts';
import type { PodProcess } from '../bed/pod-process.ts';
import { type BenchBed, onBenchBed, policyPath } from './bench-bed.ts';
import { atMost, type BenchContext, type Family } from './figure.ts';
import { columns } from './requests.ts';

const rounds = 3;
const limitMs = 40_000;
/** There is always something that only the leader may write: the policy's spec changes so often. */
const changeEveryMs = 50;
const policy = { approval: 'Automatic', rollout: { minReadySeconds: 0 } };

interface Fall {
  readonly from: string;
  readonly to: string;
  /** From the signal to the other's first write, in seconds. */
  readonly seconds: number;
  readonly write: string;
}

/** The leader is killed, and stopped cleanly, in turn, while there is work for a leader. */
export const failover: Family = {
  name: 'failover',
  figures: ['failover_seconds', 'handover_seconds'],
  run: (context) =>
    onBenchBed(context, { nodes: 2, policy }, async (bench) => {
      const killed: Fall[] = [];
      const stopped: Fall[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        context.say(`round ${round} of ${rounds}: the leader is stopped cleanly`);
        stopped.push(await fall(bench, context, (leader) => leader.kill('SIGTERM')));
        context.say(`round ${round} of ${rounds}: the leader is killed, right after it has renewed its lease`);
        killed.push(await fall(bench, context, kill));
      }
      const worst = (falls: readonly Fall[]) => Math.max(...falls.map(({ seconds }) => seconds));
      const lines = (falls: readonly Fall[]) =>
        columns(falls.map(({ from, to, seconds, write }) => [`${seconds.toFixed(3)} s`, `${from} -> ${to}: ${write}`]));
      return {
        figures: [atMost(15, 'failover_seconds', 's', worst(killed), 2), atMost(1, 'handover_seconds', 's', worst(stopped), 3)],
        notes: [
          {
            title: "From SIGKILL right after a renewal to the other's first write as the leader (the longest counts)",
            lines: lines(killed),
          },
          { title: "From SIGTERM to the other's first write as the leader (the longest counts)", lines: lines(stopped) },
        ],
      };

      async function kill(leader: PodProcess): Promise<void> {
        const renewed = await renewals(bench);
        await bench.until(async () => (await renewals(bench)) > renewed, 15_000);
        // Started anew under its own name it would take its own lease back at once.
        void leader.hold();
      }
    }),
};

async function fall(bench: BenchBed, { signal }: BenchContext, end: (leader: PodProcess) => void | Promise<void>): Promise<Fall> {
  const { bed, leader, until } = bench;
  await until(() => leader() !== undefined && bed.pods.processes('controller').every(({ ready, pid }) => ready && pid !== undefined));
  const old = leader();
  if (old === undefined) throw new Error('there is no leader');
  const mark = await bed.audit.mark();
  let at = Date.now();
  const changing = new AbortController();
  try {
    await end(old);
    at = Date.now();
    const takenOver = async () => firstOfOther(await bed.audit.find(byController, mark), old.name) !== undefined;
    await Promise.all([
      keepChanging(bench, AbortSignal.any([changing.signal, signal])),
      until(takenOver, limitMs).finally(() => changing.abort()),
    ]);
  } finally {
    changing.abort();
    old.release();
  }
  const first = firstOfOther(await bed.audit.find(byController, mark), old.name);
  if (first === undefined) throw new Error('nobody took over');
  const { verb, objectRef } = first;
  return {
    from: old.name,
    to: podOf(first),
    seconds: (Date.parse(first.stageTimestamp) - at) / 1000,
    write: `${verb} ${objectRef?.resource}${objectRef?.subresource === undefined ? '' : `/${objectRef.subresource}`}`,
  };
}

const byController = { userAgent: 'lockkeeper-controller/', verb: ['create', 'patch', 'update', 'delete'] } as const;

/** The first write that only a leader does: not that of the Lease, which makes it one. */
function firstOfOther(entries: readonly AuditEntry[], old: string): AuditEntry | undefined {
  return entries.find(
    (entry) => podOf(entry) !== old && entry.objectRef?.resource !== 'leases' && (entry.responseStatus?.code ?? 500) < 300,
  );
}

/** Both replicas are one user: the token says whose pod it was given to. */
const podOf = ({ user }: AuditEntry): string => user.extra?.['authentication.kubernetes.io/pod-name']?.[0] ?? '';

async function renewals({ bed }: BenchBed): Promise<number> {
  return (await bed.audit.find({ userAgent: 'lockkeeper-controller/', verb: 'patch', resource: 'leases', code: 200 })).length;
}

async function keepChanging({ bed }: BenchBed, signal: AbortSignal): Promise<void> {
  for (let hours = 1000; !signal.aborted; hours += 1) {
    await bed.client.patch(policyPath, { spec: { reboot: { timeout: `${hours}h` } } });
    await sleep(changeEveryMs, undefined, { signal }).catch(() => undefined);
  }
}
