import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Children, createChildren } from './children.ts';
import { type BedEnvironment, bedEnvironment } from './config.ts';

/** Where one bed keeps its files, and the programs that live there. */
export interface Home {
  readonly name: string;
  /** Logs, the audit log, kubeconfigs: kept where something failed. */
  readonly out: string;
  /** Everything else: always removed. */
  readonly scratch: string;
  readonly children: Children;
  /** The log file of the program with this name. */
  log(name: string): string;
  close(options: { readonly keepLogs: boolean }): Promise<void>;
}

export interface HomeOptions {
  readonly name?: string;
  /** The folder for logs; `e2e/out/<name>` unless told. */
  readonly dir?: string;
  readonly environment?: BedEnvironment;
}

export async function openHome(options: HomeOptions = {}): Promise<Home> {
  const environment = options.environment ?? bedEnvironment();
  const name = options.name ?? `bed-${process.pid}-${randomBytes(3).toString('hex')}`;
  const out = path.resolve(options.dir ?? path.join(environment.out, name));
  await mkdir(out, { recursive: true });
  // Short, because a Unix socket's path must stay below 108 bytes.
  const scratch = await mkdtemp(path.join(environment.scratch, 'bed-'));
  const children = createChildren(scratch);
  return {
    name,
    out,
    scratch,
    children,
    log: (program) => path.join(out, `${program}.log`),
    async close({ keepLogs }) {
      await children.close();
      await rm(scratch, { recursive: true, force: true });
      if (!keepLogs) await rm(out, { recursive: true, force: true });
    },
  };
}

/** The last lines of a log, for an error's message. */
export async function tail(file: string, lines = 15): Promise<string> {
  try {
    const text = await readFile(file, 'utf8');
    return text.trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}
