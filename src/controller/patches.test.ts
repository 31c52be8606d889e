import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KEEP_NODE_ANNOTATIONS, ON_NODE } from '../api/names.ts';
import { aNode, aRecord } from '../core/testing/builders.ts';
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

type Prior = ReturnType<typeof aRecord>['prior'];
const recordOf = (unschedulable: boolean, annotations: Prior['annotations']) => aRecord('a', { prior: { unschedulable, annotations } });

describe('cordon', () => {
  test('and record come in one patch, under the resourceVersion that was seen', () => {
    const record = aRecord('a');
    expect(cordonPatch(aNode('a', { resourceVersion: '7' }), record, KEEP_NODE_ANNOTATIONS)).toEqual({
      metadata: { resourceVersion: '7', annotations: { ...KEEP_NODE_ANNOTATIONS, [ON_NODE.cordon]: JSON.stringify(record) } },
      spec: { unschedulable: true },
    });
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

  test('a record that names what is not ours changes nothing there', () => {
    const { annotations } = patchOf({}, recordOf(false, { 'example.com/other': 'x', 'example.com/absent': null })).metadata;
    expect(Object.keys(annotations)).toEqual([ON_NODE.cordon, ON_NODE.fence]);
  });

  test.each([true, false])('a node that was cordoned before ours is left as it is (cordoned: %s)', (unschedulable) => {
    expect(patchOf({}, recordOf(true, {}), unschedulable).spec).toBeUndefined();
  });

  test('cordoned and uncordoned, a node is as it was', () => {
    const annotation = fc.option(fc.constantFrom('true', 'false', ''), { nil: undefined });
    fc.assert(
      fc.property(fc.boolean(), annotation, annotation, (unschedulable, autoscaler, karpenter) => {
        const annotations = Object.fromEntries(
          Object.entries({ [AUTOSCALER]: autoscaler, [KARPENTER]: karpenter, 'example.com/a': 'b' }).filter(
            ([, value]) => value !== undefined,
          ),
        ) as Record<string, string>;
        const before = { metadata: { annotations }, spec: unschedulable ? { unschedulable } : {} };
        const record = recordOf(unschedulable, { [AUTOSCALER]: autoscaler ?? null, [KARPENTER]: karpenter ?? null });
        const node = aNode('a', { annotations, unschedulable });
        const cordoned = applied(before, cordonPatch(node, record, KEEP_NODE_ANNOTATIONS)) as typeof before;
        expect(cordoned.spec).toEqual({ unschedulable: true });
        const after = aNode('a', { annotations: cordoned.metadata.annotations, unschedulable: true });
        const restored = applied(cordoned, uncordonPatch(after, record)) as typeof before;
        expect(restored.spec).toEqual(before.spec);
        expect(restored.metadata.annotations).toEqual({ ...annotations, [ON_NODE.fence]: record.claim });
      }),
    );
  });
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
