import { describe, expect, test } from '@jest/globals';
import { EcsCluster } from './cluster.ts';
import { readEcsPolicies } from './policies.ts';
import { Rounds } from './round.ts';
import { Table } from './table.ts';
import { type CrashPlan, FakeAws, type Wires } from './testing/fake-aws.ts';

const POLL_MS = 15_000;
/** More than an update takes, and than it has calls: the loops end before. */
const MOST_ROUNDS = 200;
const MOST_CALLS = 1_000;
const policy = (more = '') =>
  readEcsPolicies(
    `apiVersion: lockkeeper.dev/v1alpha1
kind: UpdatePolicy
metadata: {name: all}
spec:
  rollout: {minReadySeconds: 0}
${more}`,
    'policy.yaml',
  );
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const isDone = (aws: FakeAws): boolean => {
  const record = aws.record('i-1');
  return aws.hosts.get('i-1')?.version === '1.26.1' && record?.cordon === undefined && record?.update.phase === 'Idle' && noClaims(aws);
};

const noClaims = ({ items }: FakeAws): boolean => (JSON.parse(items.get('policy/all')?.data ?? '{}').status?.claims ?? []).length === 0;

/** One process, until it dies or all is done. */
async function live(aws: FakeAws, plan?: CrashPlan, files = policy()): Promise<Wires> {
  const wires = aws.wires(plan);
  const table = new Table(wires.table, () => {});
  const cluster = new EcsCluster({ ecs: wires.ecs, table, name: 'shop', files, retry: { baseMs: 60_000, maxMs: 1_800_000 } });
  const rounds = new Rounds({ cluster, ssm: wires.ssm, now: () => aws.now, pollMs: POLL_MS, anew: false, logger });
  for (let round = 0; round < MOST_ROUNDS && !wires.died() && !isDone(aws); round += 1) {
    await rounds.round().catch((error: unknown) => {
      if (!wires.died()) throw error;
    });
    aws.pass(POLL_MS);
    if (plan === undefined && round === 1) await aws.deliver();
  }
  return wires;
}

test.each(['before', 'after', 'late'] as const)(
  'killed at each call of an update (%s), and started again: one claim, one drain, one reboot, and given back',
  async (when) => {
    let crashes = 0;
    for (let call = 1; call <= MOST_CALLS; call += 1) {
      const aws = new FakeAws('1.26.1');
      const { died, calls } = await live(aws, { call, when });
      if (died()) await live(aws);
      expect({
        call: `${call}, ${calls.at(-1)}`,
        wrong: aws.wrong,
        done: isDone(aws),
        claims: aws.claims.size,
        reboots: [...aws.hosts.values()].map(({ reboots }) => reboots),
        states: aws.states,
        stopped: aws.stopped,
        changes: [...new Set(aws.changes)],
      }).toEqual({
        call: expect.any(String),
        wrong: [],
        done: true,
        claims: 1,
        reboots: [1, 0],
        states: { 'i-1': 'ACTIVE', 'i-2': 'ACTIVE' },
        stopped: [],
        changes: ['i-1 DRAINING', 'i-1 ACTIVE'],
      });
      if (!died()) break;
      crashes += 1;
    }
    expect(crashes).toBeGreaterThan(60);
  },
);

describe('a task of no service', () => {
  const lived = async (drain: string): Promise<FakeAws> => {
    const aws = new FakeAws('1.26.1');
    aws.startTask('i-1');
    await live(aws, undefined, policy(`  drain: {${drain}}\n`));
    return aws;
  };

  test('is stopped where drain.force and drain.onTimeout say so, and not before drain.timeout', async () => {
    const aws = await lived('force: true, timeout: 5m, onTimeout: Force');
    expect(aws.stopped).toEqual([{ task: 'task/alone-i-1', afterMs: expect.any(Number) }]);
    expect(aws.stopped[0]?.afterMs).toBeGreaterThanOrEqual(300_000);
    expect(aws.stopped[0]?.afterMs).toBeLessThanOrEqual(300_000 + POLL_MS);
    expect({ done: isDone(aws), wrong: aws.wrong, reboots: aws.hosts.get('i-1')?.reboots }).toEqual({ done: true, wrong: [], reboots: 1 });
  });

  test('is waited for where drain.onTimeout is Skip, and the instance given back', async () => {
    const aws = await lived('force: true, timeout: 5m, onTimeout: Skip');
    expect(aws.stopped).toEqual([]);
    expect(aws.changes.slice(0, 2)).toEqual(['i-1 DRAINING', 'i-1 ACTIVE']);
    expect(aws.hosts.get('i-1')?.reboots).toBe(0);
  });

  test('keeps the instance from being drained at all without drain.force', async () => {
    const aws = await lived('timeout: 5m, onTimeout: Force');
    expect({ stopped: aws.stopped, changes: aws.changes }).toEqual({ stopped: [], changes: [] });
    expect(aws.record('i-1')?.update).toMatchObject({ reason: 'CannotEvict', message: expect.stringContaining('batch/') });
  });
});
