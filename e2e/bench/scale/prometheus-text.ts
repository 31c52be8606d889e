/** A histogram as Prometheus' text format tells it: how many were at most so long, for each bound. */
export type Histogram = readonly (readonly [bound: number, count: number])[];

/** The value of a metric without labels. @throws Error where there is none */
export function metricValue(text: string, name: string): number {
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`there is no metric ${name}`);
  return Number(value);
}

/** A histogram without labels; empty where there is none. */
export function histogramOf(text: string, name: string): Histogram {
  return [...text.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\S+)$`, 'gm'))].map(([, bound, count]) => [
    bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound),
    Number(count),
  ]);
}

/** The sum of a metric's samples that have all these labels, such as `phase="Draining"`; 0 where there is none. */
export function sumOf(text: string, name: string, ...labels: readonly string[]): number {
  const samples = text.matchAll(new RegExp(`^${name}\\{([^}]*)\\} (\\S+)$`, 'gm'));
  return [...samples].reduce((sum, [, has = '', value]) => sum + (labels.every((label) => has.includes(label)) ? Number(value) : 0), 0);
}

/** What was observed between two looks at a histogram. */
export function between(before: Histogram, after: Histogram): Histogram {
  return after.map(([bound, count], index) => [bound, count - (before[index]?.[1] ?? 0)]);
}

/** How many were observed. */
export function observations(histogram: Histogram): number {
  return histogram.at(-1)?.[1] ?? 0;
}

/**
 * The value below which the share `q` of the observations lies, taken to lie evenly between two bounds; of those beyond the last
 * bound, that bound. Undefined where nothing was observed.
 */
export function quantile(histogram: Histogram, q: number): number | undefined {
  const wanted = observations(histogram) * q;
  if (wanted === 0) return undefined;
  let [lower, below] = [0, 0];
  for (const [bound, count] of histogram) {
    if (count >= wanted) {
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return count === below ? bound : lower + ((bound - lower) * (wanted - below)) / (count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}
