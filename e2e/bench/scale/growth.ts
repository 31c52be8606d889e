/** A figure at one size. */
export interface Point {
  readonly nodes: number;
  readonly value: number;
}

/**
 * The exponent b of `value = a · nodes^b` that fits the points best (least squares of the logarithms): 0 does not grow, 1 grows
 * with the cluster. Undefined where fewer than two sizes, or a value that is not positive, tell nothing.
 */
export function growthExponent(points: readonly Point[]): number | undefined {
  if (new Set(points.map(({ nodes }) => nodes)).size < 2 || points.some(({ value, nodes }) => !(value > 0) || !(nodes > 0)))
    return undefined;
  const logs = points.map(({ nodes, value }) => [Math.log(nodes), Math.log(value)] as const);
  const mean = (index: 0 | 1) => logs.reduce((sum, log) => sum + log[index], 0) / logs.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const variance = logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return covariance / variance;
}

/** Measurements on a machine that does other things scatter: up to here counts as linear. */
const linearUpTo = 1.15;

/** The exponent in words. */
export function describeGrowth(exponent: number | undefined): string {
  if (exponent === undefined) return '';
  if (exponent > linearUpTo) return 'worse than linear';
  if (exponent > 0.85) return 'linear';
  return exponent > 0.15 ? 'less than linear' : 'does not grow';
}
