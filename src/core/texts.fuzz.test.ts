import { describe, expect } from '@jest/globals';
import * as fc from 'fast-check';
import * as z from 'zod/mini';
import { BY_HAND } from '../api/names.ts';
import { durationMs, durationSchema } from '../api/primitives.ts';
import type { UpdatePolicySpec } from '../api/update-policy.ts';
import { crdSchema, partOf, valuesOf } from '../testing/crd-values.ts';
import { fuzz } from '../testing/fuzz.ts';
import { hostileStrings, type Json, spoilt } from '../testing/hostile-values.ts';
import { countOf, unavailableLimit } from './budget.ts';
import { readByHand } from './by-hand.ts';
import { readJSONPath, valuesAt } from './json-path.ts';
import { readSchedule } from './schedule.ts';
import { NOW } from './testing/builders.ts';
import { compareVersions, inRange, isRange, isVersion, parseOSImage } from './versions.ts';

describe('what people write', () => {
  const schedule = valuesOf(partOf(crdSchema('updatepolicies'), 'spec', 'schedule'));
  fuzz('as a schedule is a problem, or tells whether it is open, and until when', schedule, (spec) => {
    const { problems, stateAt } = readSchedule(spec as UpdatePolicySpec['schedule']);
    const state = stateAt(NOW);
    if (problems.length > 0) expect(state.open).toBe(false);
    expect(state.until).toBeGreaterThan(NOW);
    if (state.nextChange === undefined) return;
    expect(state.nextChange.at).toBeGreaterThanOrEqual(NOW);
    expect(stateAt(state.nextChange.at).open).toBe(!state.open);
  });

  const version = fc.oneof(fc.constantFrom('1.26.0', '1.26.1-rc.1', '1.26.1+build'), hostileStrings);
  const texts = fc.record({ version, other: version, range: fc.oneof(fc.constantFrom('*', '>=1.26.0 <2', '^1 || ~2'), hostileStrings) });
  fuzz('as a version or a range is one or none', texts, ({ version: a, other: b, range }) => {
    if (isVersion(a) && isVersion(b)) {
      expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
      if (isRange(range)) expect(typeof inRange(a, range)).toBe('boolean');
    }
    const os = parseOSImage(`Bottlerocket OS ${a} (${b})`, 'amd64');
    if (os !== undefined) expect(isVersion(os.version)).toBe(true);
  });

  fuzz(
    'as a duration or an amount can be computed with',
    fc.tuple(hostileStrings, fc.stringMatching(/^([0-9]{1,6}(h|m|s|ms))+$/), fc.nat()),
    ([text, right, nodes]) => {
      for (const duration of [text, right])
        if (z.safeParse(durationSchema(), duration).success) expect(Number.isSafeInteger(durationMs(duration))).toBe(true);
      for (const amount of [1, 2_147_483_647, '1%', '99%', '100%']) {
        expect(countOf(amount, nodes)).toBeGreaterThanOrEqual(1);
        expect(unavailableLimit(amount, nodes)).toBeLessThanOrEqual(Math.max(1, nodes - 1));
      }
    },
  );

  fuzz(
    'as annotations is read, or named as a problem',
    fc.dictionary(fc.constantFrom(...Object.values(BY_HAND)), hostileStrings),
    (annotations) => {
      const { problems, pin, approved, urgent } = readByHand(annotations);
      for (const one of [pin, approved, urgent]) expect(one === undefined || isVersion(one)).toBe(true);
      for (const problem of problems) expect(problem.length).toBeLessThan(600);
    },
  );

  const OBJECT: Json = { status: { phase: 'Ready', conditions: [{ type: 'Ready', status: 'True' }] }, 'a.b': [1, [2]] };
  const path = fc.oneof(
    hostileStrings,
    fc
      .array(
        fc.constantFrom(
          '.status',
          '.conditions',
          '[0]',
          '[-1]',
          '[?(@.type=="Ready")]',
          "['a.b']",
          '.__proto__',
          '.constructor',
          '{',
          '}',
          '$',
          '\\',
        ),
        { maxLength: 6 },
      )
      .map((parts) => parts.join('')),
  );
  fuzz('as a JSONPath leads to values of the object and nowhere else', fc.tuple(path, spoilt(OBJECT)), ([text, object]) => {
    const steps = readJSONPath(text);
    if ('problem' in steps) return;
    const whole = JSON.stringify(object);
    for (const value of valuesAt(steps, object)) expect(whole).toContain(JSON.stringify(value));
  });
});
