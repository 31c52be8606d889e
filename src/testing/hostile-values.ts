import * as fc from 'fast-check';

/** What strings of outside are made of, where somebody wants to do harm, or simply writes nonsense. */
export const hostileStrings: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\u0000',
    '\u001b[2J\u009b1m\u202e\n',
    '__proto__',
    'constructor',
    'toString',
    '{{ x }}',
    '../../etc/passwd',
    '%00%ff',
    'NaN',
    '-1',
    '1e999',
    '9'.repeat(40),
    '2026-03-01T12:00:00Z',
    '2026-02-30T25:61:61Z',
    '+275760-09-13T00:00:00.001Z',
    '-271821-04-19T23:59:59.999Z',
    '0000-00-00T00:00:00Z',
    '1.26.0',
    '1.26.1',
    '999999999.999999999.999999999',
    '01.2.3',
    '99999h',
    '999999h999999h999999h999999h',
    '100%',
    '0 0 30 2 *',
    'Asia/Seoul',
    'Factory',
    'x'.repeat(3_000),
    '\ud800',
    '👩‍👩‍👧',
  ),
  fc.string({ unit: 'binary', maxLength: 64 }),
  fc.string({ maxLength: 16 }),
);

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Any JSON that is small. */
const smallJSON: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom<Json>(null, true, false, 0, -1, 0.5, 1e21, Number.MAX_SAFE_INTEGER),
    hostileStrings,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(hostileStrings, tie('value'), { maxKeys: 4 }) as fc.Arbitrary<Json>,
  ),
})).value;

interface Change {
  readonly path: readonly number[];
  readonly how: 'replace' | 'remove' | 'repeat' | 'rename';
  readonly value: Json;
  readonly name: string;
}

/** A value that was right before some of its parts were replaced, removed, repeated or named otherwise. */
export function spoilt(right: Json, most = 4): fc.Arbitrary<Json> {
  const change: fc.Arbitrary<Change> = fc.record({
    path: fc.array(fc.nat(30), { maxLength: 6 }),
    how: fc.constantFrom('replace', 'replace', 'remove', 'repeat', 'rename'),
    value: smallJSON,
    name: hostileStrings,
  });
  return fc.array(change, { maxLength: most }).map((changes) => changes.reduce((value, one) => applied(value, one, one.path), right));
}

function applied(value: Json, change: Change, [first, ...rest]: readonly number[]): Json {
  const end = rest.length === 0;
  if (first === undefined) return change.how === 'replace' ? change.value : value;
  if (Array.isArray(value)) {
    if (value.length === 0) return change.how === 'replace' ? [change.value] : value;
    const at = first % value.length;
    const part = value[at] ?? null;
    if (!end) return value.with(at, applied(part, change, rest));
    if (change.how === 'remove') return value.toSpliced(at, 1);
    if (change.how === 'repeat') return value.toSpliced(at, 0, ...Array<Json>(1 + (first % 300)).fill(part));
    return value.with(at, change.value);
  }
  if (typeof value !== 'object' || value === null) return change.value;
  const names = Object.keys(value);
  const name = names[first % Math.max(1, names.length)];
  if (name === undefined) return { [change.name]: change.value };
  const part = value[name] ?? null;
  if (!end) return { ...value, [name]: applied(part, change, rest) };
  const { [name]: _, ...others } = value;
  if (change.how === 'remove') return others;
  if (change.how === 'rename') return { ...others, [change.name]: part };
  return { ...value, [name]: change.how === 'replace' ? change.value : [part, part] };
}
