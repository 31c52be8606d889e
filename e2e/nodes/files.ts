import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ApiAccess } from '../bed/api.ts';
import { kubeconfig } from '../bed/control-plane.ts';
import { addressesOf } from './addresses.ts';
import { workloadImage } from './images.ts';
import type { MachineSettings } from './machine/settings.ts';

export interface MachineFiles {
  readonly settings: MachineSettings;
  /** How the kubelet's root in the cgroup trees is called. */
  readonly cgroupRoot: string;
  readonly kubelet: ApiAccess;
  readonly kubeProxy: ApiAccess;
  /** The folder with the network plugins. */
  readonly plugins: string;
  /** What `ctr oci spec` says. */
  readonly containerSpec: string;
  /** Over the kubelet's configuration. */
  readonly kubeletConfiguration: object;
}

const sysctls = ['overcommit_memory', 'panic_on_oom', 'panic', 'panic_on_oops', 'root_maxkeys', 'root_maxbytes'];
const expectedSysctls: Readonly<Record<string, string>> = {
  overcommit_memory: '1',
  panic_on_oom: '0',
  panic: '10',
  panic_on_oops: '1',
  root_maxkeys: '1000000',
  root_maxbytes: '25000000',
};

/** Writes what a machine finds on its disk at its first boot, and returns the file for its process. */
export async function writeMachineFiles(files: MachineFiles): Promise<string> {
  const { settings } = files;
  const { folder } = settings;
  const { podSubnet } = addressesOf(settings.index);
  const write = (name: string, content: string, mode = 0o644) => writeFile(path.join(folder, name), content, { mode });
  const json = (content: object) => JSON.stringify(content);
  await mkdir(path.join(folder, 'cni'), { recursive: true });
  await mkdir(path.join(folder, 'sysctl'), { recursive: true });
  for (const name of sysctls) await write(`sysctl/${name}`, `${expectedSysctls[name]}\n`);
  await write('machine-id', `${randomUUID().replaceAll('-', '')}\n`);
  await write('system-uuid', `${randomUUID()}\n`);
  // There is no name service here, and nothing may ask one elsewhere.
  await write('resolv.conf', 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
  await write('kubelet.kubeconfig', kubeconfig(files.kubelet), 0o600);
  await write('kube-proxy.kubeconfig', kubeconfig(files.kubeProxy), 0o600);
  // JSON is YAML.
  await write('kubelet.yaml', json(kubeletConfiguration(files)));
  await write('kube-proxy.yaml', json(kubeProxyConfiguration(settings)));
  await write('containerd.toml', containerdConfiguration(folder, files.plugins));
  await write('container.json', json(withBootID(JSON.parse(files.containerSpec) as object, folder)));
  await write('cni/10-bed.conflist', json(podNetwork(podSubnet)));
  await write('machine.json', json(settings));
  return path.join(folder, 'machine.json');
}

function kubeletConfiguration({ cgroupRoot, settings, kubeletConfiguration: more }: MachineFiles): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    failCgroupV1: false,
    cgroupDriver: 'cgroupfs',
    cgroupRoot,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    address: addressesOf(settings.index).address,
    readOnlyPort: 0,
    // Lower ones need CAP_SYS_RESOURCE.
    oomScoreAdj: 0,
    // Nobody but the bed's own control plane can reach it.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    failSwapOn: false,
    resolvConf: path.join(settings.folder, 'resolv.conf'),
    // There is no name service: whoever asks is refused at once.
    clusterDNS: ['127.0.0.1'],
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    nodeStatusUpdateFrequency: '2s',
    nodeStatusReportFrequency: '30s',
    shutdownGracePeriod: '0s',
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%', 'nodefs.inodesFree': '1%' },
    // Images come from archives, and none comes again.
    imageGCHighThresholdPercent: 100,
    enforceNodeAllocatable: ['pods'],
    maxPods: 60,
    ...more,
  };
}

function kubeProxyConfiguration({ name, folder }: MachineSettings): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    hostnameOverride: name,
    clientConnection: { kubeconfig: path.join(folder, 'kube-proxy.kubeconfig') },
    // The table's size is the whole machine's, which is not ours alone.
    conntrack: { maxPerCore: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    iptables: { minSyncPeriod: '0s', syncPeriod: '30s' },
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
  };
}

function containerdConfiguration(folder: string, plugins: string): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing",
]
[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${workloadImage}"
restrict_oom_score_adj = true
disable_tcp_service = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
base_runtime_spec = "${path.join(folder, 'container.json')}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${plugins}"
conf_dir = "${path.join(folder, 'cni')}"
`;
}

/**
 * A container has a /proc of its own, where the boot ID would be this machine's. runc mounts nothing below /proc, but runs
 * this in the container's root folder before it turns to it.
 */
function withBootID(spec: object, folder: string): object {
  const hook = {
    path: '/bin/mount',
    args: ['mount', '--bind', path.join(folder, 'boot-id'), 'proc/sys/kernel/random/boot_id'],
    env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
  };
  return { ...spec, hooks: { createContainer: [hook] } };
}

function podNetwork(subnet: string): object {
  const ipam = { type: 'host-local', dataDir: '/run/cni', ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] };
  return {
    cniVersion: '0.4.0',
    name: 'bed',
    plugins: [{ type: 'bridge', bridge: 'pods', isGateway: true, ipMasq: false, hairpinMode: true, ipam }],
  };
}
