/** What the benchmarks take from their environment. */
export interface BenchEnvironment {
  /** How long idle traffic is counted; the figure that counts is taken over 300 s. */
  readonly idleSeconds: number;
}

/** @throws RangeError whose message is one clear line */
export function benchEnvironment(env: NodeJS.ProcessEnv = process.env): BenchEnvironment {
  const idleSeconds = Number(env['BENCH_IDLE_SECONDS'] || '300');
  if (!Number.isInteger(idleSeconds) || idleSeconds < 10 || idleSeconds > 3600) {
    throw new RangeError('BENCH_IDLE_SECONDS must be a whole number of seconds from 10 to 3600');
  }
  return { idleSeconds };
}
