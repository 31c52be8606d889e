import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { repository } from '../bed/config.ts';
import { blocked } from './blocked.ts';
import { budget } from './budget.ts';
import { benchEnvironment } from './config.ts';
import { dashboard } from './dashboard.ts';
import { decision } from './decide.ts';
import { drain } from './drain.ts';
import { ecs } from './ecs.ts';
import { failover } from './failover.ts';
import { type BenchContext, CannotRunHere, type Family, type Figure, type Note } from './figure.ts';
import { idle } from './idle.ts';
import { image } from './image.ts';
import { install } from './install.ts';
import { describeMachine } from './machine.ts';
import { realNodes } from './nodes/family.ts';
import { asJson, asMarkdown, asText, type Report } from './report.ts';
import { rollout } from './rollout.ts';
import { simulation } from './simulate.ts';

const families: readonly Family[] = [
  install,
  rollout,
  budget,
  blocked,
  drain,
  failover,
  idle,
  decision,
  simulation,
  image,
  dashboard,
  ecs,
  realNodes,
];
const names = families.flatMap(({ figures }) => figures);

const usage = `Measures Lockkeeper on the test bed, prints a table, and writes bench/latest.json and docs/benchmarks.md.

  node e2e/bench/main.ts [--only NAME[,NAME]]

  --only   measures only these figures (and those that come with them), and writes no file
  --help   shows this

Figures, those of a line together:
${families.map(({ figures }) => `  ${figures.join(', ')}`).join('\n')}

Environment:
  BENCH_IDLE_SECONDS   how long idle traffic is counted (default: 300)

The programs must have been built (make build). It ends with 1 where a figure misses its goal or could not be measured,
with 2 where it was called wrongly.
`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let wanted: readonly Family[];
  let idleSeconds: number;
  try {
    const { values } = parseArgs({ args: [...args], options: { only: { type: 'string' }, help: { type: 'boolean', default: false } } });
    if (values.help) {
      process.stdout.write(usage);
      return 0;
    }
    wanted = values.only === undefined ? families : familiesOf(values.only.split(','));
    idleSeconds = benchEnvironment().idleSeconds;
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  return measure(wanted, idleSeconds);
}

function familiesOf(only: readonly string[]): readonly Family[] {
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new RangeError(`there is no figure ${unknown.join(', ')}; there are ${names.join(', ')}`);
  return families.filter(({ figures }) => figures.some((name) => only.includes(name)));
}

async function measure(wanted: readonly Family[], idleSeconds: number): Promise<number> {
  const machine = describeMachine();
  const ending = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ending.abort(new Error(`ended by ${name}`)));
  const started = performance.now();
  // A build that comes in between changes nothing.
  const app = await mkdtemp(path.join(tmpdir(), 'bench-app-'));
  const figures: Figure[] = [];
  const notes: Note[] = [];
  let complete = true;
  try {
    await cp(path.join(repository, 'dist'), app, { recursive: true });
    for (const family of wanted) {
      const say = (text: string) =>
        void process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${family.name}: ${text}\n`);
      const context: BenchContext = { app, idleSeconds, signal: ending.signal, say };
      try {
        const outcome = await family.run(context);
        figures.push(...outcome.figures);
        notes.push(...outcome.notes);
      } catch (error) {
        if (error instanceof CannotRunHere) {
          const missing = `did not run: ${family.figures.join(', ')}`;
          notes.push({ title: missing, lines: [error.message] });
          say(`${missing}: ${error.message}`);
          continue;
        }
        complete = false;
        say(`could not be measured: ${error instanceof Error ? error.message : String(error)}`);
        if (ending.signal.aborted) return 1;
      }
    }
  } finally {
    await rm(app, { recursive: true, force: true });
  }
  const report: Report = { machine, command: 'make bench', figures, notes };
  process.stdout.write(asText(report));
  if (complete && wanted.length === families.length) await write(report);
  else process.stderr.write('not a whole run: no file was written\n');
  const missed = figures.filter(({ holds }) => !holds).map(({ name }) => name);
  if (missed.length > 0) process.stderr.write(`missed: ${missed.join(', ')}\n`);
  return complete && missed.length === 0 ? 0 : 1;
}

async function write(report: Report): Promise<void> {
  for (const [file, content] of [
    ['bench/latest.json', asJson(report)],
    ['docs/benchmarks.md', asMarkdown(report)],
  ] as const) {
    const to = path.join(repository, file);
    await mkdir(path.dirname(to), { recursive: true });
    await writeFile(to, content);
    process.stderr.write(`wrote ${file}\n`);
  }
}
