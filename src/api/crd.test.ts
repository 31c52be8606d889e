import { describe, expect, test } from '@jest/globals';
import * as z from 'zod/mini';
import { customResourceDefinition, kindDefinitions, SchemaError, type StructuralSchema, structural } from './crd.ts';
import { nodeHostSpecSchema } from './node-host.ts';
import { field } from './primitives.ts';
import { updatePolicySpecSchema } from './update-policy.ts';

type Visit = { path: string; schema: StructuralSchema };

function* walk(schema: StructuralSchema, path: string): Generator<Visit> {
  yield { path, schema };
  for (const [name, child] of Object.entries(schema.properties ?? {})) yield* walk(child, `${path}.${name}`);
  if (schema.items) yield* walk(schema.items, `${path}[]`);
  if (schema.additionalProperties) yield* walk(schema.additionalProperties, `${path}{}`);
}

const definitions = kindDefinitions.map((definition) => ({
  name: definition.kind.kind,
  definition,
  crd: customResourceDefinition(definition),
}));
const versionOf = (crd: ReturnType<typeof customResourceDefinition>) => crd.spec.versions[0]!;
const schemaOf = (crd: ReturnType<typeof customResourceDefinition>): StructuralSchema => versionOf(crd).schema.openAPIV3Schema;
const visits = definitions.flatMap(({ name, crd }) => [...walk(schemaOf(crd), name)]);

/** What the API server adds to an object that says nothing (its own rule: only into objects that are there). */
function withDefaults(schema: StructuralSchema, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !schema.properties) return value;
  const result: Record<string, unknown> = { ...value };
  for (const [name, child] of Object.entries(schema.properties)) {
    if (result[name] === undefined && child.default !== undefined) result[name] = structuredClone(child.default);
    if (result[name] !== undefined) result[name] = withDefaults(child, result[name]);
  }
  return result;
}

describe('every kind', () => {
  test.each(definitions)('$name is cluster-scoped, has a status subresource and columns that lead to fields', ({ crd }) => {
    expect(crd.spec.scope).toBe('Cluster');
    expect(versionOf(crd).subresources).toEqual({ status: {} });
    for (const { jsonPath } of versionOf(crd).additionalPrinterColumns) {
      const [path = ''] = jsonPath.split('[?');
      const names = path.split('.').slice(1);
      if (names[0] === 'metadata') continue;
      let at: StructuralSchema | undefined = schemaOf(crd);
      for (const name of names) at = at?.properties?.[name];
      expect({ jsonPath, found: at !== undefined }).toEqual({ jsonPath, found: true });
    }
  });

  test('only a NodeUpdate has no spec', () => {
    const without = definitions.filter(({ crd }) => !schemaOf(crd).properties?.['spec']).map(({ name }) => name);
    expect(without).toEqual(['NodeUpdate']);
  });
});

describe('the structural rules', () => {
  test('a field has one type, or is an integer or a string', () => {
    const wrong = visits.filter(({ schema }) => (schema.type === undefined) !== (schema['x-kubernetes-int-or-string'] === true));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test('nothing is said that a CRD cannot say', () => {
    const allowed =
      /^(type|description|default|enum|pattern|minLength|maxLength|minimum|maximum|maxItems|required|properties|items|additionalProperties|x-kubernetes-.+)$/;
    const wrong = visits.flatMap(({ path, schema }) =>
      Object.keys(schema)
        .filter((key) => !allowed.test(key))
        .map((key) => `${path}: ${key}`),
    );
    expect(wrong).toEqual([]);
  });

  test('no bound is merely the largest safe integer', () => {
    const wrong = visits.filter(({ schema }) => [schema.minimum, schema.maximum].some((n) => n !== undefined && Math.abs(n) > 2 ** 52));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test('every text and every list is bounded', () => {
    const wrong = visits.filter(
      ({ path, schema }) =>
        path.includes('.') &&
        !/\.(apiVersion|kind)$/.test(path) &&
        ((schema.type === 'string' && schema.maxLength === undefined && schema.enum === undefined) ||
          (schema.type === 'array' && schema.maxItems === undefined)),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test('what CEL looks at is there', () => {
    const wrong = visits.flatMap(({ path, schema }) =>
      (schema['x-kubernetes-validations'] ?? []).flatMap(({ rule, fieldPath }) => {
        const names = [...rule.matchAll(/self\.([a-zA-Z]+)/g)].map(([, name = '']) => name);
        if (fieldPath !== undefined) names.push(fieldPath.slice(1));
        return names.filter((name) => !schema.properties?.[name]).map((name) => `${path}.${name}`);
      }),
    );
    expect(wrong).toEqual([]);
    expect(visits.filter(({ schema }) => schema['x-kubernetes-validations']).length).toBeGreaterThan(5);
  });

  test('what is required has no default', () => {
    const wrong = visits.flatMap(({ path, schema }) =>
      (schema.required ?? []).filter((name) => schema.properties?.[name]?.default !== undefined).map((name) => `${path}.${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test('conditions are a map by type', () => {
    const conditions = visits.filter(({ path }) => path.endsWith('.status.conditions'));
    expect(conditions.map(({ path }) => path)).toEqual(['UpdatePolicy.status.conditions', 'NodeUpdate.status.conditions']);
    for (const { schema } of conditions) {
      expect(schema).toMatchObject({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });
    }
  });

  test('kubectl explain has a word on every field that people write or read', () => {
    const wrong = visits.filter(
      ({ path, schema }) =>
        /^\w+\.(spec(\.|$)|status(\.\w+)?$)/.test(path) && !/matchExpressions\[\]|\{\}$/.test(path) && !schema.description,
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe('defaults', () => {
  test.each([
    ['UpdatePolicy', updatePolicySpecSchema],
    ['NodeHost', nodeHostSpecSchema],
  ] as const)('%s: the API server sets what the zod schema sets', (name, schema) => {
    const { crd } = definitions.find((definition) => definition.name === name)!;
    const empty = { spec: z.parse(schema as z.ZodMiniType, {}) };
    expect(withDefaults(schemaOf(crd), {})).toEqual(empty);
    expect(withDefaults(schemaOf(crd), { spec: {} })).toEqual(empty);
  });

  test('a default for a whole object equals the defaults of its fields', () => {
    const wrong = visits
      .filter(({ schema }) => schema.default !== undefined && schema.properties)
      .filter(({ schema }) => {
        return JSON.stringify(sorted(withDefaults(schema, {}))) !== JSON.stringify(sorted(withDefaults(schema, schema.default)));
      });
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe('a schema that no CRD can say is refused', () => {
  test.each([
    ['a union', z.object({ a: z.union([z.string(), z.boolean()]) }), /union/],
    ['a nullable field', z.object({ a: z.nullable(z.string()) }), /nullable|union/],
    ['a format', z.object({ a: z.iso.datetime() }), /format/],
  ])('%s', (_, schema, message) => {
    expect(() => structural(schema)).toThrow(SchemaError);
    expect(() => structural(schema)).toThrow(message);
  });

  test('but an integer or a string can be said', () => {
    const schema = z.object({ a: field(z.union([z.int(), z.string()]), 'A number or a percentage.', { intOrString: true }) });
    expect(structural(schema).properties?.['a']).toEqual({ description: 'A number or a percentage.', 'x-kubernetes-int-or-string': true });
  });

  test('a property may have the name of a keyword', () => {
    expect(structural(z.object({ rules: z.optional(z.boolean()) }))).toEqual({
      type: 'object',
      properties: { rules: { type: 'boolean' } },
    });
  });
});

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, child]) => [key, sorted(child)]),
  );
}
