import type { KubeObject } from '../../bed/api.ts';
import type { AuditEntry } from '../../bed/audit.ts';
import type { NodeObject } from '../../bed/node-object.ts';
import type { WatchHistory } from '../../bed/watch-history.ts';
import { isReady } from '../../nodes/start-machine.ts';
import { type OwnTimes, ownTimesOf } from '../node-times.ts';

export interface AgentPod extends KubeObject {
  readonly spec: { readonly nodeName?: string };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly containerID?: string; readonly ready: boolean }[];
  };
}

/** The steps of one node's update by the product, in ms since the epoch. */
export interface ProductTimes extends OwnTimes {
  /** The kubelet has reported another boot ID. */
  readonly booted: number;
  /** Ready under that boot ID. */
  readonly ready: number;
  /** The agent's pod has been started again, and is Ready. */
  readonly agentReady: number;
  /** The agent has reported that boot ID. */
  readonly agentReported: number;
}

export const productTotal = ({ claimed, uncordoned }: ProductTimes): number => uncordoned - claimed;

/** From the boot ID on the Node until the agent's pod is Ready and the agent has reported that boot. */
export const agentBack = ({ booted, agentReady, agentReported }: ProductTimes): number => Math.max(agentReady, agentReported) - booted;

export interface Watched {
  /** What was recorded since before the first claim. */
  readonly audit: readonly AuditEntry[];
  readonly nodes: WatchHistory<NodeObject>;
  readonly agents: WatchHistory<AgentPod>;
}

/** Finds the steps in what the API server recorded and told; a node for which one is missing is left out. */
export function productTimes({ audit, nodes, agents }: Watched): ProductTimes[] {
  return ownTimesOf(audit).flatMap((own) => {
    const versions = nodes.of(own.node);
    const before = versions.findLast(({ at }) => at <= own.claimed)?.object.status.nodeInfo.bootID;
    const inNewBoot = versions.filter(({ at, object }) => at > own.asked && object.status.nodeInfo.bootID !== before);
    const booted = inNewBoot[0];
    const ready = inNewBoot.find(({ object }) => isReady(object));
    const pods = agents.versions.filter(({ object }) => object.spec.nodeName === own.node);
    const ranBefore = pods.findLast(({ at }) => at <= own.asked)?.object.status?.containerStatuses?.[0]?.containerID;
    const agentReady = pods.find(({ at, object: { status } }) => {
      const [container] = status?.containerStatuses ?? [];
      return at > own.asked && container?.ready === true && container.containerID !== ranBefore;
    });
    const reported = audit.find(
      ({ objectRef, requestObject }) =>
        objectRef?.resource === 'nodehosts' &&
        objectRef.name === own.node &&
        (requestObject as { status?: { bootID?: string } } | undefined)?.status?.bootID === booted?.object.status.nodeInfo.bootID,
    );
    return booted === undefined || ready === undefined || agentReady === undefined || reported === undefined
      ? []
      : [{ ...own, booted: booted.at, ready: ready.at, agentReady: agentReady.at, agentReported: Date.parse(reported.stageTimestamp) }];
  });
}
