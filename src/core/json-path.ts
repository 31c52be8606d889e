/** One step of a path: into a field, to an element (from the end where negative), or to the elements whose field is a text. */
export type Step = { field: string } | { index: number } | { where: readonly string[]; is: string };

const NAME = /^\.?((?:[^.[\]{}()*?@'"\s\\]|\\.)+)/;
const QUOTED = /^\[\s*(?:'([^']*)'|"([^"]*)")\s*\]/;
const INDEX = /^\[\s*(-?\d{1,6})\s*\]/;
const FILTER = /^\[\?\(\s*@((?:\.[A-Za-z_][A-Za-z0-9_-]*)+)\s*==\s*(?:'([^']*)'|"([^"]*)")\s*\)\]/;

/**
 * Reads the part of kubectl's JSONPath that leads to one value: `.status.phase`, `.metadata.labels.app\.kubernetes\.io/name`,
 * `['field']`, `[0]`, `[-1]` and `[?(@.type=="Ready")]`, with or without `{}`, `$` and the first dot.
 */
export function readJSONPath(text: string): readonly Step[] | { problem: string } {
  const inner = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1] ?? text;
  let rest = inner.trim().replace(/^\$/, '');
  const steps: Step[] = [];
  while (rest !== '') {
    const [step, length] = firstStep(rest, steps.length === 0);
    if (step === undefined)
      return { problem: `not supported from ${JSON.stringify(rest)} on: use fields, [index] and [?(@.field=="text")]` };
    steps.push(step);
    rest = rest.slice(length);
  }
  return steps.length > 0 ? steps : { problem: 'it names no field' };
}

function firstStep(rest: string, first: boolean): [Step | undefined, number] {
  const name = rest.startsWith('.') || first ? NAME.exec(rest) : null;
  if (name !== null) return [{ field: (name[1] ?? '').replaceAll(/\\(.)/g, '$1') }, name[0].length];
  const quoted = QUOTED.exec(rest);
  if (quoted !== null) return [{ field: quoted[1] ?? quoted[2] ?? '' }, quoted[0].length];
  const index = INDEX.exec(rest);
  if (index !== null) return [{ index: Number(index[1]) }, index[0].length];
  const filter = FILTER.exec(rest);
  if (filter !== null) return [{ where: (filter[1] ?? '').slice(1).split('.'), is: filter[2] ?? filter[3] ?? '' }, filter[0].length];
  return [undefined, 0];
}

/** All values of an object that a path leads to. */
export function valuesAt(steps: readonly Step[], object: unknown): unknown[] {
  let values = [object];
  for (const step of steps) values = values.flatMap((value) => next(step, value));
  return values;
}

function next(step: Step, value: unknown): unknown[] {
  if ('field' in step) return fieldOf(value, step.field);
  if (!Array.isArray(value)) return [];
  const elements: readonly unknown[] = value;
  if ('index' in step) {
    const element = elements.at(step.index);
    return element === undefined ? [] : [element];
  }
  const path = step.where.map((field) => ({ field }));
  return elements.filter((element) => valuesAt(path, element).some((found) => isScalar(found) && String(found) === step.is));
}

function fieldOf(value: unknown, field: string): unknown[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, field)) return [];
  const found: unknown = (value as Record<string, unknown>)[field];
  return found === undefined || found === null ? [] : [found];
}

/** Whether a value of an object is one that a text can be compared with. */
export const isScalar = (value: unknown): value is string | number | boolean => ['string', 'number', 'boolean'].includes(typeof value);
