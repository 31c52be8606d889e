import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { parseCommandLine } from './cli-options.ts';
import { asker } from './test-host.ts';

const folder = mkdtempSync(join(tmpdir(), 'host-main-'));
const socketPath = join(folder, 'api.sock');
let child: ChildProcess | undefined;

afterAll(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const required = ['--socket', '/s', '--version', '1.26.0'];

test.each([
  [['--sockt', 'x'], /^Unknown option '--sockt'/],
  [['--version', '1.26.0'], /^--socket is missing/],
  [['--socket', '/s'], /^--version is missing/],
  [[...required, '--version', '1.26'], /^--version wants a version/],
  [[...required, '--repo', 'latest'], /^--repo wants a version/],
  [[...required, '--arch', 'amd64'], /^--arch wants x86_64 or aarch64/],
  [[...required, '--seed', 'x'], /^--seed wants a number/],
  [[...required, '--fault', 'nothing'], /^--fault is no fault/],
  [[...required, '--fault', 'refreshFails=0'], /^--fault wants NAME or NAME=COUNT/],
  [[...required, 'word'], /^Unexpected argument 'word'/],
])('%j is refused in one line', (args, refusal) => {
  const command = parseCommandLine(args);
  expect(command).toEqual({ refusal: expect.stringMatching(refusal) });
  expect('refusal' in command && command.refusal).not.toContain('\n');
});

test('the flags', () => {
  expect(
    parseCommandLine([...required, '--repo', '1.26.1', '--repo', '1.27.0', '--seed', '7', '--fast', '--fault', 'bootFails=2']),
  ).toEqual({
    run: {
      socketPath: '/s',
      version: '1.26.0',
      repository: ['1.26.1', '1.27.0'],
      variant: 'aws-k8s-1.31',
      arch: 'x86_64',
      seed: 7,
      fast: true,
      bootIDFile: undefined,
      faults: [['bootFails', 2]],
    },
  });
  expect(parseCommandLine(['--help'])).toEqual({ print: expect.stringContaining('neverReturns') });
});

function start(...args: string[]): { process: ChildProcess; printed: () => string; line: (text: string) => Promise<void> } {
  const started = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args]);
  child = started;
  let output = '';
  const collect = (chunk: Buffer) => {
    output += chunk;
  };
  started.stdout.on('data', collect);
  started.stderr.on('data', collect);
  const line = async (text: string) => {
    while (!output.includes(text)) await Promise.race([once(started.stdout, 'data'), once(started, 'exit')]);
  };
  return { process: started, printed: () => output, line };
}

test('a bad flag is one line and exit 2', async () => {
  const { process: started, printed } = start('--nonsense');
  const [code] = await once(started, 'close');
  expect(code).toBe(2);
  expect(printed()).toMatch(/^Unknown option '--nonsense'[^\n]*\n$/);
});

test('serves, prints each request, and takes its socket away on Ctrl-C', async () => {
  const bootIDFile = join(folder, 'boot_id');
  const args = ['--socket', socketPath, '--version', '1.26.0', '--repo', '1.26.1', '--fast', '--boot-id-file', bootIDFile];
  const { process: started, line, printed } = start(...args, '--fault', 'neverReturns');
  await line('listens on');
  const ask = asker(socketPath);
  for (const action of ['refresh-updates', 'prepare-update', 'activate-update', 'reboot']) await ask('POST', `/actions/${action}`);
  await line('down: the socket is gone');
  started.kill('SIGUSR2');
  await line('up again: Bottlerocket OS 1.26.1');
  expect(printed()).toContain('POST /actions/prepare-update 204');
  expect(printed()).toContain(readFileSync(bootIDFile, 'utf8').trim());
  started.kill('SIGINT');
  const [code] = await once(started, 'close');
  expect(code).toBe(0);
  expect(existsSync(socketPath)).toBe(false);
});
