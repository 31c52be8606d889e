#!/usr/bin/env node
import { run } from './run.ts';

// Whoever stops it ends it at once, also while it computes; only what shows changes live ends by itself.
const onInterrupt = (listener: () => void): (() => void) => {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
};
const { stdin, stdout, stderr } = process;
// Whoever reads no further, such as `head`, has seen enough.
stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1));
process.exitCode = await run(process.argv.slice(2), { stdin, stdout, stderr, onInterrupt });
