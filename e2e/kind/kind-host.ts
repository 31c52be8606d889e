import { chmod, writeFile } from 'node:fs/promises';
import { type Repository, SimulatedHost } from '../host/host.ts';
import { hostFiles, type KindOptions, workerName } from './cluster-files.ts';
import { powerOff, powerOn } from './commands.ts';
import type { Run } from './requirements.ts';

/** A kind node and the simulated host under it, whose reboot is a restart of the node's container. */
export interface KindHost {
  readonly name: string;
  readonly host: SimulatedHost;
  rebootCount(): number;
  /** Settles when what a reboot has begun is done; rejects where that failed. */
  settled(): Promise<void>;
}

export interface KindHostParts {
  readonly options: KindOptions;
  readonly index: number;
  readonly repository: Repository;
  readonly version: string;
  readonly run: Run;
}

const variant = 'aws-k8s-1.31';
const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
export const kindRelease = (version: string) => ({ version, variant, arch });

/** Starts the host alone: its files must be there before kind makes the node. */
export async function startKindHost({ options, index, repository, version, run }: KindHostParts): Promise<KindHost> {
  const name = workerName(options, index);
  const files = hostFiles(options, index);
  const host = new SimulatedHost({
    socketPath: files.socket,
    bootIDFile: files.bootID,
    os: kindRelease(version),
    repository,
    timings: { bootMs: 1000 },
  });
  let work = Promise.resolve();
  const then = (step: () => Promise<unknown>) => {
    work = work.then(step).then(() => undefined);
    // Whoever waits for it is told; until then it is nobody's.
    work.catch(() => undefined);
  };
  host.on('rebooting', () => then(() => run(powerOff(name))));
  host.on('booted', () =>
    then(async () => {
      await prepare();
      await run(powerOn(name));
    }),
  );
  await host.start();
  await prepare();
  return { name, host, rebootCount: () => host.rebootCount, settled: () => work };

  /** The container is started with these; on a real host the socket belongs to the group `api`, which only root can say. */
  async function prepare(): Promise<void> {
    await writeFile(files.osRelease, `NAME="Bottlerocket"\nID="bottlerocket"\nPRETTY_NAME="${host.os.prettyName}"\n`);
    await chmod(files.socket, 0o666);
  }
}
