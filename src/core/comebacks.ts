import type { EvictedOnce } from '../api/node-update.ts';
import type { PodView } from './world.ts';

const MAX_CONTROLLERS = 64;
const MAX_PODS = 512;

/**
 * Pods that tolerate a cordon come straight back to the node that they were evicted from: each controller's are evicted once, and
 * what then comes in their place is left. Which ones were evicted is persisted before they are, so that no restart forgets it;
 * where it is lost all the same, they are evicted once more.
 */
export function rememberEvicted(known: readonly EvictedOnce[], evict: readonly PodView[]): readonly EvictedOnce[] {
  const added = new Map<string, string[]>();
  for (const pod of evict) {
    const controller = controllerKey(pod);
    if (controller === undefined || known.some((entry) => entry.controller === controller)) continue;
    added.set(controller, [...(added.get(controller) ?? []), pod.uid]);
  }
  if (added.size === 0 || known.length >= MAX_CONTROLLERS) return known;
  const entries = [...added].map(([controller, pods]) => ({ controller, pods: pods.slice(0, MAX_PODS) }));
  return [...known, ...entries].slice(0, MAX_CONTROLLERS);
}

/** Whether a pod has come in the place of one that this drain evicts. */
export function isComeback(pod: PodView, known: readonly EvictedOnce[]): boolean {
  const controller = controllerKey(pod);
  const entry = controller === undefined ? undefined : known.find((candidate) => candidate.controller === controller);
  return entry !== undefined && !entry.pods.includes(pod.uid);
}

/** Whether it is remembered that a pod is evicted, or need not be. */
export const isRemembered = (pod: PodView, known: readonly EvictedOnce[]): boolean =>
  controllerKey(pod) === undefined || known.some(({ pods }) => pods.includes(pod.uid));

/** Names the controller of a pod that tolerates the cordon; undefined for all others. */
function controllerKey({ namespace, controller, toleratesCordon }: PodView): string | undefined {
  return toleratesCordon === true && controller !== undefined ? `${namespace}/${controller.kind}/${controller.name}` : undefined;
}
