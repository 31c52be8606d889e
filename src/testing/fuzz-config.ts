/** How long each property is held in a longer run (`make fuzz`), in seconds; undefined: this is none. */
export function fuzzSeconds(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const given = Number(env['LOCKKEEPER_FUZZ_SECONDS'] ?? '');
  return given > 0 ? given : undefined;
}
