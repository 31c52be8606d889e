import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { hostileStrings, type Json } from './hostile-values.ts';

/** What of OpenAPI our CRDs use. */
export interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly 'x-kubernetes-int-or-string'?: boolean;
}

/** The schema of one of our kinds as its CRD has it: `nodehosts`. */
export function crdSchema(plural: string): Schema {
  const file = join(import.meta.dirname, '../../crds', `${plural}.lockkeeper.dev.yaml`);
  const crd = parse(readFileSync(file, 'utf8')) as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };
  const schema = crd.spec.versions[0]?.schema.openAPIV3Schema;
  if (schema === undefined) throw new Error(`${file} has no schema`);
  return schema;
}

/** Of a schema, a part by the names of its fields. */
export function partOf(schema: Schema, ...names: readonly string[]): Schema {
  return names.reduce((part, name) => {
    const next = part.properties?.[name];
    if (next === undefined) throw new Error(`the schema has no ${names.join('.')}`);
    return next;
  }, schema);
}

/** Whatever the API server would take for such a schema, CEL rules aside; strings are as hostile as it lets them be. */
export function valuesOf(schema: Schema): fc.Arbitrary<Json> {
  if (schema['x-kubernetes-int-or-string'] === true)
    return fc.oneof(fc.integer({ min: schema.minimum ?? 1, max: 2_147_483_647 }), fc.constantFrom('1%', '34%', '100%'));
  switch (schema.type) {
    case 'object':
      return objectsOf(schema);
    case 'array':
      return fc.array(valuesOf(schema.items ?? {}), { maxLength: Math.min(schema.maxItems ?? 3, 3) });
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -2_147_483_648, max: schema.maximum ?? 2_147_483_647 });
    case 'boolean':
      return fc.boolean();
    default:
      return stringsOf(schema);
  }
}

function objectsOf({ properties, required = [], additionalProperties }: Schema): fc.Arbitrary<Json> {
  if (properties === undefined)
    return fc.dictionary(hostileStrings, valuesOf(additionalProperties ?? {}), { maxKeys: 3 }) as fc.Arbitrary<Json>;
  const fields = Object.fromEntries(Object.entries(properties).map(([name, of]) => [name, valuesOf(of)]));
  return fc.record(fields, { requiredKeys: [...required] });
}

function stringsOf({ enum: choices, pattern, minLength = 0, maxLength = 300 }: Schema): fc.Arbitrary<Json> {
  if (choices !== undefined) return fc.constantFrom(...choices);
  const fits = (text: string): boolean => text.length >= minLength && text.length <= maxLength;
  if (pattern === undefined) return hostileStrings.map((text) => text.slice(0, maxLength)).filter(fits);
  const regex = new RegExp(pattern);
  return fc
    .oneof(fc.stringMatching(regex, { maxLength: Math.min(maxLength, 64) }), hostileStrings)
    .filter((text) => fits(text) && regex.test(text));
}
