import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CORDON_LABELS, KEEP_NODE_ANNOTATIONS, ON_NODE } from '../api/names.ts';
import { claimedStep } from '../core/claimed.ts';
import { factsOf, type Member } from '../core/facts.ts';
import { aClaim, aNode, aPolicy, aRecord, aRollout, aStagedNode, aWorld, NOW } from '../core/testing/builders.ts';
import type { NodeView } from '../core/world.ts';
import { cordonAgainPatch, cordonPatch, fencePatch, mergePatchBetween, orderPatch, uncordonPatch } from './patches.ts';

type Json = Record<string, unknown>;

/** RFC 7386, as the API server applies it. */
function applied(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Json = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...(target as Json) } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = applied(result[key], value);
  }
  return result;
}

const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('mergePatchBetween', () => {
  test.each<[string, Json, Json, Json | undefined]>([
    ['equal objects', { a: 1, b: { c: [1] } }, { a: 1, b: { c: [1] } }, undefined],
    ['two empty ones', {}, {}, undefined],
    ['a new field', { a: 1 }, { a: 1, b: 2 }, { b: 2 }],
    ['a changed field', { a: 1 }, { a: 2 }, { a: 2 }],
    ['a removed field', { a: 1, b: 2 }, { b: 2 }, { a: null }],
    ['a field that is set to undefined', { a: 1 }, { a: undefined }, { a: null }],
    ['a field that was undefined and still is', { a: undefined }, {}, undefined],
    ['a removed field within', { a: { b: 1, c: 2 } }, { a: { c: 2 } }, { a: { b: null } }],
    ['only undefined within', { a: { b: 1 } }, { a: { b: 1, c: undefined } }, undefined],
    ['an array, as a whole', { a: [1, 2, 3] }, { a: [1, 3] }, { a: [1, 3] }],
    ['an array emptied', { a: [1] }, { a: [] }, { a: [] }],
    ['an array of objects, as a whole', { a: [{ x: 1, y: 2 }] }, { a: [{ x: 1 }] }, { a: [{ x: 1 }] }],
    ['an object in place of a value', { a: 1 }, { a: { b: 2 } }, { a: { b: 2 } }],
    ['a value in place of an object', { a: { b: 2 } }, { a: 1 }, { a: 1 }],
    ['an object emptied', { a: { b: 2 } }, { a: {} }, { a: { b: null } }],
  ])('%s', (_name, before, after, patch) => {
    expect(mergePatchBetween(before, after)).toEqual(patch);
  });

  test('applied to the one it gives the other, and there is none just where they are equal', () => {
    // A status holds no null: no merge patch could write one.
    const json = fc.letrec<{ value: unknown; object: Json }>((tie) => ({
      value: fc.oneof({ maxDepth: 3 }, fc.boolean(), fc.integer(), fc.string(), fc.array(fc.integer()), tie('object')),
      object: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('value')) as fc.Arbitrary<Json>,
    })).object;
    fc.assert(
      fc.property(json, json, (before, after) => {
        const patch = mergePatchBetween(before, after);
        expect(overTheWire(applied(before, patch === undefined ? {} : overTheWire(patch)))).toEqual(overTheWire(after));
        expect(patch === undefined).toBe(JSON.stringify(sorted(before)) === JSON.stringify(sorted(after)));
      }),
      { numRuns: 500 },
    );
  });
});

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

const AUTOSCALER = 'cluster-autoscaler.kubernetes.io/scale-down-disabled';
const KARPENTER = 'karpenter.sh/do-not-disrupt';
const BALANCERS = 'node.kubernetes.io/exclude-from-external-load-balancers';

type Prior = ReturnType<typeof aRecord>['prior'];
const recordOf = (unschedulable: boolean, annotations: Prior['annotations'], labels: NonNullable<Prior['labels']> = {}) =>
  aRecord('a', { prior: { unschedulable, annotations, labels } });

