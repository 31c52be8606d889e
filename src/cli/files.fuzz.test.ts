import { describe, expect } from '@jest/globals';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import * as z from 'zod/mini';
import { updatePolicySpecSchema } from '../api/update-policy.ts';
import { fuzz } from '../testing/fuzz.ts';
import { hostileStrings, type Json, spoilt } from '../testing/hostile-values.ts';
import { proxyEnvironment } from './config.ts';
import { PolicyFileError, readPolicies } from './policy-file.ts';

const POLICY: Json = {
  apiVersion: 'lockkeeper.dev/v1alpha1',
  kind: 'UpdatePolicy',
  metadata: { name: 'default', annotations: { a: 'b' } },
  spec: {
    version: { range: '>=1.26.0' },
    schedule: {
      windows: [{ cron: '0 2 * * *', duration: '4h', timeZone: 'UTC' }],
      exclusions: [{ from: '2026-12-20T00:00:00Z', to: '2027-01-04T00:00:00Z' }],
    },
    rollout: { maxUnavailable: '10%', groups: [{ name: 'canary', nodeSelector: { matchLabels: { a: 'b' } } }] },
    checks: [{ name: 'c', prometheus: { url: 'http://p', query: 'up' } }],
    hooks: [{ at: 'BeforeDrain', cronJob: { namespace: 'db', name: 'flush' } }],
  },
};

describe('a policy file', () => {
  const right = stringify(POLICY);
  const texts = fc.oneof(
    spoilt(POLICY).map((value) => stringify(value)),
    spoilt(POLICY).map((value) => JSON.stringify({ kind: 'List', items: [value, POLICY] })),
    // Cut, doubled and mixed with anything.
    fc
      .tuple(fc.nat(right.length), fc.nat(right.length), hostileStrings)
      .map(([a, b, text]) => `${right.slice(0, a)}${text}${right.slice(b)}`),
    fc
      .array(
        fc.constantFrom(
          '&a ',
          '*a',
          '- ',
          '\n',
          '? ',
          ': ',
          '{',
          '}',
          '[',
          ']',
          '"',
          "'",
          '|',
          '>',
          '---\n',
          '!!js ',
          '<<: ',
          '#',
          '%YAML 9.9\n',
          'a',
        ),
        { maxLength: 40 },
      )
      .map((parts) => parts.join('')),
  );
  fuzz('is refused with words, or read as its schema has it', texts, (text) => {
    try {
      for (const { name, spec } of readPolicies(text, 'file')) {
        expect(name).toMatch(/^[a-z0-9][-a-z0-9.]*$/);
        expect(z.parse(updatePolicySpecSchema, spec)).toEqual(spec);
      }
    } catch (error) {
      expect(error).toBeInstanceOf(PolicyFileError);
      expect((error as Error).message).toMatch(/^file/);
    }
  });
});

describe('the environment', () => {
  const names = fc.constantFrom('HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'NO_PROXY', 'no_proxy', 'PATH');
  fuzz('names a proxy or none', fc.dictionary(names, hostileStrings), (env) => {
    for (const [name, value] of Object.entries(proxyEnvironment(env) ?? {})) expect(value).toBe(env[name]);
  });
});
