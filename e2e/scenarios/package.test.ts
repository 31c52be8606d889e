import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { buildPackage } from '../../scripts/build-package.ts';
import { repository } from '../bed/config.ts';

const run = promisify(execFile);

test("installed into an empty folder, npx lockkeeper runs the plugin's commands, and the cluster's programs", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'lockkeeper-package-'));
  try {
    const tarball = await buildPackage(path.join(folder, 'built'));
    const env = { PATH: process.env['PATH'], HOME: folder, npm_config_offline: 'true' };
    await run('npm', ['install', '--no-audit', '--no-fund', '--prefix', folder, tarball], { cwd: folder, env });
    // Nothing but itself.
    expect((await readdir(path.join(folder, 'node_modules'))).filter((name) => !name.startsWith('.'))).toEqual(['lockkeeper']);
    const npx = async (...args: string[]) => (await run('npx', ['--no-install', ...args], { cwd: folder, env })).stdout;
    expect(await npx('lockkeeper', 'status', '--help')).toContain('Usage: kubectl lockkeeper status');
    expect(await npx('kubectl-lockkeeper', 'release', '--help')).toContain('Usage: kubectl lockkeeper release');
    expect(await npx('lockkeeper', 'controller', '--help')).toContain('Usage: lockkeeper controller');
    expect(await npx('lockkeeper', '--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
  } finally {
    await rm(folder, { recursive: true });
  }
}, 120_000);

test.each(['lockkeeper.js', 'lockkeeper-agent.js', 'kubectl-lockkeeper.js', 'lockkeeper-ecs.js'])(
  '%s says that a Node is too old for it',
  async (file) => {
    const older = 'data:text/javascript,Object.defineProperty(process.versions, "node", { value: "24.4.1" })';
    await expect(run(process.execPath, ['--import', older, path.join(repository, 'dist', file), '--version'])).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('needs Node.js 24.5 or newer'),
    });
  },
);
