import { isDeepStrictEqual } from 'node:util';
import { type Kind, kindPath, NODE_HOST, NODE_UPDATE, UPDATE_POLICY } from '../api/kinds.ts';
import { AGENT_ADMISSION_POLICY, PART_OF } from '../api/names.ts';
import { type DaemonSetView, daemonSetOf } from '../cluster/daemon-sets.ts';
import { type Budget, budgetOf, denies, failsClosed, nodeHostOf, nodeOf, nodeUpdateOf, podOf, policyOf } from '../cluster/views.ts';
import { neverAllows } from '../core/disruption-budgets.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import { type Change, Reflector, type ReflectorOptions } from '../kube/reflector.ts';

/** What a reflector needs besides what it watches. */
export interface ReflectorDeps {
  client: KubeClient;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

/** What is to be told of changes. */
export interface ReflectorEvents {
  /** Something that a decision looks at has changed; `node`: a watch has told it of this node. */
  changed(node?: string): void;
  /** There is a new connection to the API server. */
  connected?(): void;
  /** A budget's numbers have changed. */
  budgetChanged(namespace: string): void;
}

/** All that is watched cluster-wide, as projections; pods are not among it, but for our own. */
export type Reflectors = ReturnType<typeof createReflectors>;

/** Makes the reflectors of the controller; `run` them, and they keep up until the signal is aborted. */
export function createReflectors(deps: ReflectorDeps, namespace: string, events: ReflectorEvents) {
  const changedOf =
    <T extends object>(nodeOfChange: (change: Change<T>) => string | undefined) =>
    (change: Change<T>, byWatch: boolean): void => {
      if (change.type === 'put' && change.previous !== undefined && same(change.value, change.previous)) return;
      events.changed(byWatch ? nodeOfChange(change) : undefined);
    };
  // A NodeUpdate and a NodeHost bear their node's name.
  const changed = changedOf(({ key }) => key);
  const watch = <T>(path: string, project: (raw: unknown) => T | undefined, more: Partial<ReflectorOptions<T>> = {}) =>
    new Reflector<T>({ ...deps, path, project, startJitterMs: 0, onChange: () => events.changed(), ...more });
  const ours = <T extends { resourceVersion: string }>(kind: Kind, project: (raw: unknown) => T) =>
    watch(kindPath(kind), project, { onChange: kind === UPDATE_POLICY ? changedOf(() => undefined) : changed });
  const guardPath = '/apis/admissionregistration.k8s.io/v1';
  const guardQuery = { fieldSelector: `metadata.name=${AGENT_ADMISSION_POLICY}` };

  const all = {
    nodes: watch('/api/v1/nodes', nodeOf, { onChange: changed, onConnect: () => events.connected?.() }),
    policies: ours(UPDATE_POLICY, policyOf),
    nodeUpdates: ours(NODE_UPDATE, nodeUpdateOf),
    nodeHosts: ours(NODE_HOST, nodeHostOf),
    budgets: watch('/apis/policy/v1/poddisruptionbudgets', budgetOf, {
      onChange: ({ value, previous }) => {
        if (barsOtherwise(value, previous)) events.changed();
        if (value !== undefined && value.disruptionsAllowed > 0) events.budgetChanged(value.namespace);
        else if (value === undefined && previous !== undefined) events.budgetChanged(previous.namespace);
      },
    }),
    // That one exists is all that a drain asks, and how many pods they have changes all the time.
    daemonSets: watch<DaemonSetView>('/apis/apps/v1/daemonsets', daemonSetOf, {
      onChange: ({ value, previous }) => {
        if (!isDeepStrictEqual(value, previous)) events.changed();
      },
    }),
    ownPods: watch(`/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`, podOf, {
      query: { labelSelector: `${PART_OF.key}=${PART_OF.value}` },
      onChange: changedOf(({ value, previous }) => (value ?? previous)?.node),
    }),
    guardPolicy: watch<boolean>(`${guardPath}/validatingadmissionpolicies`, failsClosed, { query: guardQuery, mode: 'list' }),
    guardBinding: watch<boolean>(`${guardPath}/validatingadmissionpolicybindings`, (raw) => denies(raw, AGENT_ADMISSION_POLICY), {
      query: guardQuery,
      mode: 'list',
    }),
  };
  const list: readonly [string, Reflector<unknown>][] = Object.entries(all) as [string, Reflector<unknown>][];
  return {
    ...all,
    /** Lists and watches until the signal is aborted. Never rejects. */
    run: (signal: AbortSignal) => Promise.all(list.map(([, reflector]) => reflector.run(signal))),
    /** What has not been seen yet. */
    unsynced: () => list.filter(([, reflector]) => !reflector.synced).map(([name]) => name),
    /** Resolves once everything has been seen; rejects with the signal's reason. */
    waitForSync: (signal: AbortSignal) => Promise.all(list.map(([, reflector]) => reflector.waitForSync(signal))),
  };
}

/** Whether a change of a budget may change what can ever be evicted: most of them only count pods. */
function barsOtherwise(value: Budget | undefined, previous: Budget | undefined): boolean {
  if (value === undefined || previous === undefined) return true;
  return neverAllows(value) !== neverAllows(previous) || !isDeepStrictEqual(value.selector, previous.selector);
}

/** Whether two states of an object are one to a decision: heartbeats move the resourceVersion alone. */
function same(a: object, b: object): boolean {
  return isDeepStrictEqual({ ...a, resourceVersion: '' }, { ...b, resourceVersion: '' });
}
