import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Api } from './api.ts';
import { fieldOf, type KeyToPath, type PodObject, type ProjectedSource, type Volume } from './pod-object.ts';

export const serviceAccountMount = '/var/run/secrets/kubernetes.io/serviceaccount';

/** A pod's volumes as folders and files of this machine. */
export interface PodVolumes {
  /** Where each mount path of the container really lies. */
  readonly mounts: ReadonlyMap<string, string>;
  /** Asks for new tokens now, as a kubelet does that has just started. */
  renew(): Promise<void>;
  /** When the tokens must be asked for again: at 80 % of their time, as a kubelet does. */
  readonly renewAt: number;
}

interface TokenRequest {
  status: { token: string; expirationTimestamp: string };
}

/**
 * Writes what the volumes of the pod's first container hold.
 * @param hostPaths paths of the node's own, and where the machine really has them
 * @throws ApiError, ApiUnreachable
 */
export async function mountVolumes(api: Api, pod: PodObject, folder: string, hostPaths: ReadonlyMap<string, string>): Promise<PodVolumes> {
  const volumes = new Map((pod.spec.volumes ?? []).map((volume) => [volume.name, volume]));
  const mounts = new Map<string, string>();
  const projections: { into: string; sources: readonly ProjectedSource[] }[] = [];
  let renewAt = Number.POSITIVE_INFINITY;

  for (const { name, mountPath } of pod.spec.containers[0]?.volumeMounts ?? []) {
    const volume = volumes.get(name);
    if (volume !== undefined) mounts.set(mountPath, await place(volume));
  }
  await renew();
  return {
    mounts,
    renew,
    get renewAt() {
      return renewAt;
    },
  };

  async function place(volume: Volume): Promise<string> {
    if (volume.hostPath !== undefined) return hostPaths.get(volume.hostPath.path) ?? volume.hostPath.path;
    const into = path.join(folder, volume.name);
    await mkdir(into, { recursive: true });
    if (volume.configMap !== undefined) await writeConfigMap(into, volume.configMap);
    if (volume.projected !== undefined) projections.push({ into, sources: volume.projected.sources });
    return into;
  }

  async function renew(): Promise<void> {
    renewAt = Number.POSITIVE_INFINITY;
    for (const { into, sources } of projections) {
      for (const source of sources) await project(into, source);
    }
  }

  async function project(into: string, source: ProjectedSource): Promise<void> {
    if (source.configMap !== undefined) await writeConfigMap(into, source.configMap);
    if (source.secret !== undefined) await writeSecret(into, source.secret);
    for (const item of source.downwardAPI?.items ?? []) {
      await writeWhole(path.join(into, item.path), fieldOf(pod, item.fieldRef.fieldPath, ''));
    }
    if (source.serviceAccountToken !== undefined) {
      const { path: file, expirationSeconds = 3600, audience } = source.serviceAccountToken;
      const seconds = await requestToken(path.join(into, file), expirationSeconds, audience);
      renewAt = Math.min(renewAt, Date.now() + seconds * 800);
    }
  }

  async function requestToken(file: string, expirationSeconds: number, audience: string | undefined): Promise<number> {
    const { namespace, name, uid } = pod.metadata;
    const account = pod.spec.serviceAccountName ?? 'default';
    const answer = await api.create<TokenRequest>(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
        ...(audience === undefined ? {} : { audiences: [audience] }),
      },
    });
    await writeWhole(file, answer.status.token);
    return expirationSeconds;
  }

  async function writeSecret(into: string, { name, items, optional }: NonNullable<ProjectedSource['secret']>): Promise<void> {
    const secret = await api.find<{ data?: Record<string, string> }>(`/api/v1/namespaces/${pod.metadata.namespace}/secrets/${name}`);
    if (secret === undefined && optional !== true) throw new Error(`there is no Secret ${name}`);
    const { data = {} } = secret ?? {};
    for (const { key, path: file } of items ?? Object.keys(data).map((key) => ({ key, path: key })))
      if (data[key] !== undefined) await writeWhole(path.join(into, file), Buffer.from(data[key], 'base64').toString('utf8'));
      else if (optional !== true) throw new Error(`${name} has no key ${key}`);
  }

  async function writeConfigMap(into: string, source: { name: string; items?: KeyToPath[] }): Promise<void> {
    const { data = {} } = await api.get<{ data?: Record<string, string> }>(
      `/api/v1/namespaces/${pod.metadata.namespace}/configmaps/${source.name}`,
    );
    const items = source.items ?? Object.keys(data).map((key) => ({ key, path: key }));
    for (const item of items) await writeWhole(path.join(into, item.path), data[item.key] ?? '');
  }
}

/** A reader sees the old content or the new one, never a part. */
async function writeWhole(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const unfinished = `${file}.new`;
  await writeFile(unfinished, content, { mode: 0o600 });
  await rename(unfinished, file);
}
