import { describe, expect } from '@jest/globals';
import * as fc from 'fast-check';
import * as z from 'zod/mini';
import { fuzz } from '../testing/fuzz.ts';
import { type Json, spoilt } from '../testing/hostile-values.ts';
import { daemonSetOf } from './daemon-sets.ts';
import { parseServerVersion } from './server-version.ts';
import { budgetOf, denies, failsClosed, nodeHostOf, nodeOf, nodeUpdateOf, podOf, policyOf } from './views.ts';

const metadata: { [name: string]: Json } = {
  name: 'a',
  namespace: 'shop',
  uid: 'u',
  resourceVersion: '1',
  generation: 1,
  creationTimestamp: '2026-01-01T00:00:00Z',
  labels: { app: 'web' },
  annotations: { 'lockkeeper.dev/paused': 'true', 'lockkeeper.dev/cordon': '{}' },
  ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'u', controller: true }],
  managedFields: [{ manager: 'kubectl', time: '2026-01-01T00:00:00Z', fieldsV1: { 'f:metadata': { 'f:annotations': { 'f:a': {} } } } }],
};
const NODE: Json = {
  metadata,
  spec: { unschedulable: true, providerID: 'p', taints: [{ key: 'a', effect: 'NoSchedule' }] },
  status: {
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    volumesAttached: [{ name: 'v', devicePath: '' }],
    nodeInfo: { bootID: 'b', osImage: 'Bottlerocket OS 1.26.0 (aws-k8s-1.31)', architecture: 'amd64', systemUUID: 's' },
  },
};
const POD: Json = {
  metadata,
  spec: { nodeName: 'a', priorityClassName: 'p', tolerations: [{ operator: 'Exists' }], volumes: [{ name: 'v', emptyDir: {} }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: [{ containerID: 'c' }] },
};
const BUDGET: Json = {
  metadata,
  spec: {
    unhealthyPodEvictionPolicy: 'AlwaysAllow',
    selector: { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'a', operator: 'Exists' }] },
  },
  status: { disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2, observedGeneration: 1, conditions: [] },
};
const DAEMON_SET: Json = {
  metadata,
  spec: { selector: { matchLabels: { app: 'web' } }, template: { metadata, spec: { containers: [] } } },
};
const POLICY: Json = {
  metadata,
  spec: { version: { range: '*' }, schedule: { windows: [{ cron: '0 2 * * *', duration: '4h', timeZone: 'UTC' }] } },
  status: {},
};
const UPDATE: Json = { metadata, status: { phase: 'Idle', since: '2026-01-01T00:00:00Z', failures: [], history: [] } };
const HOST: Json = { metadata, spec: { refreshInterval: '1h', ignoreWaves: false }, status: { version: '1.26.0', available: ['1.26.1'] } };
const GUARD: Json = { spec: { failurePolicy: 'Fail', policyName: 'lockkeeper-agent', validationActions: ['Deny'] } };

const kinds: readonly [Json, (raw: unknown) => unknown][] = [
  [NODE, nodeOf],
  [POD, podOf],
  [BUDGET, budgetOf],
  [DAEMON_SET, daemonSetOf],
  [POLICY, policyOf],
  [UPDATE, nodeUpdateOf],
  [HOST, nodeHostOf],
  [GUARD, failsClosed],
  [GUARD, (raw) => denies(raw, 'lockkeeper-agent')],
  [{ major: '1', minor: '36+', gitVersion: 'v1.36.3' }, (raw) => parseServerVersion(raw).data],
];

describe('an object of the API server', () => {
  const objects = fc.oneof(...kinds.map(([right, project]) => spoilt(right).map((raw) => ({ raw, project }))));
  fuzz('is refused, or read as plain data', objects, ({ raw, project }) => {
    let view: unknown;
    try {
      view = project(raw);
    } catch (error) {
      expect(error).toBeInstanceOf(z.core.$ZodError);
      return;
    }
    if (view === undefined) return;
    expect(structuredClone(view)).toEqual(view);
  });
});
