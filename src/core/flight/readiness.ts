import { isDaemonSetPod } from '../drain-plan.ts';
import { instant, type PodView } from '../world.ts';
import type { Flight } from './flight.ts';

/** What a node that has rebooted still lacks. */
export interface Waits {
  message: string;
  until?: number;
  /** Nothing is known yet: that has run out of no time. */
  unseen?: true;
}

/** What is waited for before a node counts as back: Ready for long enough, counted from when its boot was seen, and its DaemonSet pods. */
export function whatItWaitsFor({ node, record, world, now }: Flight, began: number): Waits | undefined {
  if (!node.ready.status) return { message: 'waits for the node to be Ready' };
  const readyAt = Math.max(began, instant(node.ready.since) || 0) + record.minReadySeconds * 1000;
  if (record.minReadySeconds > 0 && readyAt > now)
    return { message: `waits for the node to be Ready for ${record.minReadySeconds} s`, until: readyAt };
  if (record.readyDaemonSets.length === 0) return undefined;
  const pods = world.pods.get(node.name);
  if (pods === undefined) return { message: 'lists the pods on the node', unseen: true };
  const wanted = new Set(record.readyDaemonSets);
  const ended = new Set(record.daemonSetContainers);
  // A kubelet reports its node at once after a boot, and its pods a moment later: until then they look as they did before.
  const isBack = ({ ready, containers }: PodView) => ready && !(containers !== undefined && ended.has(containers));
  const missing = pods.filter(
    (pod) => isDaemonSetPod(pod) && !isBack(pod) && !pod.terminating && wanted.has(`${pod.namespace}/${pod.controller?.name ?? ''}`),
  );
  return missing.length === 0
    ? undefined
    : {
        message: `waits for DaemonSet pods to be Ready again: ${missing
          .slice(0, 5)
          .map((pod) => `${pod.namespace}/${pod.name}`)
          .join(', ')}`,
      };
}
