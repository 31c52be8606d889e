import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const repository = path.join(import.meta.dirname, '..');

const usage = `Times a clone of this repository to the end of its demo, as somebody new has it, and prints both figures.

  node scripts/time-demo.ts [--cold]

With the programs of the control plane in the cache (they are built first, where they are not). With --cold then once more without them,
without Go's caches of modules and builds, and without npm's: some ten minutes of all cores.
`;

const { values } = parseArgs({ options: { cold: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } });
if (values.help) process.stdout.write(usage);
else process.exitCode = main(values.cold);

function main(cold: boolean): number {
  const scratch = mkdtempSync(path.join(tmpdir(), 'lockkeeper-time-'));
  try {
    // Whatever is not in the cache yet is not what is timed.
    if (run('node', ['e2e/bed/binaries.ts'], repository).status !== 0) return 1;
    const warm = timed(path.join(scratch, 'warm'), {});
    if (warm === undefined) return 1;
    const fresh = (name: string): string => path.join(scratch, name);
    const empty = {
      LOCKKEEPER_CACHE: fresh('programs'),
      GOCACHE: fresh('go-build'),
      GOMODCACHE: fresh('go-modules'),
      GOFLAGS: '-modcacherw',
      npm_config_cache: fresh('npm'),
    };
    const without = cold ? timed(path.join(scratch, 'cold'), empty) : undefined;
    if (cold && without === undefined) return 1;
    console.log(`\nfrom clone to the demo's end, with the programs in the cache:   ${warm} s`);
    if (without !== undefined) console.log(`from clone to the demo's end, with all caches empty:            ${without} s`);
    return 0;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Clones and runs the demo; in whole seconds, undefined where it failed. */
function timed(folder: string, env: Readonly<Record<string, string>>): number | undefined {
  const started = performance.now();
  if (run('git', ['clone', '--quiet', repository, folder], tmpdir()).status !== 0) return undefined;
  if (run('make', ['demo'], folder, env).status !== 0) return undefined;
  return Math.round((performance.now() - started) / 1000);
}

function run(command: string, args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
  return spawnSync(command, args, { cwd, stdio: 'inherit', env: { ...process.env, ...env } });
}
