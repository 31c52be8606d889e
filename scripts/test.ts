import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const folder = mkdtempSync(join(tmpdir(), 'lockkeeper-test-'));
const started = Date.now();
const total: Counts = { passed: 0, failed: 0, skipped: 0 };

/** A static check counts as one test. */
function check(name: string, command: readonly string[]): void {
  const ok = run(name, command).status === 0;
  add({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 });
}

/** A jest project counts as many as it ran; one that ends without a count is a failure. */
function jest(project: string, more: readonly string[]): void {
  const counts = join(folder, `${project}.json`);
  const { status } = run(`jest ${project}`, ['jest', '--selectProjects', project, ...more], {
    LOCKKEEPER_COUNTS: counts,
    NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
  });
  const ran = read(counts);
  if (ran === undefined || (status !== 0 && ran.failed === 0) || ran.passed + ran.failed + ran.skipped === 0)
    add({ passed: 0, failed: 1, skipped: 0 });
  if (ran !== undefined) add(ran);
}

function run(name: string, [command = '', ...args]: readonly string[], env: Record<string, string> = {}) {
  console.log(`\n== ${name}`);
  return spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
}

function add(counts: Counts): void {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}

function read(file: string): Counts | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Counts;
  } catch {
    return undefined;
  }
}

const only = new Set(process.argv.slice(2));
const wanted = (step: string): boolean => only.size === 0 || only.has(step);
try {
  if (wanted('lint')) {
    check('types', ['tsc', '-p', '.']);
    check('types of the page', ['tsc', '-p', 'src/dashboard/page']);
    check('biome', ['biome', 'check', '--error-on-warnings', '.']);
    check('dependency rules', ['depcruise', '--config', '.dependency-cruiser.cjs', 'src', 'e2e', 'scripts']);
    check('dead exports', ['knip']);
    check('generated CRDs', ['node', 'scripts/generate-crds.ts', '--check']);
  }
  // Jest itself would leave a core free, and of two that is half.
  if (wanted('unit')) jest('unit', ['--maxWorkers=2']);
  // A CI machine is there to be changed; a person's is asked first (the tests say what is missing).
  if ((wanted('e2e') || wanted('nodes')) && process.env['CI'] === 'true' && process.getuid?.() === 0)
    run('packages for a browser and for real nodes', ['make', 'bed-deps']);
  // Scenarios mostly wait: three beds keep two cores busy.
  if (wanted('e2e')) jest('e2e', ['--maxWorkers=3']);
  if (wanted('nodes')) {
    // The bed's own tests look at all that a bed leaves on this machine; scenarios mostly wait.
    jest('nodes', ['--maxWorkers=1', '--testPathPatterns', 'e2e/nodes/[^/]*$']);
    jest('nodes', ['--maxWorkers=2', '--testPathPatterns', 'e2e/nodes/scenarios/']);
  }
  // Only where it is asked for: an hour. Faults mostly wait too.
  if (only.has('faults')) jest('faults', ['--maxWorkers=3']);
  // Beside the rest, until it is quick.
  if (only.has('ecs')) jest('ecs', ['--maxWorkers=2']);
  // Only where it is asked for: beds one after the other, some minutes.
  if (only.has('compare')) jest('compare', ['--maxWorkers=1']);
  // A few of the scenarios, on the control plane that BED_KUBERNETES names: CRDs, the admission policy, evictions, a full roll.
  if (only.has('range'))
    jest('e2e', ['--maxWorkers=2', '--testPathPatterns', 'e2e/scenarios/(kinds|agent-rights|evictions|rolling-update)\\.test']);
  // Only where it is asked for, and then it is no success that there can be none.
  if (only.has('kind')) {
    if (run('Docker and kind', ['node', 'e2e/kind/check.ts']).status === 0) jest('kind', ['--maxWorkers=1']);
    else add({ passed: 0, failed: 1, skipped: 0 });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const minutes = ((Date.now() - started) / 60_000).toFixed(1);
console.log(`\n${minutes} minutes`);
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exitCode = total.failed === 0 ? 0 : 1;
