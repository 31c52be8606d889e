import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

const chart = join(import.meta.dirname, '../charts/lockkeeper');
/** Helm's own, of which the chart reads nothing. */
const reserved = 'global';

interface Schema {
  description?: string;
  additionalProperties?: unknown;
  properties?: Record<string, Schema>;
}

let schema: Schema;
let values: unknown;
/** Rows of the README's table: a value's path, and what it says of its default. */
let documented: Map<string, string>;

beforeAll(async () => {
  const [readme, written, defaults] = await Promise.all(
    ['README.md', 'values.schema.json', 'values.yaml'].map((name) => readFile(join(chart, name), 'utf8')),
  );
  schema = JSON.parse(written ?? '') as Schema;
  values = parse(defaults ?? '');
  const table = (readme ?? '').slice((readme ?? '').indexOf('\n## Values'));
  documented = new Map([...table.matchAll(/^\| `([\w.]+)` \| (.*?) ?\| /gm)].map(([, name, cell]) => [name ?? '', cell ?? '']));
});

/** The schema's leaves: values that are not made of further named ones. */
function* leaves({ properties = {} }: Schema, above = ''): Generator<[path: string, schema: Schema]> {
  for (const [name, property] of Object.entries(properties)) {
    if (above === '' && name === reserved) continue;
    if (property.properties === undefined) yield [`${above}${name}`, property];
    else yield* leaves(property, `${above}${name}.`);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** All keys of the values, as deep as the schema names them. */
function* keys(value: unknown, at: Schema | undefined, above = ''): Generator<string> {
  if (!isObject(value) || at?.properties === undefined) yield above;
  else for (const [name, one] of Object.entries(value)) yield* keys(one, at.properties[name], above === '' ? name : `${above}.${name}`);
}

const valueAt = (path: string): unknown => path.split('.').reduce((at, name) => (isObject(at) ? at[name] : undefined), values);

describe('the values of the chart', () => {
  test('are the same in values.yaml, in values.schema.json and in the table of the README, in the same order', () => {
    const inSchema = [...leaves(schema)].map(([path]) => path);
    expect([...keys(values, schema)]).toEqual(inSchema);
    expect([...documented.keys()]).toEqual(inSchema);
  });

  test('have the defaults that the README names', () => {
    for (const [path, cell] of documented) {
      const [, code] = /^`([^`]*)`$/.exec(cell) ?? [];
      if (code !== undefined) expect({ path, value: parse(code) }).toEqual({ path, value: valueAt(path) });
    }
  });

  test('are described one by one, and none that is not named is taken', () => {
    const check = ({ properties, additionalProperties }: Schema, path: string) => {
      if (properties === undefined) return;
      expect({ path, additionalProperties }).toEqual({ path, additionalProperties: false });
      for (const [name, property] of Object.entries(properties)) {
        expect({ name, description: property.description }).toEqual({ name, description: expect.stringMatching(/.\.$/) });
        check(property, `${path}.${name}`);
      }
    };
    check(schema, 'values');
  });
});
