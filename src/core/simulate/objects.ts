import type { NodeHostSpec, NodeHostStatus } from '../../api/node-host.ts';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import type { HookRun } from '../command.ts';
import type { Annotations, Instant, JobView, NodeView, PodView, PolicyView } from '../world.ts';
import type { Store } from './store.ts';

export type SimNode = Omit<NodeView, 'update' | 'host' | 'agent'>;
export type SimUpdate = { nodeUID: string; resourceVersion: string; annotations: Annotations; status: NodeUpdateStatus };
export type SimHost = { nodeUID: string; resourceVersion: string; spec: NodeHostSpec; status: NodeHostStatus };
/** A pod; a `guarded` one has a budget that allows no eviction now, or `never` any. */
export type SimPod = PodView & { node: string; guarded: boolean | 'never'; resourceVersion: string };

/** A hook's Job. */
export type SimJob = { hook: HookRun; createdAt: number; view: JobView; resourceVersion: string };

/** What goes wrong on a machine as long as it is set. */
export type Flaw = 'rollsBack' | 'refusesActivation' | 'failsPrepare' | 'staysNotReady' | 'needsItsVersion' | 'failsHooks' | 'hangsHooks';

/** A machine: its host, its kubelet, and what they do whatever Kubernetes thinks. */
export interface Machine {
  name: string;
  hostID: string;
  variant: string;
  arch: string;
  /** Counts from 1. */
  boot: number;
  /** The boot ID of the first boot, where it is given. */
  firstBootID?: string;
  version: string;
  staged?: string | undefined;
  activated: boolean;
  /** The order for which the host was asked to reboot; it has not yet. */
  asked?: string | undefined;
  /** The kubelet has reported the present boot. */
  reported: boolean;
  agentUp: boolean;
  flaw?: Flaw | undefined;
  /** Its agent has pretended that a reboot was asked for: it waits for it itself. */
  pretends?: boolean;
  /** The newest release is not offered to it yet. */
  waits?: boolean;
  /** The version that it ran when its flaw was set: `needsItsVersion` has it get Ready on no other. */
  fine?: string;
}

/** Whether a machine's kubelet gets Ready as things are. */
export const isWell = ({ flaw, fine, version }: Machine): boolean =>
  flaw !== 'staysNotReady' && !(flaw === 'needsItsVersion' && version !== fine);

/** The API server's objects of a simulated world. */
export interface Objects {
  policies: Store<PolicyView>;
  nodes: Store<SimNode>;
  updates: Store<SimUpdate>;
  hosts: Store<SimHost>;
  /** By `namespace/name`. */
  pods: Store<SimPod>;
  /** By `namespace/name`. */
  jobs: Store<SimJob>;
  readonly now: Instant;
}

/** The boot ID that a machine's kubelet reports. */
export const bootIDOf = ({ hostID, boot, firstBootID }: Machine): string =>
  boot === 1 && firstBootID !== undefined ? firstBootID : `${hostID}-boot-${boot}`;
