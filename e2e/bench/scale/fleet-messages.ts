import type { ApiAccess } from '../../bed/api.ts';
import type { PodObject } from '../../bed/pod-object.ts';
import type { Release } from '../../host/host.ts';

/** What a process that plays nodes is told first. */
export interface FleetStart {
  /** As the bed, where it plays kubelets. */
  readonly access: ApiAccess;
  readonly nodes: readonly { readonly name: string; readonly index: number; readonly labels: Readonly<Record<string, string>> }[];
  readonly version: string;
  readonly releases: readonly Release[];
  /** For its sockets. */
  readonly scratch: string;
  /** Between two reports of a kubelet that has nothing to report, in milliseconds. */
  readonly heartbeatMs: number;
}

/** Calls from the bench to such a process; each is answered once. */
export interface FleetCalls {
  /** Boots the hosts and registers the nodes. */
  start(start: FleetStart): void;
  /** Runs the agents of these pods, with tokens that are bound to them. */
  adopt(pods: readonly PodObject[]): void;
  /** What the update repository holds from now on. */
  release(releases: readonly Release[]): void;
  /** What agents and API server have sent each other so far. */
  traffic(): FleetTraffic;
}

export interface FleetTraffic {
  /** Bytes, as they go over the wire. */
  readonly toServer: number;
  readonly fromServer: number;
  /** Agents that run now, and how often one has ended that nobody had told to. */
  readonly running: number;
  readonly failed: number;
}

export interface Call<K extends keyof FleetCalls = keyof FleetCalls> {
  readonly id: number;
  readonly name: K;
  readonly argument: Parameters<FleetCalls[K]>[0];
}

export type Reply = { readonly id: number; readonly value: unknown } | { readonly id: number | undefined; readonly error: string };
