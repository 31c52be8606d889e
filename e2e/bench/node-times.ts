import type { UpdatePolicyStatus } from '../../src/api/update-policy.ts';
import type { AuditEntry } from '../bed/audit.ts';

/** When the steps of one node's update were answered by the API server, in ms since the epoch. */
export interface OwnTimes {
  readonly node: string;
  /** The policy's status was written with the node's claim. */
  readonly claimed: number;
  readonly cordoned: number;
  /** The Reboot order was written: the node is drained. */
  readonly ordered: number;
  /** The agent has written that it asks for the reboot. */
  readonly asked: number;
  readonly uncordoned: number;
}

/** On the bed that plays the kubelets. */
export interface NodeTimes extends OwnTimes {
  /** The kubelet has reported (the last time before the uncordon). */
  readonly booted: number;
}

type Steps = { -readonly [Step in keyof NodeTimes]?: NodeTimes[Step] };

interface Patch {
  readonly spec?: { unschedulable?: boolean | null; order?: { action?: string } };
  readonly status?: { answer?: { state?: string } };
}

/** Finds the steps in the audit log; a node that was not claimed and uncordoned in it is left out. */
export function timesOf(entries: readonly AuditEntry[]): NodeTimes[] {
  return stepsIn(entries).flatMap((steps) => (isComplete(steps) && steps.booted !== undefined ? [{ ...steps, booted: steps.booted }] : []));
}

/** The same without the boot, of which real kubelets tell by more than one request. */
export function ownTimesOf(entries: readonly AuditEntry[]): OwnTimes[] {
  return stepsIn(entries).flatMap((steps) => (isComplete(steps) ? [steps] : []));
}

function isComplete(steps: Steps): steps is OwnTimes & Steps {
  const { node, claimed, cordoned, ordered, asked, uncordoned } = steps;
  return ![node, claimed, cordoned, ordered, asked, uncordoned].includes(undefined);
}

function stepsIn(entries: readonly AuditEntry[]): Steps[] {
  const nodes = new Map<string, Steps>();
  const stepsOf = (node: string): Steps => {
    const steps = nodes.get(node) ?? { node };
    nodes.set(node, steps);
    return steps;
  };
  for (const entry of entries) {
    const { verb, objectRef, requestObject, responseObject, responseStatus, user } = entry;
    if (verb !== 'patch' || objectRef?.name === undefined || (responseStatus?.code ?? 500) >= 300) continue;
    const at = Date.parse(entry.stageTimestamp);
    const patch = (requestObject ?? {}) as Patch;
    switch (`${objectRef.resource}/${objectRef.subresource ?? ''}`) {
      case 'updatepolicies/status': {
        const { status } = (responseObject ?? {}) as { status?: UpdatePolicyStatus };
        for (const { node } of status?.claims ?? []) stepsOf(node).claimed ??= at;
        break;
      }
      case 'nodes/':
        if (!isController(entry)) break;
        if (patch.spec?.unschedulable === true) stepsOf(objectRef.name).cordoned ??= at;
        else if (patch.spec?.unschedulable !== undefined) stepsOf(objectRef.name).uncordoned ??= at;
        break;
      case 'nodehosts/':
        if (patch.spec?.order?.action === 'Reboot') stepsOf(objectRef.name).ordered ??= at;
        break;
      case 'nodehosts/status':
        if (patch.status?.answer?.state === 'RebootAsked') stepsOf(objectRef.name).asked ??= at;
        break;
      case 'nodes/status': {
        const steps = stepsOf(objectRef.name);
        if (user.username === 'bed' && steps.uncordoned === undefined) steps.booted = at;
        break;
      }
      default:
    }
  }
  return [...nodes.values()];
}

const isController = ({ userAgent = '' }: AuditEntry): boolean => userAgent.startsWith('lockkeeper-controller/');
