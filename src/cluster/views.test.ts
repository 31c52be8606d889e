import { describe, expect, test } from '@jest/globals';
import type { CordonRecord } from '../api/cordon-record.ts';
import { ON_NODE } from '../api/names.ts';
import { aRecord } from '../core/testing/builders.ts';
import { budgetOf, denies, failsClosed, nodeHostOf, nodeOf, nodeUpdateOf, podOf, policyOf } from './views.ts';

const metadata = { name: 'a', uid: 'uid-a', resourceVersion: '7' };
const nodeInfo = {
  bootID: 'boot-1',
  osImage: 'Bottlerocket OS 1.26.0 (aws-k8s-1.31)',
  architecture: 'amd64',
  systemUUID: 'uuid-1',
  kernelVersion: '6.1.1',
};

describe('a Node', () => {
  test('with everything', () => {
    const raw = {
      metadata: {
        ...metadata,
        creationTimestamp: '2026-01-01T00:00:00Z',
        labels: { zone: 'a' },
        annotations: {
          'lockkeeper.dev/paused': 'true',
          'karpenter.sh/do-not-disrupt': 'true',
          'cluster-autoscaler.kubernetes.io/scale-down-disabled': 'false',
          'node.alpha.kubernetes.io/ttl': '0',
          'lockkeeper.development/other': 'x',
        },
      },
      spec: { unschedulable: true, providerID: 'aws:///i-1', taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] },
      status: {
        conditions: [
          { type: 'MemoryPressure', status: 'False', lastTransitionTime: '2026-01-01T00:00:01Z' },
          { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:02Z', reason: 'KubeletReady' },
        ],
        nodeInfo,
      },
    };
    expect(nodeOf(raw)).toEqual({
      name: 'a',
      uid: 'uid-a',
      resourceVersion: '7',
      createdAt: '2026-01-01T00:00:00Z',
      labels: { zone: 'a' },
      annotations: {
        'lockkeeper.dev/paused': 'true',
        'karpenter.sh/do-not-disrupt': 'true',
        'cluster-autoscaler.kubernetes.io/scale-down-disabled': 'false',
      },
      unschedulable: true,
      ready: { status: true, since: '2026-01-01T00:00:02Z' },
      bootID: 'boot-1',
      hostID: 'aws:///i-1',
      deleting: false,
      os: { version: '1.26.0', variant: 'aws-k8s-1.31', arch: 'amd64' },
    });
  });

  test('with nothing but its metadata: not Ready, of no OS, known by its uid', () => {
    expect(nodeOf({ metadata })).toEqual({
      name: 'a',
      uid: 'uid-a',
      resourceVersion: '7',
      createdAt: '',
      labels: {},
      annotations: {},
      unschedulable: false,
      ready: { status: false, since: '' },
      bootID: '',
      hostID: 'uid-a',
      deleting: false,
    });
  });

  test.each<[string, object, boolean]>([
    ['no conditions', {}, false],
    ['no Ready among them', { conditions: [{ type: 'DiskPressure', status: 'True', lastTransitionTime: 'x' }] }, false],
    ['Ready unknown', { conditions: [{ type: 'Ready', status: 'Unknown', lastTransitionTime: 'x' }] }, false],
    ['Ready false', { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: 'x' }] }, false],
    ['Ready without a transition', { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: null }] }, true],
  ])('with %s', (_name, status, ready) => {
    expect(nodeOf({ metadata, status }).ready.status).toBe(ready);
  });

  test.each([
    'Amazon Linux 2023.6.20250107',
    'Ubuntu 24.04.1 LTS',
    'Bottlerocket OS',
    'Bottlerocket OS latest (aws-k8s-1.31)',
    'Bottlerocket OS 1.26.0',
    'bottlerocket OS 1.26.0 (aws-k8s-1.31)',
    '',
  ])('of another OS: %j', (osImage) => {
    expect(nodeOf({ metadata, status: { nodeInfo: { ...nodeInfo, osImage } } })).not.toHaveProperty('os');
  });

  test.each<[string, object | undefined, object | undefined, string]>([
    ['by its provider ID', { providerID: 'aws:///i-1' }, { nodeInfo }, 'aws:///i-1'],
    ['by its system UUID, where the provider ID is empty', { providerID: '' }, { nodeInfo }, 'uuid-1'],
    ['by its uid, where both are empty', {}, { nodeInfo: { ...nodeInfo, systemUUID: '' } }, 'uid-a'],
  ])('is known %s', (_name, spec, status, hostID) => {
    expect(nodeOf({ metadata, spec, status }).hostID).toBe(hostID);
  });

  test.each(['karpenter.sh/disrupted', 'karpenter.sh/disruption', 'ToBeDeletedByClusterAutoscaler'])(
    'with the taint %s is being deleted',
    (key) => {
      expect(nodeOf({ metadata, spec: { taints: [{ key: 'other' }, { key, effect: 'NoSchedule' }] } }).deleting).toBe(true);
    },
  );

  test.each(['node.kubernetes.io/unschedulable', 'DeletionCandidateOfClusterAutoscaler', 'lockkeeper.dev/outdated'])(
    'with the taint %s is not',
    (key) => {
      expect(nodeOf({ metadata, spec: { taints: [{ key }] } }).deleting).toBe(false);
    },
  );

  test('with a deletion timestamp is being deleted', () => {
    expect(nodeOf({ metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }).deleting).toBe(true);
  });

  const withRecord = (annotation: string) => nodeOf({ metadata: { ...metadata, annotations: { [ON_NODE.cordon]: annotation } } }).record;

  test('with our record', () => {
    expect(withRecord(JSON.stringify(aRecord('a')))).toEqual(aRecord('a'));
  });

  test.each<[string, string]>([
    ['empty', ''],
    ['no JSON', '{"policy":'],
    ['another value', '"yes"'],
    ['null', 'null'],
    ['without a claim', JSON.stringify({ ...aRecord('a'), claim: undefined })],
    ['with an empty claim', JSON.stringify({ ...aRecord('a'), claim: '' })],
    // A pass computes with these, for all nodes: a kubelet may write them on its own.
    ['with a deadline that is no time', JSON.stringify({ ...aRecord('a'), drainDeadline: 'soon' })],
    ['with a time that no calendar has', JSON.stringify({ ...aRecord('a'), at: '+275760-09-13T00:00:00Z' })],
    [
      'with a hook beyond all time',
      JSON.stringify({ ...aRecord('a'), hooks: [{ at: 'AfterReboot', namespace: 'h', name: 'x', timeoutMs: 9_000_000_000_000_000 }] }),
    ],
    ['with a timeout beyond all time', JSON.stringify({ ...aRecord('a'), rebootTimeoutMs: Number.MAX_SAFE_INTEGER })],
    ['of a wrong type', JSON.stringify({ ...aRecord('a'), minReadySeconds: 'ten' })],
  ])('with a record that is %s: unreadable, never absent', (_name, annotation) => {
    expect(withRecord(annotation)).toBe('unreadable');
  });

  test('a record of a newer version, with more in it, is read', () => {
    expect(withRecord(JSON.stringify({ ...aRecord('a'), laterField: ['x'] }))).toEqual(aRecord('a'));
  });

  const drain = { deleteEmptyDirData: true, force: false };
  const waits = aRecord('a', { drain: { ...drain, waitForVolumeDetach: true } });
  test.each<[string, CordonRecord | undefined, object | undefined, readonly string[] | undefined]>([
    ['of a drain that waits for them', waits, [{ name: 'vol-b', devicePath: '/dev/b' }, { name: 'vol-a' }], ['vol-a', 'vol-b']],
    ['of such a drain, where there are none', waits, undefined, []],
    ['of a drain that does not wait', aRecord('a', { drain }), [{ name: 'vol-a' }], undefined],
    ['of a node without our record', undefined, [{ name: 'vol-a' }], undefined],
  ])('has the volumes %s', (_, record, volumesAttached, seen) => {
    const annotations = record === undefined ? {} : { [ON_NODE.cordon]: JSON.stringify(record) };
    const view = nodeOf({ metadata: { ...metadata, annotations }, status: { volumesAttached } });
    expect(view.volumesAttached).toEqual(seen);
  });

  test('that is none is refused', () => {
    expect(() => nodeOf({ metadata: { name: 'a' } })).toThrow();
    expect(() => nodeOf(null)).toThrow();
  });
});

