import { access } from 'node:fs/promises';
import path from 'node:path';
import { ImageError, run } from './command.ts';

/** What the dynamic loader asks of a program or a library, and what that one gives to others. */
export interface Elf {
  /** As readelf names it, such as `AArch64`. */
  readonly machine: string;
  /** The loader's own path; programs alone have one. */
  readonly interpreter: string | undefined;
  readonly needed: readonly string[];
  /** Symbol versions by the library that must define them: the loader refuses to start where one lacks. */
  readonly versionsNeeded: ReadonlyMap<string, readonly string[]>;
  readonly versionsDefined: ReadonlySet<string>;
}

export interface Library {
  readonly name: string;
  readonly file: string;
}

/** The header, segments, dynamic section and symbol versions of a file of any architecture. */
export async function readElf(file: string): Promise<Elf> {
  return parseReadelf(await run('readelf', ['--wide', '--file-header', '--program-headers', '--dynamic', '--version-info', file]));
}

export function parseReadelf(text: string): Elf {
  const versionsNeeded = new Map<string, string[]>();
  const versionsDefined = new Set<string>();
  let section: 'needs' | 'definition' | undefined;
  let library: string[] = [];
  for (const line of text.split('\n')) {
    const heading = /^Version (needs|definition|symbols) section/.exec(line)?.[1];
    if (heading !== undefined) section = heading === 'needs' || heading === 'definition' ? heading : undefined;
    const name = /\bName: (\S+)/.exec(line)?.[1];
    const from = /\bFile: (\S+)/.exec(line)?.[1];
    if (section === 'needs' && from !== undefined) {
      library = versionsNeeded.get(from) ?? [];
      versionsNeeded.set(from, library);
    } else if (section === 'needs' && name !== undefined) library.push(name);
    else if (section === 'definition' && name !== undefined) versionsDefined.add(name);
  }
  return {
    machine: /^\s*Machine:\s*(.+?)\s*$/m.exec(text)?.[1] ?? '',
    interpreter: /Requesting program interpreter: ([^\]]+)\]/.exec(text)?.[1],
    needed: [...text.matchAll(/\(NEEDED\)\s+Shared library: \[([^\]]+)\]/g)].map(([, name]) => name ?? ''),
    versionsNeeded,
    versionsDefined,
  };
}

/**
 * All libraries that a program needs, directly or not, in the order of their names, each from the first folder that has it.
 * Refuses where one is missing, is of another architecture or defines a version too few: what the loader would say at start,
 * also for an architecture that cannot run here.
 */
export async function librariesOf(program: string, folders: readonly string[], read = readElf): Promise<Library[]> {
  const start = await read(program);
  const elves = new Map<string, Elf & { readonly file: string }>();
  const queue = [{ ...start, file: program }];
  for (let user = queue.shift(); user !== undefined; user = queue.shift()) {
    for (const name of user.needed) {
      if (elves.has(name)) continue;
      const file = await find(name, folders);
      if (file === undefined) throw new ImageError(`${path.basename(user.file)} needs ${name}, which no package has`);
      const library = { ...(await read(file)), file };
      if (library.machine !== start.machine) throw new ImageError(`${name} is for ${library.machine}, not for ${start.machine}`);
      elves.set(name, library);
      queue.push(library);
    }
  }
  for (const user of [{ ...start, file: program }, ...elves.values()]) {
    for (const [name, versions] of user.versionsNeeded) {
      const missing = versions.filter((version) => elves.get(name)?.versionsDefined.has(version) !== true);
      if (missing.length > 0)
        throw new ImageError(`${path.basename(user.file)} needs ${missing.join(', ')} of ${name}, which does not define it`);
    }
  }
  return [...elves].map(([name, { file }]) => ({ name, file })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function find(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const file = path.join(folder, name);
    const found = await access(file).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}
