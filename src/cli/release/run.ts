import { hostname } from 'node:os';
import * as z from 'zod/mini';
import { COMPONENT_LABEL, DEFAULT_NAMESPACE, PART_OF } from '../../api/names.ts';
import { KubeClient } from '../../kube/client.ts';
import type { Credentials } from '../../kube/credentials.ts';
import { ApiError } from '../../kube/errors.ts';
import { controllerSettings } from '../controller-settings.ts';
import { InterruptedError, MissingRightsError, RefusedError, UsageError } from '../errors.ts';
import type { ReleaseOptions } from './command.ts';
import { missingRights, releaseRights } from './rights.ts';

/** What a release needs of the machine that it runs on. */
export interface ReleaseRunDeps {
  credentials: Credentials;
  print: (text: string) => void;
  warn: (text: string) => void;
  /** Asks the user; undefined where nobody can be asked. */
  confirm: ((question: string) => Promise<boolean>) | undefined;
  version: string;
  /** Aborted when the user interrupts it. */
  untilInterrupted: () => { signal: AbortSignal; done: () => void };
}

/** Gives all nodes back. Rejects with what says why not, or what is left, and what to do. */
export async function runReleaseCommand(options: ReleaseOptions, deps: ReleaseRunDeps): Promise<void> {
  const { credentials, print, warn, confirm, version, untilInterrupted } = deps;
  const { dryRun = 'none' } = options;
  const write = dryRun === 'none';
  if (write && options.yes !== true && confirm === undefined)
    throw new UsageError('release changes nodes: see what it would do with --dry-run=client, then say --yes');
  const client = new KubeClient({ credentials, userAgent: `kubectl-lockkeeper/${version}` });
  let settings: Awaited<ReturnType<typeof settingsOf>>;
  try {
    settings = await settingsOf(client, options);
    const rights = releaseRights({ ...settings, namespace: settings.namespace ?? DEFAULT_NAMESPACE, readOnly: dryRun === 'client' });
    const missing = await missingRights(client, rights);
    if (missing.length > 0) throw new MissingRightsError(missing, undefined);
  } finally {
    client.close();
  }
  // The controller's loops are wanted by no other command.
  const { runRelease } = await import('../../controller/release.ts');
  const { signal, done } = untilInterrupted();
  const quiet = (): void => {};
  let agreed = true;
  try {
    const released = await runRelease(
      { ...settings, identity: `release-${hostname()}-${process.pid}`, timeoutMs: options.timeout, dryRun, logLevel: 'warn' },
      {
        credentials,
        print: (line) => print(`${line}\n`),
        logger: { debug: quiet, info: quiet, warn: (_, message) => warn(message), error: (_, message) => warn(message) },
        signal,
        confirm: async (writes) => {
          for (const line of writes) print(`to do: ${line}\n`);
          agreed = options.yes === true || (await confirm?.('These are written, and no others.')) === true;
          return agreed;
        },
      },
    );
    if (!agreed) throw new RefusedError('nothing was changed');
    if (!released) throw new RefusedError(write ? 'not all nodes are released: see above' : 'the API server refuses some of it: see above');
  } catch (error) {
    if (signal.aborted) throw new InterruptedError('stopped: run it again to go on, or leave the controllers to theirs');
    throw error;
  } finally {
    done();
  }
}

const podsSchema = z.object({ items: z.nullable(z.array(z.unknown())) });
const placeSchema = z.object({ metadata: z.object({ namespace: z.string() }) });

/** What the controllers' pods say of themselves, where there are any and the user may see them, under what the user says. */
async function settingsOf(client: KubeClient, { namespace, leaseName, hookNamespaces, nodeConditions }: ReleaseOptions) {
  const [pod] = await controllerPods(client);
  const own = controllerSettings(pod);
  const place = z.safeParse(placeSchema, pod);
  return {
    // The release itself finds out whether it is the only place.
    ...(namespace !== undefined ? { namespace } : place.success ? { namespace: place.data.metadata.namespace } : {}),
    leaseName: leaseName ?? own.leaseName,
    hookNamespaces: hookNamespaces ?? own.hookNamespaces,
    nodeConditions: nodeConditions ?? own.nodeConditions,
  };
}

async function controllerPods(client: KubeClient): Promise<unknown[]> {
  const query = {
    labelSelector: `${PART_OF.key}=${PART_OF.value},${COMPONENT_LABEL}=controller`,
    fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed',
  };
  try {
    return z.parse(podsSchema, await client.get('/api/v1/pods', { query })).items ?? [];
  } catch (error) {
    // Named with all the other rights that are missing.
    if (error instanceof ApiError && error.status === 403) return [];
    throw error;
  }
}
