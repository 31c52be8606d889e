import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Child } from '../bed/children.ts';
import { bedEnvironment } from '../bed/config.ts';
import { eventually } from '../bed/eventually.ts';
import { type Home, tail } from '../bed/home.ts';
import { freePort } from '../bed/ports.ts';

const run = promisify(execFile);
const requirements = fileURLToPath(new URL('requirements.txt', import.meta.url));

/**
 * A folder with the Python programs of `requirements.txt`; made in the bed's cache where it is not there yet. After a change of a version
 * there the hashes are made anew by `uv pip compile --no-deps --no-annotate --no-header --generate-hashes`.
 */
export async function pythonPrograms(): Promise<string> {
  const { cache } = bedEnvironment();
  const text = await readFile(requirements);
  const folder = path.join(cache, `python-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`);
  const programs = path.join(folder, 'bin');
  if (await isThere(path.join(programs, 'moto_server'))) return programs;
  const made = `${folder}.${randomBytes(4).toString('hex')}`;
  await mkdir(cache, { recursive: true });
  await run('python3', ['-m', 'venv', made]);
  // Wheels alone: what builds a source distribution would be pinned by nothing.
  const pinned = ['--require-hashes', '--only-binary', ':all:', '-r', requirements];
  await run(path.join(made, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...pinned], {
    timeout: 600_000,
  });
  // The programs' first lines name the folder that they were made in.
  await run('sed', ['-i', `1s|${made}|${folder}|`, path.join(made, 'bin', 'moto_server'), path.join(made, 'bin', 'cfn-lint')]);
  await rename(made, folder).catch(() => rm(made, { recursive: true, force: true }));
  return programs;
}

/** Starts moto's server on a free port of loopback. */
export async function startMoto(home: Home): Promise<{ url: string; child: Child }> {
  const programs = await pythonPrograms();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log = home.log('moto');
  const child = await home.children.spawn({
    name: 'moto',
    command: path.join(programs, 'moto_server'),
    args: ['-H', '127.0.0.1', '-p', String(port)],
    env: { PATH: '/usr/bin:/bin', HOME: home.scratch },
    log,
  });
  await eventually(async () => (await fetch(`${url}/moto-api/state-manager/get-transition?model_name=ecs::task`)).ok, {
    describe: () => tail(log),
  });
  // Tasks run until somebody stops them, however often they are looked at.
  await fetch(`${url}/moto-api/state-manager/set-transition`, {
    method: 'POST',
    body: JSON.stringify({ model_name: 'ecs::task', transition: { progression: 'manual', times: 1_000_000 } }),
  });
  return { url, child };
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
