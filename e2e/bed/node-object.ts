import { createHash } from 'node:crypto';
import type { KubeObject } from './api.ts';
import { managedNode } from './kwok.ts';

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

export interface NodeCondition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

/** A Node, as far as the bed and its tests look at it. */
export interface NodeObject extends KubeObject {
  spec: { providerID?: string; unschedulable?: boolean; taints?: Taint[] };
  status: {
    conditions?: NodeCondition[];
    nodeInfo: { bootID: string; osImage: string; systemUUID: string; architecture: string; kubeletVersion: string };
    addresses?: { type: string; address: string }[];
  };
}

/** The host's own word for a processor; `nodeInfo.architecture` has Go's. */
export type HostArch = 'x86_64' | 'aarch64';

export interface NodeFacts {
  readonly name: string;
  readonly index: number;
  readonly zone: string;
  readonly arch: HostArch;
  readonly osImage: string;
  readonly bootID: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly providerID: string;
  readonly kubeletVersion: string;
  readonly pods: number;
}

/** `nodeInfo.osImage` as the OS's kubelet reports it. */
export function bottlerocketImage(version: string, variant: string): string {
  return `Bottlerocket OS ${version} (${variant})`;
}

/** A providerID that is always the same for the same machine. */
export function providerID(zone: string, identity: string): string {
  return `aws:///${zone}/i-0${createHash('sha256').update(identity).digest('hex').slice(0, 16)}`;
}

/** An address of its own for every machine; nothing listens on it. */
export function nodeAddress(index: number): string {
  return `10.${(index >> 16) & 63}.${(index >> 8) & 255}.${index & 255}`;
}

/** The Node that this machine's kubelet registers. */
export function nodeObject(facts: NodeFacts, now: string): NodeObject {
  const architecture = facts.arch === 'x86_64' ? 'amd64' : 'arm64';
  const digest = createHash('sha256').update(facts.providerID).digest('hex');
  const size = { cpu: '32', memory: '64Gi', pods: String(facts.pods), 'ephemeral-storage': '100Gi' };
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: facts.name,
      labels: {
        'kubernetes.io/hostname': facts.name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': architecture,
        'topology.kubernetes.io/zone': facts.zone,
        'topology.kubernetes.io/region': facts.zone.replace(/[a-z]$/, ''),
        ...facts.labels,
      },
      annotations: { ...managedNode, 'node.alpha.kubernetes.io/ttl': '0', ...facts.annotations },
    },
    spec: { providerID: facts.providerID, taints: [...facts.taints] },
    status: {
      capacity: size,
      allocatable: size,
      conditions: [...healthy(now), readyCondition('True', now)],
      addresses: [
        { type: 'InternalIP', address: nodeAddress(facts.index) },
        { type: 'Hostname', address: facts.name },
      ],
      nodeInfo: {
        architecture,
        bootID: facts.bootID,
        machineID: digest.slice(0, 32),
        systemUUID: `${digest.slice(0, 8)}-${digest.slice(8, 12)}-${digest.slice(12, 16)}-${digest.slice(16, 20)}-${digest.slice(20, 32)}`,
        osImage: facts.osImage,
        kernelVersion: '6.1.119',
        containerRuntimeVersion: 'containerd://1.7.25+bottlerocket',
        kubeletVersion: facts.kubeletVersion,
        kubeProxyVersion: '',
        operatingSystem: 'linux',
      },
    },
  };
  return node;
}

/** A kubelet's Ready condition, that changed just now. */
export function readyCondition(status: NodeCondition['status'], now: string): NodeCondition & { lastHeartbeatTime: string } {
  const words = {
    True: { reason: 'KubeletReady', message: 'kubelet is posting ready status' },
    False: { reason: 'KubeletNotReady', message: 'the machine is down' },
    Unknown: { reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting node status.' },
  }[status];
  return { type: 'Ready', status, ...words, lastTransitionTime: now, lastHeartbeatTime: now };
}

function healthy(now: string) {
  return ['MemoryPressure', 'DiskPressure', 'PIDPressure'].map((type) => ({
    type,
    status: 'False' as const,
    reason: `KubeletHasNo${type}`,
    lastTransitionTime: now,
    lastHeartbeatTime: now,
  }));
}
