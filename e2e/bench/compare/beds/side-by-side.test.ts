import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { repository } from '../../../bed/config.ts';
import type { Comparison, Result } from '../result.ts';

const program = fileURLToPath(new URL('../main.ts', import.meta.url));
const contenders = fileURLToPath(new URL('../contenders', import.meta.url));
const minutes = 60_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'compare-test-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Runs the program as a person would. */
async function compare(...args: string[]): Promise<{ code: number | null; stderr: string; comparison: Comparison; columns: Result[] }> {
  const child = spawn(process.execPath, [program, '--format', 'json', ...args], {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (said.stdout === '') throw new Error(`nothing was printed; stderr: ${said.stderr}`);
  const comparison = JSON.parse(said.stdout) as Comparison;
  return { code, stderr: said.stderr, comparison, columns: [...comparison.results] };
}

/** A contender of one program, whose pods are those of the naive one. */
async function contenderOf(name: string, command: string): Promise<string> {
  const file = path.join(folder, `${name}.yaml`);
  const install = await readFile(path.join(contenders, 'naive/install.yaml'), 'utf8');
  await writeFile(path.join(folder, 'install.yaml'), install);
  await writeFile(
    file,
    JSON.stringify({
      name,
      namespace: 'naive',
      install: { manifests: ['install.yaml'] },
      controllers: [{ name: 'controller', selector: 'app=naive-controller', command: ['sh', '-c', command] }],
    }),
  );
  return file;
}

test(
  'ourselves as the other come out like ourselves',
  async () => {
    const file = path.join(contenders, 'lockkeeper.yaml');
    const { code, columns, stderr } = await compare(
      '--nodes',
      '4',
      '--pods-per-node',
      '4',
      '--idle',
      '30s',
      '--timeout',
      '4m',
      '--other',
      file,
    );
    expect({ code, outcomes: columns.map(({ outcome }) => outcome) }).toEqual({
      code: 0,
      outcomes: [{ state: 'Finished' }, { state: 'Finished' }],
    });
    const figure = (name: string): [number, number] => [columns[0]?.figures[name] ?? Number.NaN, columns[1]?.figures[name] ?? Number.NaN];
    const equal = [
      'nodes_updated',
      'most_unavailable',
      'budgets_broken',
      'pods_without_eviction',
      'evictions_refused',
      'idle_watches_open',
      'restarts',
    ];
    for (const name of equal) expect([name, ...figure(name)]).toEqual([name, figure(name)[0], figure(name)[0]]);
    expect(figure('nodes_updated')).toEqual([4, 4]);
    expect(figure('most_unavailable')).toEqual([1, 1]);
    // Chance has a part in these: which pod goes where, when a lease is renewed, when garbage is collected.
    for (const [name, share] of [
      ['idle_requests_per_minute', 0.3],
      ['rollout_requests_per_node', 0.3],
      ['controllers_pss_idle', 0.15],
      ['controllers_rss_peak', 0.15],
      ['agent_rss_idle', 0.1],
      ['agent_pss_idle', 0.15],
    ] as const) {
      const [ours, theirs] = figure(name);
      expect({ name, ours, theirs, alike: Math.abs(ours - theirs) <= share * ours }).toEqual({ name, ours, theirs, alike: true });
    }
    expect(stderr).toContain('Lockkeeper by file: release 1.26.1 appears');
  },
  10 * minutes,
);

describe('programs of any kind', () => {
  let run: Awaited<ReturnType<typeof compare>>;
  let before: string[];

  beforeAll(async () => {
    const idle = await contenderOf('idle', 'exec sleep 86400');
    const broken = await contenderOf('broken', 'echo reading the configuration; echo there is no configuration >&2; exit 3');
    const naive = path.join(contenders, 'naive.yaml');
    before = ['--skip-ourselves', '--nodes', '2', '--pods-per-node', '2', '--idle', '5s', '--timeout', '60s'];
    run = await compare(...before, '--other', naive, '--other', idle, '--other', broken, '--out', folder);
  }, 10 * minutes);

  test('two shell scripts update all nodes, and their requests are told apart', () => {
    const { outcome, figures, kinds } = run.columns[0] ?? {};
    expect(outcome).toEqual({ state: 'Finished' });
    expect(figures).toMatchObject({ nodes_updated: 2, most_unavailable: 1, pods_without_eviction: 0, restarts: 0 });
    expect(figures?.['evictions_per_node']).toBeGreaterThan(0);
    expect(Object.keys(kinds ?? {})).toEqual(
      expect.arrayContaining(['agents get nodes', 'controllers patch nodes', 'controllers create pods/eviction']),
    );
  });

  test('one that does nothing did not finish, and has no figure for a whole rollout', () => {
    const { outcome, figures, notes } = run.columns[1] ?? {};
    expect(outcome).toEqual({ state: 'DidNotFinish', why: '0 of 2 nodes were updated within 60 s' });
    expect(figures).toMatchObject({
      nodes_updated: 0,
      most_unavailable: 0,
      rollout_minutes: null,
      first_node_seconds: null,
      idle_requests_per_minute: null,
    });
    expect(notes).toContain('idle: no request of a service account in its namespaces was seen, so its traffic is not measured.');
  });

  test('one that crashes has failed, with what it said last', () => {
    const { outcome, figures } = run.columns[2] ?? {};
    expect(outcome?.state).toBe('Failed');
    expect(outcome?.state === 'Failed' && outcome.why).toMatch(
      /controller ended with 3; what it said ends with\n(?:.*\n)*there is no configuration$/,
    );
    expect(figures).toEqual({});
  });

  test('the others are measured all the same, the exit code says that not all finished, and the files are written', async () => {
    expect(run.code).toBe(1);
    expect(run.columns.map(({ name }) => name)).toEqual(['naive', 'idle', 'broken']);
    expect(JSON.parse(await readFile(path.join(folder, 'compare.json'), 'utf8'))).toEqual(run.comparison);
    expect(await readFile(path.join(folder, 'compare.md'), 'utf8')).toContain('| outcome | finished | did not finish | failed |');
  });
});
