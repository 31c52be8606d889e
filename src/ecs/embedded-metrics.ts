import type { MetricObjectWithValues, MetricValue, MetricValueWithName, Registry } from 'prom-client';
import type { Instant } from '../core/world.ts';

/** Of one directive, by the format's specification. */
const MAX_METRICS = 100;
const MAX_VALUE = 1_024;
/** Metrics of this process itself, which CloudWatch has from ECS. */
const OF_THE_PROCESS = /^lockkeeper_(process|nodejs)_/;

/** A document of CloudWatch's embedded metric format: a directive, and the members of the root that it names. */
export type EmbeddedMetrics = Readonly<Record<string, unknown>>;

interface Directive {
  labels: Record<string, string>;
  values: Map<string, number>;
}

/**
 * Tells a registry's metrics in CloudWatch's embedded metric format: what Prometheus is told, but for metrics of single nodes, each of which
 * CloudWatch would charge for. A gauge is told as it is, a counter (and a histogram's sum and count) by its growth since it was told last.
 */
export function embeddedMetrics(registry: Registry, { namespace, cluster }: { namespace: string; cluster: string }) {
  const told = new Map<string, number>();
  return async (now: Instant): Promise<EmbeddedMetrics[]> => {
    const directives = new Map<string, Directive>();
    for (const metric of (await registry.getMetricsAsJSON()) as MetricObjectWithValues<MetricValue<string>>[]) {
      if (OF_THE_PROCESS.test(metric.name)) continue;
      const grows = String(metric.type) !== 'gauge';
      for (const one of metric.values as MetricValueWithName<string>[]) {
        const name = one.metricName ?? metric.name;
        const { labels } = one;
        if ('node' in labels || name.endsWith('_bucket')) continue;
        const of = JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
        const key = `${name} ${of}`;
        const value = grows ? one.value - (told.get(key) ?? 0) : one.value;
        if (grows) told.set(key, one.value);
        if (grows && value === 0) continue;
        const directive = directives.get(of) ?? { labels: stringsOf(labels), values: new Map<string, number>() };
        directives.set(of, directive);
        directive.values.set(name, value);
      }
    }
    return [...directives.values()].flatMap(({ labels, values }) =>
      piecesOf([...values]).map((some) => documentOf(some, { cluster, ...labels }, namespace, now)),
    );
  };
}

function documentOf(
  values: readonly (readonly [name: string, value: number])[],
  dimensions: Readonly<Record<string, string>>,
  namespace: string,
  now: Instant,
): EmbeddedMetrics {
  return {
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [
        {
          Namespace: namespace,
          Dimensions: [Object.keys(dimensions)],
          Metrics: values.map(([name]) => ({ Name: name, Unit: unitOf(name) })),
        },
      ],
    },
    ...dimensions,
    ...Object.fromEntries(values),
  };
}

const unitOf = (name: string): string => (/_seconds(_sum)?$/.test(name) ? 'Seconds' : 'Count');

/** CloudWatch takes no empty dimension. */
const stringsOf = (labels: Readonly<Partial<Record<string, string | number>>>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value ?? '').slice(0, MAX_VALUE) || '-']));

const piecesOf = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / MAX_METRICS) }, (_, at) => items.slice(at * MAX_METRICS, (at + 1) * MAX_METRICS));
