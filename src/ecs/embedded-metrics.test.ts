import { expect, test } from '@jest/globals';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import * as z from 'zod/mini';
import { embeddedMetrics } from './embedded-metrics.ts';

/** The shape that the specification of CloudWatch's embedded metric format publishes, with its limits. */
const name = z.string().check(z.minLength(1), z.maxLength(1_024));
const published = z.looseObject({
  _aws: z.strictObject({
    Timestamp: z.int(),
    CloudWatchMetrics: z.array(
      z.strictObject({
        Namespace: name,
        Dimensions: z.array(z.array(name).check(z.maxLength(30))).check(z.minLength(1)),
        Metrics: z.array(z.strictObject({ Name: name, Unit: z.enum(['Seconds', 'Count']) })).check(z.minLength(1), z.maxLength(100)),
      }),
    ),
  }),
});

/** What the schema cannot say: every target of a directive is a member of the root, dimensions as strings, metrics as numbers. */
function expectPublishedShape(documents: readonly object[]): void {
  for (const one of documents) {
    const root = z.parse(published, one) as Record<string, unknown> & z.infer<typeof published>;
    for (const { Dimensions, Metrics } of root._aws.CloudWatchMetrics) {
      for (const dimension of Dimensions.flat()) expect(root[dimension]).toEqual(expect.stringMatching(/^.{1,1024}$/));
      for (const { Name } of Metrics) expect(typeof root[Name]).toBe('number');
    }
  }
}

const at = Date.UTC(2026, 10, 23);

test('metrics are told by their labels; those of nodes and of the process are not', async () => {
  const registry = new Registry();
  const nodes = new Gauge({ name: 'lockkeeper_nodes', help: 'h', labelNames: ['policy'], registers: [registry] });
  nodes.set({ policy: 'all' }, 5);
  nodes.set({ policy: 'empty' }, 0);
  new Gauge({ name: 'lockkeeper_leader', help: 'h', registers: [registry] }).set(1);
  new Gauge({ name: 'lockkeeper_node_behind_seconds', help: 'h', labelNames: ['node', 'policy'], registers: [registry] }).set(
    { node: 'i-1', policy: 'all' },
    3,
  );
  new Gauge({ name: 'lockkeeper_process_start_time_seconds', help: 'h', registers: [registry] }).set(3);
  const documents = await embeddedMetrics(registry, { namespace: 'Lockkeeper', cluster: 'shop' })(at);
  expectPublishedShape(documents);
  expect(documents).toEqual([
    {
      _aws: {
        Timestamp: at,
        CloudWatchMetrics: [
          { Namespace: 'Lockkeeper', Dimensions: [['cluster', 'policy']], Metrics: [{ Name: 'lockkeeper_nodes', Unit: 'Count' }] },
        ],
      },
      cluster: 'shop',
      policy: 'all',
      lockkeeper_nodes: 5,
    },
    expect.objectContaining({ policy: 'empty', lockkeeper_nodes: 0 }),
    expect.objectContaining({ cluster: 'shop', lockkeeper_leader: 1 }),
  ]);
});

test('counters and histograms are told by their growth, and not where there is none', async () => {
  const registry = new Registry();
  const calls = new Counter({ name: 'lockkeeper_aws_calls_total', help: 'h', labelNames: ['action'], registers: [registry] });
  const durations = new Histogram({ name: 'lockkeeper_decide_duration_seconds', help: 'h', buckets: [1, 2], registers: [registry] });
  const tell = embeddedMetrics(registry, { namespace: 'Lockkeeper', cluster: 'shop' });
  calls.inc({ action: 'ecs:StopTask' }, 3);
  durations.observe(1.5);
  const first = await tell(at);
  expectPublishedShape(first);
  expect(first).toMatchObject([
    { action: 'ecs:StopTask', lockkeeper_aws_calls_total: 3 },
    { lockkeeper_decide_duration_seconds_sum: 1.5, lockkeeper_decide_duration_seconds_count: 1 },
  ]);
  calls.inc({ action: 'ecs:StopTask' }, 2);
  expect(await tell(at + 60_000)).toMatchObject([{ action: 'ecs:StopTask', lockkeeper_aws_calls_total: 2 }]);
});

test('what passes a limit of the format is divided or cut', async () => {
  const registry = new Registry();
  for (let index = 0; index < 250; index += 1) new Gauge({ name: `lockkeeper_g${index}`, help: 'h', registers: [registry] }).set(index);
  new Gauge({ name: 'lockkeeper_long', help: 'h', labelNames: ['policy', 'reason'], registers: [registry] }).set(
    { policy: 'x'.repeat(2_000), reason: '' },
    1,
  );
  const documents = await embeddedMetrics(registry, { namespace: 'Lockkeeper', cluster: 'shop' })(at);
  expectPublishedShape(documents);
  expect(documents).toHaveLength(4);
});
