import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import * as z from 'zod/mini';
import { type Plan, type PolicyPlan, planSchema } from '../api/plan.ts';
import { renderPlan } from './render-plan.ts';

const plain = picocolors.createColors(false);

/** The plan that docs/plan.md shows, in its documented form: as the schema has it, field by field. */
const golden = (): Plan => z.parse(planSchema, JSON.parse(readFileSync(new URL('testing/plan.json', import.meta.url), 'utf8')));

test('a plan as people read it', () => {
  const text = readFileSync(new URL('testing/plan.txt', import.meta.url), 'utf8');
  expect(renderPlan(golden(), plain)).toBe(text);
});

test('the golden plan has every field that there is, and no other', () => {
  const raw: unknown = JSON.parse(readFileSync(new URL('testing/plan.json', import.meta.url), 'utf8'));
  expect(raw).toEqual(golden());
  expect(fieldsOf(planSchema).filter((field) => !has(raw, field.split('.')))).toEqual([]);
});

test('docs/plan.md names every field', () => {
  const text = readFileSync(new URL('../../docs/plan.md', import.meta.url), 'utf8');
  const names = new Set(fieldsOf(planSchema).map((field) => field.split('.').at(-1)));
  expect([...names].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

test('docs/plan.md names every warning and every assumption', () => {
  const text = readFileSync(new URL('../../docs/plan.md', import.meta.url), 'utf8');
  const { warnings, assumptions } = planSchema.shape;
  const names = [warnings, assumptions].flatMap((list) => list.def.element.shape.name.options);
  expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

test('docs/plan.md shows the golden plan', () => {
  const text = readFileSync(new URL('../../docs/plan.md', import.meta.url), 'utf8');
  expect(text).toContain(renderPlan(golden(), plain));
});

/** The paths of a schema's fields, through its lists. */
function fieldsOf(schema: z.ZodMiniType): string[] {
  interface Json {
    properties?: Record<string, Json>;
    items?: Json;
  }
  const walk = ({ properties = {}, items }: Json): string[] => [
    ...Object.entries(properties).flatMap(([name, one]) => [name, ...walk(one).map((rest) => `${name}.${rest}`)]),
    ...(items === undefined ? [] : walk(items)),
  ];
  return walk(z.toJSONSchema(schema) as Json);
}

function has(value: unknown, [name, ...rest]: readonly string[]): boolean {
  if (Array.isArray(value)) return value.some((one) => has(one, [name ?? '', ...rest]));
  if (name === undefined) return true;
  if (typeof value !== 'object' || value === null || !(name in value)) return false;
  return rest.length === 0 || has((value as Record<string, unknown>)[name], rest);
}

const aPolicyPlan = (change: Partial<PolicyPlan> = {}): PolicyPlan => ({
  name: 'workers',
  source: 'InCluster',
  timeZone: 'UTC',
  nodes: 2,
  upToDate: 2,
  targets: [],
  complete: true,
  steps: [],
  held: [],
  warnings: [],
  ...change,
});
const of = (...policies: PolicyPlan[]): Plan => ({ ...golden(), policies, assumptions: [], warnings: [] });

test.each([
  ['no policy', of(), 'No UpdatePolicy keeps nodes up to date here: `kubectl lockkeeper plan -f FILE` plans one.\n'],
  ['nothing to do', of(aPolicyPlan()), 'UpdatePolicy workers: 2 of 2 nodes up to date, nothing to do\n'],
  [
    'nothing that can be done',
    of(aPolicyPlan({ upToDate: 1, complete: false, held: [{ node: 'a', reason: 'Paused', message: 'the node is paused' }] })),
    'UpdatePolicy workers: 1 of 2 nodes up to date, 0 to update, 1 held\n  no node is begun as things stand\n\nNot updated as things stand:\n  a  Paused: the node is paused\n',
  ],
])('%s', (_, plan, text) => {
  expect(renderPlan(plan, plain)).toBe(text);
});

test('only a terminal gets colours', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
  const coloured = /\u001b\[/;
  expect(renderPlan(golden(), picocolors.createColors(true))).toMatch(coloured);
  expect(renderPlan(golden(), plain)).not.toMatch(coloured);
});