describe('cordon', () => {
  test('and record come in one patch, under the resourceVersion that was seen', () => {
    const record = aRecord('a');
    const node = aNode('a', { resourceVersion: '7' });
    const annotations = { ...KEEP_NODE_ANNOTATIONS, [ON_NODE.cordon]: JSON.stringify(record) };
    const spec = { unschedulable: true };
    const metadata = { resourceVersion: '7', annotations };
    const cordon = { record, annotations: KEEP_NODE_ANNOTATIONS };
    expect(cordonPatch(node, { ...cordon, labels: {} })).toEqual({ metadata, spec });
    expect(cordonPatch(node, { ...cordon, labels: CORDON_LABELS })).toEqual({ metadata: { ...metadata, labels: CORDON_LABELS }, spec });
  });

  test('again touches nothing else', () => {
    expect(cordonAgainPatch(aNode('a', { resourceVersion: '7' }))).toEqual({
      metadata: { resourceVersion: '7' },
      spec: { unschedulable: true },
    });
  });

  test('a fence is the claim that was given up', () => {
    expect(fencePatch(aNode('a', { resourceVersion: '7' }), 'claim-1')).toEqual({
      metadata: { resourceVersion: '7', annotations: { [ON_NODE.fence]: 'claim-1' } },
    });
  });
});

