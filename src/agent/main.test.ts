import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, jest, test } from '@jest/globals';
import { AgentBed, node } from './testing/agent-bed.ts';

// A program of its own is started, on a machine that may be busy.
jest.setTimeout(60_000);

const program = fileURLToPath(new URL('main.ts', import.meta.url));
let bed: AgentBed | undefined;
let child: ChildProcess | undefined;

afterEach(async () => {
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await bed?.stop();
  bed = undefined;
});

function run(args: string[]) {
  const started = spawn(process.execPath, [program, ...args], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
  child = started;
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) started[stream].on('data', (data: Buffer) => (said[stream] += data.toString()));
  const closed = once(started, 'close') as Promise<[number | null]>;
  return { said, closed, started };
}

test.each([
  [['--help'], 0, /^lockkeeper-agent: .*--boot-id-file/s, /^$/],
  [['--version'], 0, /^lockkeeper-agent \d+\.\d+\.\d+\n$/, /^$/],
  [['--nodes', 'a'], 2, /^$/, /^lockkeeper-agent: [^\n]*--nodes[^\n]*\n$/],
  [['--node', 'a', '--kubeconfig', '/nowhere'], 2, /^$/, /^lockkeeper-agent: [^\n]*\/nowhere[^\n]*\n$/],
])('%j exits with %i', async (args, code, stdout, stderr) => {
  const { said, closed } = run(args);
  const [exitCode] = await closed;
  expect(said.stdout).toMatch(stdout);
  expect(said.stderr).toMatch(stderr);
  expect(exitCode).toBe(code);
});

test("works as a program by a kubeconfig, says who it is, tells the API server's time, and ends cleanly on SIGTERM", async () => {
  bed = await new AgentBed().start();
  const serverNow = Date.now() - 86_400_000;
  bed.kube.date = () => serverNow;
  const kubeconfig = join(bed.folder, 'kubeconfig.yaml');
  writeFileSync(
    kubeconfig,
    `current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "${bed.kube.url.origin}"}}]
users: [{name: u, user: {token: secret}}]
`,
  );
  const { said, closed, started } = run([
    '--node',
    node,
    '--socket',
    bed.socketPath,
    '--kubeconfig',
    kubeconfig,
    '--boot-id-file',
    bed.bootIDFile,
  ]);
  const { status } = bed;
  expect(status).toEqual({});
  await bed.until(() => bed?.status.version === '1.26.0', 'the first report');
  await bed.carryOut({ id: 's1', action: 'Stage', version: '1.26.1' });
  expect(Math.abs(Date.parse(bed.status.answer?.startedAt ?? '') - serverNow)).toBeLessThan(3_600_000);
  started.kill('SIGTERM');
  const [exitCode] = await closed;
  expect(exitCode).toBe(0);
  expect(said.stderr).toBe('');
  expect(bed.kube.requests.at(-1)?.headers).toMatchObject({
    'user-agent': expect.stringMatching(/^lockkeeper-agent\/\d/),
    authorization: 'Bearer secret',
  });
  const lines = said.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: number; msg: string });
  expect(lines.at(0)?.msg).toBe('agent started');
  expect(lines.at(-1)?.msg).toBe('agent ended');
  expect(said.stdout).not.toContain('secret');
});
