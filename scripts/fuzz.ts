import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const WORKERS = 2;
const seconds = Number(process.env['FUZZ_SECONDS'] || 600);
const properties = globSync('src/**/*.fuzz.test.ts', { cwd: root })
  .map((file) => readFileSync(join(root, file), 'utf8').match(/^\s*fuzz\(/gm)?.length ?? 0)
  .reduce((sum, count) => sum + count, 0);
if (!(seconds > 0) || properties === 0) throw new Error('FUZZ_SECONDS must be a number of seconds, and there must be properties');

const each = Math.max(1, Math.round((seconds * WORKERS) / properties));
console.log(`${properties} properties, ${each} s each, from seeds of chance; one that fails names its seed and the smallest case`);
const { status } = spawnSync(
  'jest',
  ['--selectProjects', 'unit', '--testPathPatterns', '\\.fuzz\\.test\\.ts$', `--maxWorkers=${WORKERS}`, '--testTimeout', '3600000'],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      LOCKKEEPER_FUZZ_SECONDS: String(each),
      NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    },
  },
);
process.exitCode = status ?? 1;
