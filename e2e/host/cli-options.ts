import { parseArgs } from 'node:util';
import { z } from 'zod';
import { type FaultName, faultDescriptions, faultNames } from './faults.ts';

/** What the command line asks for. */
export interface CliOptions {
  socketPath: string;
  version: string;
  repository: string[];
  variant: string;
  arch: string;
  seed: number | undefined;
  fast: boolean;
  bootIDFile: string | undefined;
  faults: [name: FaultName, times: number][];
}

export type CommandLine = { run: CliOptions } | { print: string } | { refusal: string };

const flags = {
  socket: { type: 'string' },
  version: { type: 'string' },
  repo: { type: 'string', multiple: true },
  variant: { type: 'string', default: 'aws-k8s-1.31' },
  arch: { type: 'string', default: 'x86_64' },
  seed: { type: 'string' },
  fast: { type: 'boolean', default: false },
  'boot-id-file': { type: 'string' },
  fault: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const version = z.string().regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/, 'wants a version such as 1.26.1');

const schema = z.object({
  socket: z.string('is missing: --socket PATH').min(1, 'wants a path'),
  version: z.string('is missing: --version 1.26.0').pipe(version),
  repo: z.array(version).default([]),
  variant: z.string().min(1, 'wants a variant such as aws-k8s-1.31'),
  arch: z.enum(['x86_64', 'aarch64'], 'wants x86_64 or aarch64'),
  seed: z
    .string()
    .regex(/^\d{1,9}$/, 'wants a number')
    .transform(Number)
    .optional(),
  fast: z.boolean(),
  'boot-id-file': z.string().min(1, 'wants a path').optional(),
  fault: z
    .array(
      z
        .string()
        .regex(/^\w+(=[1-9]\d{0,8})?$/, 'wants NAME or NAME=COUNT')
        .transform((text): [string, number] => {
          const [name = '', times = '1'] = text.split('=');
          return [name, Number(times)];
        })
        .refine(([name]) => Object.hasOwn(faultDescriptions, name), 'is no fault that --help lists'),
    )
    .default([]),
});

/** Reads the command line; never throws. */
export function parseCommandLine(args: string[]): CommandLine {
  let values: unknown;
  try {
    const parsed = parseArgs({ args, options: flags });
    if (parsed.values.help) return { print: help };
    values = parsed.values;
  } catch (error) {
    return { refusal: String((error as Error).message).split('\n')[0] ?? '' };
  }
  const parsed = schema.safeParse(values);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return { refusal: `--${String(issue?.path[0])} ${issue?.message}` };
  }
  const { socket, version, repo, variant, arch, seed, fast, fault } = parsed.data;
  const faults = fault as CliOptions['faults'];
  return {
    run: { socketPath: socket, version, repository: repo, variant, arch, seed, fast, bootIDFile: parsed.data['boot-id-file'], faults },
  };
}

const width = Math.max(...faultNames.map((name) => name.length));

const help = `Serves a simulated Bottlerocket host's API on a Unix socket until Ctrl-C.

Usage: node e2e/host/main.ts --socket PATH --version 1.26.0 --repo 1.26.1 [--repo 1.27.0]...

  --socket PATH          where to listen; what lies there is replaced
  --version VERSION      what the host runs
  --repo VERSION         a version in the update repository; may be given again
  --variant VARIANT      default aws-k8s-1.31
  --arch ARCH            x86_64 (default) or aarch64
  --seed N               the host's place in the waves; default: at random
  --fast                 nothing takes time
  --boot-id-file PATH    a file kept equal to the boot ID
  --fault NAME[=COUNT]   lets a fault happen the next COUNT times (default 1); may be given again
  --help

SIGUSR2 releases what a fault holds, and powers a host on that is down.

Faults:
${faultNames.map((name) => `  ${name.padEnd(width)}  ${faultDescriptions[name]}`).join('\n')}
`;
