import { expect } from '@jest/globals';
import type { NodeObject } from '../../bed/node-object.ts';
import type { WatchHistory } from '../../bed/watch-history.ts';
import { isCordoned } from '../../bed/watch-history.ts';
import type { Pod } from './pod-history.ts';

/**
 * Each uncordon of these nodes came after what was then reported of its DaemonSet pods was of containers that did not run
 * when it was cordoned, and Ready: a kubelet reports its node before its pods.
 */
export function expectBackBeforeUncordon(names: readonly string[], nodes: WatchHistory<NodeObject>, pods: WatchHistory<Pod>): void {
  for (const name of names) {
    const versions = nodes.of(name);
    const cordoned = versions.find(({ object }) => isCordoned(object));
    const uncordoned = versions.slice(cordoned === undefined ? 0 : versions.indexOf(cordoned)).find(({ object }) => !isCordoned(object));
    const before = podAt(cordoned?.object);
    const after = podAt(uncordoned?.object);
    expect(before?.containerID).toMatch(/^containerd:/);
    expect({ name, ready: after?.ready, sameContainer: after?.containerID === before?.containerID }).toEqual({
      name,
      ready: true,
      sameContainer: false,
    });

    /** One store counts the versions of all objects. */
    function podAt(node: NodeObject | undefined) {
      const now = Number(node?.metadata.resourceVersion);
      const seen = pods.versions.findLast(({ object }) => object.spec.nodeName === name && Number(object.metadata.resourceVersion) < now);
      return seen?.object.status?.containerStatuses?.[0];
    }
  }
}
