/** How a longer run (`make fuzz`) is to be. */
export interface LongerRun {
  /** How long each property is held, in seconds. */
  readonly seconds: number;
  /** Of a case to be tried again; by chance where none is named. */
  readonly seed: number | undefined;
}

/** What `make fuzz` asks for; undefined: this is none. */
export function longerRun(env: NodeJS.ProcessEnv = process.env): LongerRun | undefined {
  const seconds = Number(env['LOCKKEEPER_FUZZ_SECONDS'] ?? '');
  if (!(seconds > 0)) return undefined;
  const seed = env['LOCKKEEPER_FUZZ_SEED'] || undefined;
  return { seconds, seed: seed === undefined ? undefined : Number(seed) };
}
