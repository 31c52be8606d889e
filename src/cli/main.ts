#!/usr/bin/env node
import { isMainThread } from 'node:worker_threads';
import { run } from './run.ts';

// Whoever stops it ends it at once, also while it computes; only what shows changes live ends by itself.
const onInterrupt = (listener: () => void): (() => void) => {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
};

if (isMainThread) {
  const { stdin, stdout, stderr } = process;
  // Whoever reads no further, such as `head`, has seen enough.
  stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1));
  const program = new URL(import.meta.url);
  process.exitCode = await run(process.argv.slice(2), { stdin, stdout, stderr, onInterrupt, program });
} else {
  // The one file is all that there is: the dashboard's plans are made by another thread of it.
  const { planAsThread } = await import('../dashboard/server/plan-thread.ts');
  planAsThread();
}
