import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { createApi } from '../bed/api.ts';
import { auditLog } from '../bed/audit.ts';
import { binaries } from '../bed/binaries.ts';
import { helmFor } from '../bed/chart.ts';
import { accessFrom } from '../bed/cluster.ts';
import { runCommand } from '../bed/command.ts';
import { repository as repositoryRoot } from '../bed/config.ts';
import { eventually } from '../bed/eventually.ts';
import { openHome } from '../bed/home.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { recordHistory } from '../bed/watch-history.ts';
import type { Repository } from '../host/host.ts';
import { nameIn } from '../nodes/images.ts';
import { ourImage } from '../nodes/our-image.ts';
import { hurried, type WatchedFleet, watchFleet } from '../scenarios/watched-fleet.ts';
import { auditLogOf, type KindOptions, writeClusterFiles } from './cluster-files.ts';
import { createCluster, deleteCluster, loadImage, openAuditLog } from './commands.ts';
import { type KindHost, kindRelease, startKindHost } from './kind-host.ts';
import { KindMissing, missingForKind } from './requirements.ts';
import { runHere } from './run-here.ts';

/** A kind cluster on simulated hosts, with the chart. */
export interface KindFleet extends WatchedFleet {
  readonly hosts: readonly KindHost[];
  release(version: string): void;
  stop(): Promise<void>;
}

const workers = 3;

/** @throws KindMissing where there can be none here */
export async function startKindFleet(policy: object = {}): Promise<KindFleet> {
  const missing = await missingForKind(runHere);
  if (missing.length > 0) throw new KindMissing(missing.join('\n'));
  const archive = await ourImage();
  const programs = await binaries({ only: ['kubectl', 'helm'] });
  const name = `lockkeeper-${randomBytes(3).toString('hex')}`;
  const home = await openHome({ name });
  const options: KindOptions = { name, folder: home.scratch, workers };
  const kubeconfig = path.join(home.scratch, 'kubeconfig');
  const repository: Repository = { releases: [kindRelease('1.26.0')] };
  const hosts: KindHost[] = [];
  const histories = new Set<{ stop(): void }>();

  async function stop(): Promise<void> {
    for (const history of histories) history.stop();
    await Promise.all(hosts.map(({ host }) => host.stop()));
    const settled = await Promise.allSettled(hosts.map((host) => host.settled()));
    await runHere(deleteCluster(options)).finally(() => home.close({ keepLogs: false }));
    const failed = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    if (failed.length > 0) throw new AggregateError(failed, 'a container could not be restarted');
  }

  try {
    await writeClusterFiles(options);
    for (let index = 0; index < workers; index += 1) {
      hosts.push(await startKindHost({ options, index, repository, version: '1.26.0', run: runHere }));
    }
    await runHere(createCluster(options, kubeconfig));
    await runHere(loadImage(options, archive));
    await runHere(openAuditLog(options));
    const client = createApi(await accessFrom(kubeconfig));
    const tool = (program: string) => (args: readonly string[], input?: string) =>
      runCommand(program, args, {
        env: { HOME: home.scratch, KUBECONFIG: kubeconfig, PATH: process.env['PATH'] ?? '' },
        cwd: repositoryRoot,
        timeoutMs: 300_000,
        ...(input === undefined ? {} : { input }),
      });
    const history: Parameters<typeof watchFleet>[0]['bed']['history'] = async (what, query) => {
      const recorded = await recordHistory(client, what, query);
      histories.add(recorded);
      return recorded as never;
    };
    const nodes = await history<NodeObject>('/api/v1/nodes');
    const [tag = ''] = (await nameIn(archive)).split(':').slice(-1);
    const chart = helmFor({ run: tool(programs.helm), client, app: path.join(repositoryRoot, 'dist') });
    await chart.install({
      values: {
        image: { repository: (await nameIn(archive)).slice(0, -tag.length - 1), tag, pullPolicy: 'Never' },
        defaultPolicy: { spec: { approval: 'Automatic', ...hurried(policy) } },
      },
      timeoutMs: 180_000,
    });
    const bed = {
      client,
      audit: auditLog(auditLogOf(options)),
      history,
      kubectl: (...args: string[]) => tool(programs.kubectl)(args),
      eventually,
    };
    const names = hosts.map((host) => host.name);
    const patience = { phaseMs: 300_000, updateMs: 900_000 };
    return {
      ...watchFleet({ bed, history: nodes, policy: 'default', names, patience }),
      hosts,
      release: (version) => void repository.releases.push(kindRelease(version)),
      stop,
    };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}
