import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const WORKERS = 2;
const seconds = Number(process.env['FUZZ_SECONDS'] || 600);
const seed = process.env['FUZZ_SEED'] || '';
const only = process.env['FUZZ_ONLY'] || '';
const properties = globSync('src/**/*.fuzz.test.ts', { cwd: root })
  .map((file) => readFileSync(join(root, file), 'utf8').match(/^\s*fuzz\(/gm)?.length ?? 0)
  .reduce((sum, count) => sum + count, 0);
if (!(seconds > 0) || properties === 0) throw new Error('FUZZ_SECONDS must be a number of seconds, and there must be properties');
if (seed !== '' && !Number.isSafeInteger(Number(seed))) throw new Error('FUZZ_SEED must be a number, as a failure names it');

const each = only === '' ? Math.max(1, Math.round((seconds * WORKERS) / properties)) : seconds;
const which = only === '' ? `${properties} properties` : `what is named ${JSON.stringify(only)} of ${properties} properties`;
console.log(
  `${which}, ${each} s each, from ${seed === '' ? 'seeds of chance' : `seed ${seed}`}; one that fails names its seed and the smallest case`,
);
const { status } = spawnSync(
  'jest',
  [
    '--selectProjects',
    'unit',
    '--testPathPatterns',
    '\\.fuzz\\.test\\.ts$',
    `--maxWorkers=${WORKERS}`,
    '--testTimeout',
    '3600000',
    ...(only === '' ? [] : ['-t', only]),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      LOCKKEEPER_FUZZ_SECONDS: String(each),
      LOCKKEEPER_FUZZ_SEED: seed,
      NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    },
  },
);
process.exitCode = status ?? 1;
