import type { PodObject } from './pod-object.ts';

/** How a pod's only process fares. */
export interface ProcessState {
  readonly startedAt: string | undefined;
  readonly ready: boolean;
  readonly restarts: number;
  /** Set once it will not be started again. */
  readonly ended?: { readonly exitCode: number; readonly finishedAt: string };
  /** Why it does not run, where it does not. */
  readonly waiting?: string;
}

/** The pod status that a kubelet would report; for a strategic merge patch. */
export function podStatus(pod: PodObject, state: ProcessState, ip: string, now: string): object {
  const { ended, ready, restarts, startedAt } = state;
  const [container] = pod.spec.containers;
  const reason = ended === undefined ? (ready ? '' : 'ContainersNotReady') : 'PodCompleted';
  const condition = (type: string, status: boolean, why = '') => {
    const text = status ? 'True' : 'False';
    const before = pod.status?.conditions?.find((one) => one.type === type)?.status;
    return { type, status: text, reason: why, ...(before === text ? {} : { lastTransitionTime: now }) };
  };
  return {
    phase: ended === undefined ? (startedAt === undefined ? 'Pending' : 'Running') : ended.exitCode === 0 ? 'Succeeded' : 'Failed',
    hostIP: ip,
    podIP: ip,
    podIPs: [{ ip }],
    startTime: pod.metadata.creationTimestamp,
    conditions: [
      condition('PodReadyToStartContainers', true),
      condition('Initialized', true),
      condition('ContainersReady', ready, reason),
      condition('Ready', ready, reason),
    ],
    containerStatuses: [
      {
        name: container?.name,
        image: container?.image,
        imageID: container?.image,
        ready,
        started: startedAt !== undefined && ended === undefined,
        restartCount: restarts,
        state: containerState(state),
      },
    ],
  };
}

function containerState({ ended, startedAt, waiting }: ProcessState): object {
  if (ended !== undefined) {
    const reason = ended.exitCode === 0 ? 'Completed' : 'Error';
    return { running: null, waiting: null, terminated: { ...ended, reason, startedAt: startedAt ?? ended.finishedAt } };
  }
  if (waiting !== undefined || startedAt === undefined) {
    return { running: null, terminated: null, waiting: { reason: waiting ?? 'ContainerCreating' } };
  }
  return { waiting: null, terminated: null, running: { startedAt } };
}
