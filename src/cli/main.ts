#!/usr/bin/env node
import { run } from './run.ts';

// It only reads: whoever stops it ends it at once, also while it computes.
const { stdin, stdout, stderr } = process;
// Whoever reads no further, such as `head`, has seen enough.
stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1));
process.exitCode = await run(process.argv.slice(2), { stdin, stdout, stderr });