describe('a Pod', () => {
  const podMetadata = { name: 'web-1', namespace: 'shop', uid: 'uid-1', resourceVersion: '3' };

  test('with everything', () => {
    const raw = {
      metadata: {
        ...podMetadata,
        labels: { app: 'web' },
        annotations: { 'kubernetes.io/config.mirror': 'hash' },
        deletionTimestamp: '2026-01-01T00:00:00Z',
        ownerReferences: [
          { apiVersion: 'v1', kind: 'Other', name: 'no-controller' },
          { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', controller: true },
        ],
      },
      spec: {
        nodeName: 'a',
        volumes: [
          { name: 'x', configMap: {} },
          { name: 'tmp', emptyDir: {} },
        ],
      },
      status: {
        phase: 'Running',
        conditions: [
          { type: 'Initialized', status: 'True' },
          { type: 'Ready', status: 'True' },
        ],
      },
    };
    expect(podOf(raw)).toEqual({
      namespace: 'shop',
      name: 'web-1',
      uid: 'uid-1',
      labels: { app: 'web' },
      controller: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web' },
      phase: 'Running',
      ready: true,
      terminating: true,
      goneBy: '2026-01-01T00:00:00Z',
      mirror: true,
      emptyDir: true,
      node: 'a',
    });
  });

  test.each<[string, object, object]>([
    ['system-cluster-critical', { priorityClassName: 'system-cluster-critical' }, { critical: 'cluster' }],
    ['system-node-critical', { priorityClassName: 'system-node-critical' }, { critical: 'node' }],
    ['of a priority class of somebody’s own', { priorityClassName: 'gold' }, {}],
    ['tolerates everything', { tolerations: [{ operator: 'Exists' }] }, { toleratesCordon: true }],
    [
      'tolerates the cordon',
      { tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' }] },
      { toleratesCordon: true },
    ],
    [
      'tolerates the cordon’s taint by its empty value',
      { tolerations: [{ key: 'node.kubernetes.io/unschedulable' }] },
      { toleratesCordon: true },
    ],
    [
      'tolerates another effect of it',
      { tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoExecute' }] },
      {},
    ],
    ['tolerates another taint', { tolerations: [{ key: 'gpu', operator: 'Exists' }] }, {}],
    ['tolerates nothing', { tolerations: null }, {}],
  ])('%s', (_name, spec, expected) => {
    const { critical, toleratesCordon } = podOf({ metadata: podMetadata, spec });
    expect({ ...(critical && { critical }), ...(toleratesCordon && { toleratesCordon }) }).toEqual(expected);
  });

  test.each<[Record<string, string>, string | undefined]>([
    [{ 'karpenter.sh/do-not-disrupt': 'true' }, 'karpenter.sh/do-not-disrupt'],
    [{ 'karpenter.sh/do-not-disrupt': 'false' }, undefined],
    [{ 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' }, 'cluster-autoscaler.kubernetes.io/safe-to-evict'],
    [{ 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'true' }, undefined],
  ])('annotated %j', (annotations, expected) => {
    expect(podOf({ metadata: { ...podMetadata, annotations }, spec: {} }).doNotDisrupt).toBe(expected);
  });

  test('with hardly anything: unbound, without a controller, of unknown phase', () => {
    expect(podOf({ metadata: podMetadata, spec: {} })).toEqual({
      namespace: 'shop',
      name: 'web-1',
      uid: 'uid-1',
      labels: {},
      phase: 'Unknown',
      ready: false,
      terminating: false,
      mirror: false,
      emptyDir: false,
      node: '',
    });
  });

  test('other containers are told apart, in whatever order they are listed; none is told from none', () => {
    const ran = (...ids: (string | undefined)[]) =>
      podOf({
        metadata: podMetadata,
        spec: {},
        status: { containerStatuses: ids.map((containerID) => (containerID === undefined ? {} : { containerID })) },
      }).containers;
    expect(ran('containerd://a', 'containerd://b')).toBe(ran('containerd://b', 'containerd://a'));
    expect(ran('containerd://a', 'containerd://c')).not.toBe(ran('containerd://a', 'containerd://b'));
    expect(ran('containerd://a')).toMatch(/^[0-9a-f]{12}$/);
    expect([ran(), ran(undefined), ran('')]).toEqual([undefined, undefined, undefined]);
  });

  test.each<[string, unknown, boolean]>([
    ['null', null, false],
    ['no', undefined, false],
    ['empty', [], false],
    ['other', [{ name: 'x', hostPath: { path: '/' } }], false],
    ['null emptyDir', [{ name: 'x', emptyDir: null }], false],
    ['emptyDir in memory', [{ name: 'x', emptyDir: { medium: 'Memory' } }], true],
  ])('with %s volumes', (_name, volumes, emptyDir) => {
    expect(podOf({ metadata: podMetadata, spec: { volumes } }).emptyDir).toBe(emptyDir);
  });

  const claim = { name: 'data', persistentVolumeClaim: { claimName: 'data' } };
  test.each<[string, object[], number | undefined]>([
    ['no', [], undefined],
    ['a claim’s', [claim], 1],
    [
      'an ephemeral claim’s and an old driver’s',
      [
        { name: 'a', ephemeral: {} },
        { name: 'b', awsElasticBlockStore: { volumeID: 'v' } },
      ],
      2,
    ],
    [
      'only such as are never attached',
      [
        { name: 'a', emptyDir: {} },
        { name: 'b', hostPath: { path: '/' } },
        { name: 'c', configMap: {} },
        { name: 'd', csi: { driver: 'd' } },
      ],
      undefined,
    ],
    ['both', [{ name: 'token', projected: {} }, claim], 1],
  ])('with %s volumes that may be attached', (_name, volumes, attachable) => {
    expect(podOf({ metadata: podMetadata, spec: { volumes } }).attachable).toBe(attachable);
  });

  test('an owner that does not control it is no controller', () => {
    const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', controller: false }];
    expect(podOf({ metadata: { ...podMetadata, ownerReferences }, spec: {} })).not.toHaveProperty('controller');
  });
});

describe('our kinds', () => {
  const owned = { ...metadata, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'node-uid' }] };

  test('a NodeUpdate without a status, of its Node', () => {
    expect(nodeUpdateOf({ metadata: owned })).toEqual({ nodeUID: 'node-uid', resourceVersion: '7', annotations: {}, status: {} });
  });

  test('a NodeUpdate that no Node owns belongs to none', () => {
    expect(nodeUpdateOf({ metadata, status: { phase: 'Staged' } })).toMatchObject({ nodeUID: '', status: { phase: 'Staged' } });
    const byOther = { ...metadata, ownerReferences: [{ kind: 'ConfigMap', name: 'a', uid: 'x' }] };
    expect(nodeUpdateOf({ metadata: byOther }).nodeUID).toBe('');
  });

  test('only our annotations are kept', () => {
    const annotations = { 'lockkeeper.dev/retry': '1', 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
    expect(nodeUpdateOf({ metadata: { ...owned, annotations } }).annotations).toEqual({ 'lockkeeper.dev/retry': '1' });
  });

  test('a NodeHost with its order and its answer', () => {
    const order = { id: 'o', action: 'Stage', version: '1.26.1' };
    const status = { version: '1.26.0', answer: { id: 'o', state: 'Running', startedAt: '2026-01-01T00:00:00Z' } };
    expect(nodeHostOf({ metadata: owned, spec: { refreshInterval: '1m', order }, status })).toEqual({
      nodeUID: 'node-uid',
      resourceVersion: '7',
      annotations: {},
      spec: { refreshInterval: '1m', ignoreWaves: false, order },
      status,
    });
    expect(nodeHostOf({ metadata: owned })).toMatchObject({ spec: { refreshInterval: '1h' }, status: {} });
  });

  test('a NodeHost whose status lies out of the schema is refused, so that its last good state stays', () => {
    expect(() => nodeHostOf({ metadata: owned, status: { answer: { id: 'o', state: 'Sleeping', startedAt: 'x' } } })).toThrow();
  });

  test('an UpdatePolicy with its defaults', () => {
    const policy = policyOf({ metadata: { ...metadata, generation: 3, deletionTimestamp: '2026-01-01T00:00:00Z' }, spec: {} });
    expect(policy).toMatchObject({ name: 'a', uid: 'uid-a', generation: 3, deleting: true, status: {}, annotations: {} });
    expect(policy.spec).toMatchObject({ paused: false, approval: 'Automatic', rollout: { maxUnavailable: 1 }, drain: { timeout: '30m' } });
    expect(policyOf({ metadata })).toMatchObject({ generation: 0, deleting: false, spec: { priority: 0 } });
  });
});

describe('who set the annotation urgent', () => {
  const entry = (manager: string, time: string, name = 'lockkeeper.dev/urgent') => ({
    manager,
    time,
    fieldsV1: { 'f:metadata': { 'f:annotations': { [`f:${name}`]: {} } } },
  });
  const annotations = { 'lockkeeper.dev/urgent': '1.26.1' };
  const first = entry('kubectl-annotate', '2026-01-01T00:00:00Z');

  test.each([
    ['the program that did, and when', [{ manager: 'helm' }, first], 'kubectl-annotate at 2026-01-01T00:00:00Z'],
    ['the last of several', [entry('argocd', '2026-01-02T00:00:00Z'), first], 'argocd at 2026-01-02T00:00:00Z'],
    ['nobody who set another', [entry('helm', '2026-01-01T00:00:00Z', 'lockkeeper.dev/paused')], undefined],
    ['nobody, where the API server does not tell', undefined, undefined],
    ['nobody, where it cannot be read', [{ manager: 7 }], undefined],
  ])('%s', (_, managedFields, expected) => {
    const raw = { metadata: { ...metadata, annotations, managedFields } };
    for (const view of [nodeOf(raw), policyOf(raw), nodeUpdateOf(raw)]) expect(view.urgentBy).toBe(expected);
    expect(nodeOf({ metadata: { ...metadata, managedFields } }).urgentBy).toBeUndefined();
  });
});

describe('a budget', () => {
  const budgetMetadata = { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1' };

  test('that was not looked at yet allows nothing', () => {
    expect(budgetOf({ metadata: budgetMetadata, spec: {} })).toEqual({
      namespace: 'shop',
      name: 'web',
      selector: undefined,
      observed: false,
      disruptionsAllowed: 0,
      currentHealthy: 0,
      desiredHealthy: 0,
      expectedPods: 0,
    });
  });

  test.each([
    ['whose spec its controller has not seen yet allows nothing', 1, 0],
    ['whose spec it has seen allows what it says', 2, 3],
  ])('%s', (_name, observedGeneration, wanted) => {
    const status = { disruptionsAllowed: 3, currentHealthy: 3, desiredHealthy: 0, observedGeneration };
    const spec = { unhealthyPodEvictionPolicy: 'AlwaysAllow' };
    expect(budgetOf({ metadata: { ...budgetMetadata, generation: 2 }, spec, status })).toMatchObject({
      disruptionsAllowed: wanted,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    });
  });

  test('that cannot be computed says why', () => {
    const conditions = [{ type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed', message: 'found no controllers' }];
    const status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, conditions };
    expect(budgetOf({ metadata: budgetMetadata, spec: {}, status })).toMatchObject({ syncFailed: 'found no controllers' });
    const allowed = { ...status, conditions: [{ type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods' }] };
    expect(budgetOf({ metadata: budgetMetadata, spec: {}, status: allowed })).not.toHaveProperty('syncFailed');
  });

  test('with its numbers; no selector and a null one select nothing, an empty one is kept', () => {
    const status = { disruptionsAllowed: 1, currentHealthy: 3, desiredHealthy: 2, expectedPods: 3, observedGeneration: 1 };
    expect(budgetOf({ metadata: budgetMetadata, spec: { selector: {} }, status })).toMatchObject({ selector: {}, disruptionsAllowed: 1 });
    expect(budgetOf({ metadata: budgetMetadata, spec: { selector: null }, status }).selector).toBeUndefined();
  });
});

describe("the agents' limit", () => {
  test.each<[string, object, boolean]>([
    ['by default', {}, true],
    ['explicitly', { failurePolicy: 'Fail' }, true],
    ['not', { failurePolicy: 'Ignore' }, false],
  ])('fails closed %s', (_name, spec, wanted) => expect(failsClosed({ spec })).toBe(wanted));

  test.each<[string, object, boolean]>([
    ['of it that denies', { policyName: 'lockkeeper-agent', validationActions: ['Deny'] }, true],
    ['of it that denies and audits', { policyName: 'lockkeeper-agent', validationActions: ['Audit', 'Deny'] }, true],
    ['of it that only warns', { policyName: 'lockkeeper-agent', validationActions: ['Warn'] }, false],
    ['of it without actions', { policyName: 'lockkeeper-agent' }, false],
    ['of another', { policyName: 'other', validationActions: ['Deny'] }, false],
  ])('a binding %s', (_name, spec, wanted) => expect(denies({ spec }, 'lockkeeper-agent')).toBe(wanted));
});
