import * as z from 'zod/mini';
import { PHASES } from '../../src/api/node-update.ts';
import { createMetrics } from '../../src/controller/metrics.ts';
import { REASONS } from '../../src/core/reasons.ts';

/** A rule or a panel asks for what no controller tells. */
export class UnknownMetricError extends Error {
  override readonly name = 'UnknownMetricError';
}

const metricSchema = z.object({ name: z.string(), help: z.string(), type: z.string(), labelNames: z.array(z.string()) });

/** What Prometheus and its operator add to each series. */
const targetLabels = ['job', 'instance', 'namespace', 'pod', 'service', 'le'];
const valuesOf: Readonly<Record<string, readonly string[]>> = { phase: PHASES, reason: Object.keys(REASONS) };

/** The controller's metrics as they are registered. */
export const registeredMetrics = (): { name: string; help: string; type: string; labels: readonly string[] }[] =>
  z
    .array(metricSchema)
    .parse(createMetrics(() => 0, { brupop: true }).registry.getMetricsAsArray())
    .map(({ labelNames: labels, ...metric }) => ({ ...metric, labels }));

/** The controller's metrics: help and labels by the name that Prometheus knows, those of histograms by each of theirs. */
export function knownMetrics(): ReadonlyMap<string, { help: string; labels: readonly string[] }> {
  return new Map(
    registeredMetrics().flatMap(({ name, help, type, labels }) =>
      (type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']).map((end) => [`${name}${end}`, { help, labels }] as const),
    ),
  );
}

/** The metrics that a PromQL expression names. Throws an UnknownMetricError where one, a label or a label's value does not exist. */
export function metricsIn(expression: string, known = knownMetrics()): string[] {
  const found = [...expression.matchAll(/\b(lockkeeper_\w+)(?:\{([^}]*)\})?/g)].map(([, name = '', selectors = '']) => ({
    name,
    selectors,
  }));
  const fail = (what: string) => {
    throw new UnknownMetricError(`${expression}: there is no ${what}`);
  };
  if (found.length === 0) fail('metric of ours in it');
  const labels = new Set(targetLabels);
  for (const { name, selectors } of found) {
    const metric = known.get(name) ?? fail(name);
    for (const label of metric.labels) labels.add(label);
    for (const [, label = '', operator = '', value = ''] of selectors.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)) {
      if (![...metric.labels, ...targetLabels].includes(label)) fail(`label ${label} of ${name}`);
      if (value.includes('$')) continue;
      for (const one of operator.includes('~') ? value.split('|') : [value])
        if (valuesOf[label]?.includes(one) === false) fail(`${label} ${one}`);
    }
  }
  for (const [, names = ''] of expression.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g))
    for (const label of names.split(',').map((one) => one.trim())) if (!labels.has(label)) fail(`label ${label}`);
  return found.map(({ name }) => name);
}
