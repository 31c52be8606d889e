import { en } from 'zod/locales';
import * as z from 'zod/mini';
import { type StructuralSchema, structural } from '../api/crd.ts';
import { durationMs } from '../api/primitives.ts';
import { updatePolicySpecSchema } from '../api/update-policy.ts';

/** What is wrong with one field. */
export interface Problem {
  /** Such as `spec.rollout.groups[0].name`. */
  field: string;
  message: string;
}

type Fields = Readonly<Record<string, unknown>>;

const has = (self: Fields, name: string): boolean => self[name] !== undefined && self[name] !== null;
const listOf = (self: Fields, name: string): readonly Fields[] => (Array.isArray(self[name]) ? self[name] : []);
const atLeastASecond = (name: string) => (self: Fields) => !has(self, name) || durationMs(String(self[name])) >= 1_000;

/** The CEL rules of an UpdatePolicy's spec, which only the API server evaluates, once more as functions: whether each holds. */
const RULES: Readonly<Record<string, (self: Fields) => boolean>> = {
  "!has(self.pin) || self.range == '*'": (self) => !has(self, 'pin') || self['range'] === '*',
  "duration(self.refreshInterval) >= duration('1s')": atLeastASecond('refreshInterval'),
  "duration(self.duration) >= duration('1s')": atLeastASecond('duration'),
  "duration(self.timeout) >= duration('1s')": atLeastASecond('timeout'),
  "!has(self.skipWaitForDeleteTimeout) || duration(self.skipWaitForDeleteTimeout) >= duration('1s')":
    atLeastASecond('skipWaitForDeleteTimeout'),
  'timestamp(self.from) < timestamp(self.to)': (self) => Date.parse(String(self['from'])) < Date.parse(String(self['to'])),
  'has(self.windows) ? size(self.windows) > 0 && !has(self.always) : has(self.always) && self.always': (self) =>
    has(self, 'windows') ? listOf(self, 'windows').length > 0 && !has(self, 'always') : self['always'] === true,
  'self.groups.all(a, self.groups.exists_one(b, b.name == a.name))': (self) => {
    const names = listOf(self, 'groups').map(({ name }) => name);
    return new Set(names).size === names.length;
  },
  "!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : !has(e.values) || size(e.values) == 0)":
    (self) =>
      listOf(self, 'matchExpressions').every(
        (one) => ['In', 'NotIn'].includes(String(one['operator'])) === listOf(one, 'values').length > 0,
      ),
  '!has(self.matchLabels) || size(self.matchLabels) <= 8': (self) => Object.keys((self['matchLabels'] as Fields) ?? {}).length <= 8,
  'has(self.namespaces) || has(self.selector)': (self) => has(self, 'namespaces') || has(self, 'selector'),
  'has(self.condition) != has(self.jsonPath)': (self) => has(self, 'condition') !== has(self, 'jsonPath'),
  'has(self.jsonPath) == has(self.value)': (self) => has(self, 'jsonPath') === has(self, 'value'),
  '(has(self.pods) ? 1 : 0) + (has(self.object) ? 1 : 0) + (has(self.prometheus) ? 1 : 0) == 1': (self) =>
    ['pods', 'object', 'prometheus'].filter((name) => has(self, name)).length === 1,
};

const specSchema = structural(updatePolicySpecSchema);

/** The rules of an UpdatePolicy's spec that cannot be evaluated here: none. */
export const unknownRules = (): string[] => rulesOf(specSchema).filter((rule) => RULES[rule] === undefined);

function rulesOf(schema: StructuralSchema): string[] {
  const within = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  return [
    ...(schema['x-kubernetes-validations'] ?? []).map(({ rule }) => rule),
    ...within.flatMap((one) => (one === undefined ? [] : rulesOf(one))),
  ];
}

/** Reads a spec as the API server would, defaults included: the spec, or what is wrong with it, field by field. */
export function readSpec(raw: unknown): { spec: z.infer<typeof updatePolicySpecSchema> } | { problems: Problem[] } {
  const unknown = unknownFields(specSchema, raw, 'spec');
  const parsed = z.safeParse(updatePolicySpecSchema, raw ?? {}, { error: en().localeError });
  if (!parsed.success) return { problems: [...unknown, ...parsed.error.issues.map(problemOf)] };
  const problems = [...unknown, ...brokenRules(specSchema, parsed.data, 'spec')];
  return problems.length > 0 ? { problems } : { spec: parsed.data };
}

/** The API server drops such a field without a word, and kubectl only warns. */
function unknownFields(schema: StructuralSchema, value: unknown, field: string): Problem[] {
  return walk(schema, value, field, (at, self, path) => {
    const { properties } = at;
    if (properties === undefined) return [];
    return Object.keys(self)
      .filter((name) => !(name in properties))
      .map((name) => ({ field: `${path}.${name}`, message: `there is no such field; ${path} has ${Object.keys(properties).join(', ')}` }));
  });
}

function brokenRules(schema: StructuralSchema, value: unknown, field: string): Problem[] {
  return walk(schema, value, field, (at, self, path) =>
    (at['x-kubernetes-validations'] ?? [])
      .filter(({ rule }) => RULES[rule]?.(self) === false)
      .map(({ message, fieldPath = '' }) => ({ field: `${path}${fieldPath}`, message })),
  );
}

function walk(
  schema: StructuralSchema,
  value: unknown,
  path: string,
  look: (schema: StructuralSchema, self: Fields, path: string) => Problem[],
): Problem[] {
  const { items, properties = {}, additionalProperties } = schema;
  if (Array.isArray(value)) return items === undefined ? [] : value.flatMap((one, index) => walk(items, one, `${path}[${index}]`, look));
  if (typeof value !== 'object' || value === null) return [];
  const within = Object.entries(value).flatMap(([name, one]) => {
    const of = properties[name] ?? additionalProperties;
    return of === undefined ? [] : walk(of, one, `${path}.${name}`, look);
  });
  return [...look(schema, value as Fields, path), ...within];
}

function problemOf(issue: z.core.$ZodIssue): Problem {
  const path = ['spec', ...issue.path];
  const field = path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  );
  const described = descriptionOf(path.slice(1));
  return { field, message: `${issue.message}${described === undefined ? '' : ` (${described})`}` };
}

function descriptionOf(path: readonly PropertyKey[]): string | undefined {
  let schema: StructuralSchema | undefined = specSchema;
  for (const key of path)
    schema = typeof key === 'number' ? schema?.items : (schema?.properties?.[String(key)] ?? schema?.additionalProperties);
  return schema?.description;
}