describe('uncordon', () => {
  const patchOf = (annotations: Record<string, string>, record: ReturnType<typeof aRecord>, unschedulable = true) =>
    uncordonPatch(aNode('a', { resourceVersion: '7', annotations, unschedulable }), record) as {
      metadata: { resourceVersion: string; annotations: Record<string, string | null> };
      spec?: { unschedulable: null };
    };

  test('removes the record and leaves the fence, under the resourceVersion that was seen', () => {
    const { metadata, spec } = patchOf({}, recordOf(false, {}));
    expect(metadata).toEqual({ resourceVersion: '7', annotations: { [ON_NODE.cordon]: null, [ON_NODE.fence]: 'claim-a' } });
    expect(spec).toEqual({ unschedulable: null });
  });

  test.each<[string, string | null | undefined, string | undefined, string | null | undefined]>([
    ['absent before, still ours: removed', null, 'true', null],
    ['of another value before, still ours: put back', 'false', 'true', 'false'],
    ['empty before, still ours: put back', '', 'true', ''],
    ['the same before: left', 'true', 'true', undefined],
    ['set to something else since: left', null, 'false', undefined],
    ['removed since: left', 'false', undefined, undefined],
    ['not in the record: left', undefined, 'true', undefined],
  ])('an annotation %s', (_name, prior, now, wanted) => {
    const record = recordOf(false, prior === undefined ? {} : { [AUTOSCALER]: prior });
    const { annotations } = patchOf(now === undefined ? {} : { [AUTOSCALER]: now }, record).metadata;
    expect(annotations[AUTOSCALER]).toEqual(wanted);
    expect(annotations).not.toHaveProperty([KARPENTER]);
  });

  test.each<[string, string | null | undefined, string | undefined, string | null | undefined]>([
    ['absent before, still ours: removed', null, 'true', null],
    ['there before, as we would set it: left', 'true', 'true', undefined],
    ['there before, empty: left', '', '', undefined],
    ['there before, set to our value since: left', '', 'true', undefined],
    ['set to something else since: left', null, 'false', undefined],
    ['removed since: left', null, undefined, undefined],
    ['not in the record: left', undefined, 'true', undefined],
  ])('a label %s', (_name, prior, now, wanted) => {
    const record = recordOf(false, {}, prior === undefined ? {} : { [BALANCERS]: prior });
    const labels: Record<string, string> = now === undefined ? {} : { [BALANCERS]: now };
    const { metadata } = uncordonPatch(aNode('a', { labels, unschedulable: true }), record) as { metadata: { labels?: object } };
    expect(metadata.labels).toEqual(wanted === undefined ? undefined : { [BALANCERS]: wanted });
  });

  test('a record of an earlier version, which set no label, takes none away', () => {
    const record = aRecord('a', { prior: { unschedulable: false, annotations: {} } });
    expect(uncordonPatch(aNode('a', { labels: CORDON_LABELS }), record)).not.toHaveProperty('metadata.labels');
  });

  test('a record that names what is not ours changes nothing there', () => {
    const { annotations } = patchOf({}, recordOf(false, { 'example.com/other': 'x', 'example.com/absent': null })).metadata;
    expect(Object.keys(annotations)).toEqual([ON_NODE.cordon, ON_NODE.fence]);
  });

  test.each([true, false])('a node that was cordoned before ours is left as it is (cordoned: %s)', (unschedulable) => {
    expect(patchOf({}, recordOf(true, {}), unschedulable).spec).toBeUndefined();
  });

  test('cordoned and uncordoned, a node is as it was, but for what somebody else has changed meanwhile', () => {
    const value = fc.option(fc.constantFrom('true', 'false', ''), { nil: undefined });
    const values = (...names: string[]) => fc.record(Object.fromEntries(names.map((name) => [name, value]))).map(withoutAbsent);
    const annotations = values(AUTOSCALER, KARPENTER, 'example.com/a');
    const labels = values(BALANCERS, 'example.com/b');
    fc.assert(
      fc.property(fc.boolean(), annotations, labels, fc.option(annotations), fc.option(labels), (unschedulable, ...values) => {
        const [priorAnnotations, priorLabels, laterAnnotations, laterLabels] = values;
        const policy = aPolicy({ status: { claims: [aClaim('a')], rollouts: [aRollout()] } });
        const world = (claimed: NodeView) => aWorld({ nodes: [claimed], policies: [policy], pods: new Map([['a', []]]) });
        const before = { metadata: { annotations: priorAnnotations, labels: priorLabels }, spec: unschedulable ? { unschedulable } : {} };
        const node = aStagedNode('a', { annotations: priorAnnotations, labels: priorLabels });
        const facts = factsOf(policy, [node], world(node), NOW);
        const [cordon] = claimedStep(world(node), facts, facts.members[0] as Member, aClaim('a'), NOW).commands;
        if (cordon?.type !== 'Cordon') throw new Error(`no cordon but ${cordon?.type}`);
        const record = { ...cordon.record, prior: { ...cordon.record.prior, unschedulable } };
        const cordoned = applied(before, cordonPatch(node, { ...cordon, record })) as typeof before;
        expect(cordoned.spec).toEqual({ unschedulable: true });
        expect(cordoned.metadata.annotations).toMatchObject(KEEP_NODE_ANNOTATIONS);
        expect(Object.keys(cordoned.metadata.labels)).toContain(BALANCERS);

        const meddled = structuredClone(cordoned);
        if (laterAnnotations !== null) Object.assign(meddled.metadata, { annotations: laterAnnotations });
        if (laterLabels !== null) Object.assign(meddled.metadata, { labels: laterLabels });
        const seen = aNode('a', { ...meddled.metadata, unschedulable: true });
        const restored = applied(meddled, uncordonPatch(seen, record)) as typeof before;
        expect(restored.spec).toEqual(before.spec);
        const { [ON_NODE.fence]: fence, ...left } = restored.metadata.annotations;
        expect(fence).toBe(record.claim);
        expect(left).toEqual(expected(meddled.metadata.annotations, priorAnnotations, KEEP_NODE_ANNOTATIONS));
        const ours = BALANCERS in priorLabels ? {} : CORDON_LABELS;
        expect(restored.metadata.labels).toEqual(expected(meddled.metadata.labels, priorLabels, ours));
      }),
      { numRuns: 500 },
    );
  });

  type Values = Record<string, string>;
  const withoutAbsent = (values: object) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Values;

  /** What is still as we set it is as it was before us; all else as it is now. */
  function expected({ [ON_NODE.cordon]: _record, ...now }: Values, before: Values, ours: Readonly<Values>): Values {
    const put = Object.keys(ours).filter((name) => now[name] === ours[name]);
    return withoutAbsent({ ...now, ...Object.fromEntries(put.map((name) => [name, before[name]])) });
  }
});

describe('order', () => {
  test('replaces the one that lies there: what the new one has not, is removed', () => {
    expect(orderPatch('9', { id: 'claim-a.cancel', action: 'Cancel' })).toEqual({
      metadata: { resourceVersion: '9' },
      spec: { order: { id: 'claim-a.cancel', action: 'Cancel', version: null, bootID: null, ignoreWaves: null } },
    });
    const reboot = { id: 'claim-a.reboot', action: 'Reboot', version: '1.26.1', bootID: 'boot-1', ignoreWaves: true } as const;
    expect(orderPatch('9', reboot)).toMatchObject({ spec: { order: reboot } });
  });
});
