import assert from 'node:assert/strict';
import type { Call } from './stand-in.ts';

/** What happened to a host, after how many calls. */
export type HostEvent =
  | { type: 'rebooting'; instance: string; call: number; staged: { version?: string } | object; tasks: string[] }
  | { type: 'booted'; instance: string; call: number; bootID: string; version: string };

interface JudgeInput {
  readonly instances: readonly { readonly id: string; readonly arn: string }[];
  readonly calls: () => readonly Call[];
  readonly events: readonly HostEvent[];
  /** What somebody else did to an instance's state. */
  readonly others: readonly { instance: string; call: number; status: string }[];
}

/** A change of an instance's state, by us or by somebody else. */
interface StateChange {
  readonly instance: string;
  readonly call: number;
  /** On the bed's monotonic clock, in milliseconds; of our own alone. */
  readonly at?: number;
  readonly status: string;
  readonly ours: boolean;
}

/** Judges a run from the calls that AWS got, and from what the hosts did. */
export interface EcsJudge {
  /** How often each host has rebooted, by instance. */
  reboots(): Record<string, number>;
  /** What was done to the state of instances, by us and by others, in its order. */
  changes(): StateChange[];
  /** The most instances that were DRAINING by us, or not connected, at once, after so many calls. */
  mostAtOnce(after?: number): number;
  count(action: string, after?: number): number;
  /** No reboot without our DRAINING and a finished drain; never ACTIVE what we did not drain; no more at once than the limit. */
  invariants(limit?: number): void;
}

export function createEcsJudge({ instances, calls, events, others }: JudgeInput): EcsJudge {
  const idOf = new Map(instances.map(({ arn, id }) => [arn, id]));
  const changes = (): StateChange[] => {
    const ours = calls()
      .filter(({ action, status }) => action === 'ecs:UpdateContainerInstancesState' && status === 200)
      .flatMap(({ number, input, at }) => {
        const { containerInstances = [], status = '' } = input as { containerInstances?: string[]; status?: string };
        return containerInstances.map((arn) => ({ instance: idOf.get(arn) ?? arn, call: number, at, status, ours: true }));
      });
    return [...ours, ...others.map((change) => ({ ...change, ours: false }))].sort((a, b) => a.call - b.call);
  };
  const judge: EcsJudge = {
    reboots: () =>
      Object.fromEntries(
        instances.map(({ id }) => [id, events.filter((event) => event.type === 'rebooting' && event.instance === id).length]),
      ),
    changes,
    mostAtOnce(after = 0) {
      const moments = [
        ...changes().map(({ instance, call, status }) => ({
          instance,
          call,
          away: status === 'DRAINING' ? ('drained' as const) : undefined,
        })),
        ...events.map(({ instance, call, type }) => ({
          instance,
          call,
          away: type === 'rebooting' ? ('down' as const) : undefined,
          host: true,
        })),
      ].sort((a, b) => a.call - b.call);
      const drained = new Set<string>();
      const down = new Set<string>();
      let most = 0;
      for (const moment of moments) {
        if (moment.call <= after) continue;
        const set = 'host' in moment ? down : drained;
        if (moment.away === undefined) set.delete(moment.instance);
        else set.add(moment.instance);
        most = Math.max(most, new Set([...drained, ...down]).size);
      }
      return most;
    },
    count: (action, after = 0) => calls().filter((call) => call.action === action && call.number > after).length,
    invariants(limit = 1) {
      const all = changes();
      for (const event of events) {
        if (event.type !== 'rebooting') continue;
        const last = all.findLast(({ instance, call }) => instance === event.instance && call <= event.call);
        assert.partialDeepStrictEqual({ ...event, last: last?.status, ours: last?.ours }, { last: 'DRAINING', ours: true });
        assert.deepEqual(
          event.tasks.filter((group) => group.startsWith('service:')),
          [],
        );
      }
      for (const [index, change] of all.entries()) {
        if (!change.ours || change.status !== 'ACTIVE') continue;
        const before = all.slice(0, index).filter(({ instance }) => instance === change.instance);
        const drainedBy = before.findLast(({ status }) => status === 'DRAINING');
        assert.partialDeepStrictEqual({ ...change, drainedByUs: drainedBy?.ours }, { drainedByUs: true });
      }
      assert.ok(judge.mostAtOnce() <= limit, `${judge.mostAtOnce()} instances were away at once, not ${limit}`);
      assert.deepEqual(noStrangeCalls(calls()), []);
    },
  };
  return judge;
}

const KNOWN = new Set([
  'ecs:ListContainerInstances',
  'ecs:DescribeContainerInstances',
  'ecs:UpdateContainerInstancesState',
  'ecs:ListTasks',
  'ecs:DescribeTasks',
  'ecs:DescribeServices',
  'ecs:StopTask',
  'ssm:SendCommand',
  'ssm:GetCommandInvocation',
  'dynamodb:Query',
  'dynamodb:PutItem',
  'dynamodb:DeleteItem',
]);

const noStrangeCalls = (calls: readonly Call[]): string[] => calls.map(({ action }) => action).filter((action) => !KNOWN.has(action));
