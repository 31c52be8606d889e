import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { repository } from '../bed/config.ts';

export interface KindOptions {
  readonly name: string;
  /** On this machine; Docker must be able to mount it. */
  readonly folder: string;
  /** How many nodes are updated. */
  readonly workers: number;
}

/** Where a node finds what its host gives it. */
const inNode = '/lockkeeper';
const auditInNode = '/var/log/lockkeeper';

/** As kind names its containers, and so the Nodes. */
export const workerName = ({ name }: Pick<KindOptions, 'name'>, index: number): string =>
  `${name}-worker${index === 0 ? '' : String(index + 1)}`;
export const controlPlaneName = ({ name }: Pick<KindOptions, 'name'>): string => `${name}-control-plane`;

/** What a worker's host gives it, on this machine. */
export const hostFiles = ({ folder }: Pick<KindOptions, 'folder'>, index: number) => {
  const own = path.join(folder, `worker-${index + 1}`);
  return { folder: own, socket: path.join(own, 'api.sock'), bootID: path.join(own, 'boot-id'), osRelease: path.join(own, 'os-release') };
};

export const auditLogOf = ({ folder }: Pick<KindOptions, 'folder'>): string => path.join(folder, 'audit', 'audit.log');
export const configFile = ({ folder }: Pick<KindOptions, 'folder'>): string => path.join(folder, 'kind.yaml');

/**
 * Runs in a node at each start, before its kubelet: all containers of a machine share a kernel, and so its boot ID; this gives
 * the node, and by kind's own hook its containers, that of the simulated host.
 */
const bootScript = `#!/bin/sh
set -e
at=/proc/sys/kernel/random/boot_id
grep -q " $at " /proc/self/mounts || mount --bind ${inNode}/boot-id "$at"
hook=/kind/bin/mount-product-files.sh
grep -q lockkeeper "$hook" || echo 'mount --bind ${inNode}/boot-id "\${bundle:?}/rootfs/proc/sys/kernel/random/boot_id"' >> "$hook"
`;
const dropIn = `[Service]\nExecStartPre=/bin/sh ${inNode}-boot.sh\n`;

/** The configuration for `kind create cluster`. */
export function kindConfig(options: KindOptions): object {
  const { folder } = options;
  const mount = (hostPath: string, containerPath: string) => ({ hostPath, containerPath });
  const worker = (index: number) => {
    const files = hostFiles(options, index);
    return {
      role: 'worker',
      extraMounts: [
        mount(files.folder, inNode),
        mount(files.socket, '/run/api.sock'),
        mount(files.osRelease, '/usr/lib/os-release'),
        mount(path.join(folder, 'boot.sh'), `${inNode}-boot.sh`),
        mount(path.join(folder, 'boot.conf'), '/etc/systemd/system/kubelet.service.d/20-lockkeeper.conf'),
      ],
    };
  };
  const audit = { name: 'audit', hostPath: auditInNode, mountPath: auditInNode };
  const clusterConfiguration = {
    kind: 'ClusterConfiguration',
    apiServer: {
      extraArgs: { 'audit-policy-file': `${auditInNode}/policy.yaml`, 'audit-log-path': `${auditInNode}/audit.log` },
      extraVolumes: [{ ...audit, pathType: 'DirectoryOrCreate' }],
    },
  };
  return {
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    nodes: [
      {
        role: 'control-plane',
        extraMounts: [
          mount(path.join(folder, 'audit'), auditInNode),
          mount(path.join(repository, 'e2e', 'bed', 'audit-policy.yaml'), `${auditInNode}/policy.yaml`),
        ],
        kubeadmConfigPatches: [stringify(clusterConfiguration)],
      },
      ...Array.from({ length: options.workers }, (_, index) => worker(index)),
    ],
  };
}

/** Writes it, and what it mounts, but for what the hosts themselves put there. */
export async function writeClusterFiles(options: KindOptions): Promise<void> {
  const { folder, workers } = options;
  await mkdir(path.join(folder, 'audit'), { recursive: true });
  for (let index = 0; index < workers; index += 1) await mkdir(hostFiles(options, index).folder, { recursive: true });
  await writeFile(path.join(folder, 'boot.sh'), bootScript);
  await chmod(path.join(folder, 'boot.sh'), 0o755);
  await writeFile(path.join(folder, 'boot.conf'), dropIn);
  await writeFile(configFile(options), stringify(kindConfig(options)));
}
