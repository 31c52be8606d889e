import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HostOptions, type HostTimings, type Release, type Repository, SimulatedHost } from './host.ts';

/** An answer as it came over the socket. */
interface Reply {
  status: number;
  text: string;
  headers: IncomingHttpHeaders;
}

export type Ask = (method: string, path: string, body?: unknown) => Promise<Reply>;

/** Every action is over before its answer. */
export const immediately: HostTimings = {
  refreshMs: 0,
  prepareMs: 0,
  activateMs: 0,
  rebootCommandMs: 0,
  bootMs: 0,
  slowBootMs: 1,
  renderMs: 0,
  clientTimeoutMs: 5_000,
};

export const variant = 'aws-k8s-1.31';
export const arch = 'x86_64';

export const release = (version: string, more: Partial<Release> = {}): Release => ({ version, variant, arch, ...more });

/** Asks once, on a connection of its own. A body that is no string is sent as JSON. */
export function asker(socketPath: string): Ask {
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' };
      const asked = request({ socketPath, method, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString(), headers: response.headers }),
        );
      });
      asked.on('error', reject);
      asked.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
    });
}

const running: { host: SimulatedHost; folder: string }[] = [];

/** A started host at 1.26.0 with a repository of 1.25.0, 1.26.0 and 1.26.1, unless the options say otherwise; stopHosts() ends it. */
export async function startHost(
  options: Partial<Omit<HostOptions, 'os' | 'repository'>> & { version?: string; releases?: Release[] } = {},
) {
  const { version = '1.26.0', releases = ['1.25.0', '1.26.0', '1.26.1'].map((each) => release(each)), timings, ...more } = options;
  const folder = mkdtempSync(join(tmpdir(), 'host-'));
  const socketPath = join(folder, 'api.sock');
  const repository: Repository = { releases };
  const host = new SimulatedHost({
    socketPath,
    os: { version, variant, arch },
    repository,
    timings: { ...immediately, ...timings },
    ...more,
  });
  running.push({ host, folder });
  await host.start();
  const ask = asker(socketPath);
  const act = (name: string) => ask('POST', `/actions/${name}`);
  const status = async () => JSON.parse((await ask('GET', '/updates/status')).text);
  const set = async (updates: Record<string, unknown>) => {
    await ask('PATCH', '/settings?tx=test', { updates });
    return ask('POST', '/tx/commit_and_apply?tx=test');
  };
  return { host, repository, socketPath, folder, ask, act, status, set };
}

export async function stopHosts(): Promise<void> {
  for (const { host, folder } of running.splice(0)) {
    await host.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The next time that the host is up again. */
export const booted = (host: SimulatedHost) => new Promise<{ bootID: string; version: string }>((resolve) => host.once('booted', resolve));
