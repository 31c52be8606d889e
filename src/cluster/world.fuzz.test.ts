import { describe, expect } from '@jest/globals';
import * as fc from 'fast-check';
import * as z from 'zod/mini';
import { BY_HAND, ON_NODE } from '../api/names.ts';
import { nodeUpdateStatusSchema } from '../api/node-update.ts';
import { updatePolicySchema } from '../api/update-policy.ts';
import { decide } from '../core/decide.ts';
import { aRecord, NOW } from '../core/testing/builders.ts';
import { crdSchema, partOf, valuesOf } from '../testing/crd-values.ts';
import { fuzz } from '../testing/fuzz.ts';
import { hostileStrings, type Json, spoilt } from '../testing/hostile-values.ts';
import { gather, type Objects } from './gather.ts';
import { nodeHostOf, nodeOf, nodeUpdateOf, policyOf } from './views.ts';

/** One of them as long as a name may be. */
const names = ['a', 'b'.repeat(253), 'c'];
type Fields = { [name: string]: Json };

const labels = { 'topology.kubernetes.io/zone': 'z', app: 'web' };
const meta = (name: string, annotations: Json, owner?: string): Fields => ({
  name,
  uid: `uid-${name}`,
  resourceVersion: '1',
  generation: 1,
  labels,
  annotations,
  ...(owner !== undefined && { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: owner, uid: `uid-${owner}` }] }),
});

/** A record as our cordon leaves it. */
const RECORD: Fields = JSON.parse(JSON.stringify(aRecord('a'))) as Fields;

const byHand = fc.dictionary(fc.constantFrom(...Object.values(BY_HAND)), hostileStrings, { maxKeys: 3 });
const onNode = fc.tuple(byHand, fc.option(spoilt(RECORD)), fc.option(hostileStrings)).map(([asked, record, fence]) => ({
  ...asked,
  ...(record !== null && { [ON_NODE.cordon]: JSON.stringify(record) }),
  ...(fence !== null && { [ON_NODE.fence]: fence }),
}));

const hostStatus = valuesOf(partOf(crdSchema('nodehosts'), 'status'));
const updateStatus = valuesOf(partOf(crdSchema('nodeupdates'), 'status'));
const policySpec = valuesOf(partOf(crdSchema('updatepolicies'), 'spec'));
const policyStatus = valuesOf(partOf(crdSchema('updatepolicies'), 'status'));
const likely = { version: '1.26.0', bootID: 'boot-1', available: ['1.26.1', '1.26.0'], agentVersion: '0.1.0' };

const node = fc.record({
  annotations: onNode,
  unschedulable: fc.boolean(),
  ready: fc.boolean(),
  bootID: fc.oneof(fc.constantFrom('boot-1', 'boot-2', ''), hostileStrings),
  version: fc.constantFrom('1.26.0', '1.26.1', '1.27.0'),
  // What only its kubelet has to answer for.
  variant: fc.oneof({ weight: 9, arbitrary: fc.constant('aws-k8s-1.31') }, hostileStrings),
  architecture: fc.oneof({ weight: 9, arbitrary: fc.constant('amd64') }, hostileStrings),
  providerID: fc.oneof(fc.constantFrom('i-1', 'i-2'), hostileStrings),
  host: fc.option(
    fc.oneof(
      hostStatus,
      hostStatus.map((status) => ({ ...(status as Fields), ...likely })),
    ),
  ),
  update: fc.option(updateStatus),
  asked: byHand,
});

const world = fc
  .record({
    nodes: fc.array(node, { minLength: 1, maxLength: 3 }),
    spec: fc.oneof(fc.constant<Json>({}), policySpec),
    status: fc.oneof(fc.constant<Json>({}), policyStatus),
    annotations: byHand,
    guarded: fc.boolean(),
  })
  .map(({ nodes, spec, status, annotations, guarded }) => {
    const all = nodes.map((one, index) => ({ name: names[index] ?? '', ...one }));
    return {
      nodes: all.map(({ name, annotations: on, unschedulable, ready, bootID, version, variant, architecture, providerID }) => ({
        metadata: { ...meta(name, on), creationTimestamp: '2026-01-01T00:00:00Z' },
        spec: { unschedulable, providerID },
        status: {
          conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-03-01T11:00:00Z' }],
          nodeInfo: { bootID, osImage: `Bottlerocket OS ${version} (${variant})`, architecture, systemUUID: 'u' },
        },
      })),
      policies: [{ metadata: meta('default', annotations), spec, status }],
      updates: all.flatMap(({ name, update, asked }) => (update === null ? [] : [{ metadata: meta(name, asked, name), status: update }])),
      hosts: all.flatMap(({ name, host }) => (host === null ? [] : [{ metadata: meta(name, {}, name), spec: {}, status: host }])),
      guarded,
    };
  });

/** What the watches would give, without what cannot be read. */
function itemsOf<T>(raw: readonly { metadata: Fields }[], project: (object: unknown) => T): { items: Map<string, T> } {
  const read = raw.flatMap((object) => {
    try {
      return [[String(object.metadata['name']), project(object)] as const];
    } catch (error) {
      if (!(error instanceof z.core.$ZodError)) throw error;
      return [];
    }
  });
  return { items: new Map(read) };
}

describe('whatever the API server lets anybody write', () => {
  fuzz('is decided upon, and the decision can be written', world, ({ nodes, policies, updates, hosts, guarded }) => {
    const none = { items: new Map() };
    const objects: Objects = {
      nodes: itemsOf(nodes, nodeOf),
      policies: itemsOf(policies, policyOf),
      nodeUpdates: itemsOf(updates, nodeUpdateOf),
      nodeHosts: itemsOf(hosts, nodeHostOf),
      budgets: none,
      daemonSets: none,
      ownPods: none,
      guardPolicy: { items: new Map([['a', guarded]]) },
      guardBinding: { items: new Map([['a', guarded]]) },
    };
    const input = {
      self: undefined,
      retry: { baseMs: 1_000, maxMs: 60_000 },
      kubernetes: undefined,
      prometheusHosts: [],
      hookNamespaces: ['hooks'],
    };
    const seen = gather({ ...input, objects, pods: new Map(), blockedPods: new Map(), jobs: new Map(), checks: new Map() });
    const decision = decide(seen, NOW);
    for (const { status } of decision.nodes) {
      expect(z.safeParse(nodeUpdateStatusSchema, status).error?.issues ?? []).toEqual([]);
      expect(status.reason).toEqual(expect.any(String));
      expect(JSON.stringify(status).length).toBeLessThan(200_000);
    }
    for (const { status } of decision.policies) {
      expect(z.safeParse(updatePolicySchema.shape.status, status).error?.issues ?? []).toEqual([]);
      expect(JSON.stringify(status).length).toBeLessThan(900_000);
    }
    expect(() => JSON.stringify(decision)).not.toThrow();
  });
});
