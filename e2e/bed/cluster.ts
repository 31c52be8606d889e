import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { type Api, type ApiAccess, createApi } from './api.ts';
import type { Home } from './home.ts';

/** The cluster that a bed stands on: a control plane of its own, or one that was there before. */
export interface Cluster {
  readonly client: Api;
  readonly kubeconfig: string;
  /** The API server's certificate authority, PEM. */
  readonly ca: string;
  /** As the bed, where it plays kubelets. */
  readonly kubelet: Api;
  readonly kwokKubeconfig: string;
  stop(options?: { readonly keepLogs?: boolean }): Promise<void>;
}

/** The kubeconfig cannot be used by the bed; the message says why. */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
}

interface Kubeconfig {
  'current-context'?: string;
  contexts?: { name: string; context: { cluster: string; user: string } }[];
  clusters?: { name: string; cluster: Record<string, string> }[];
  users?: { name: string; user: Record<string, string> }[];
}

/** Takes an existing cluster; its user must be an administrator, with a token or a client certificate. */
export async function existingCluster(file: string, home: Home): Promise<Cluster> {
  const access = await accessFrom(file);
  const client = createApi(access);
  await client.get('/version');
  return {
    client,
    kubeconfig: path.resolve(file),
    ca: access.ca ?? '',
    kubelet: client.as({ userAgent: 'bed' }),
    kwokKubeconfig: path.resolve(file),
    async stop({ keepLogs = false } = {}) {
      client.close();
      await home.close({ keepLogs });
    },
  };
}

/** Reads the current context of a kubeconfig. */
export async function accessFrom(file: string): Promise<ApiAccess> {
  const config = parse(await readFile(file, 'utf8')) as Kubeconfig;
  const folder = path.dirname(path.resolve(file));
  const context = config.contexts?.find(({ name }) => name === config['current-context'])?.context;
  const cluster = config.clusters?.find(({ name }) => name === context?.cluster)?.cluster;
  const user = config.users?.find(({ name }) => name === context?.user)?.user;
  if (cluster?.['server'] === undefined || user === undefined) throw new KubeconfigError(`${file} has no usable current context`);
  const pem = async (from: Record<string, string>, key: string): Promise<string | undefined> => {
    const data = from[`${key}-data`];
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    return from[key] === undefined ? undefined : readFile(path.resolve(folder, from[key]), 'utf8');
  };
  const [ca, certificate, key] = await Promise.all([
    pem(cluster, 'certificate-authority'),
    pem(user, 'client-certificate'),
    pem(user, 'client-key'),
  ]);
  const token = user['token'];
  if (token === undefined && certificate === undefined) {
    throw new KubeconfigError(`${file}: its user has neither a token nor a client certificate (plugins are not run)`);
  }
  return { server: cluster['server'], ca, token, certificate, key };
}
