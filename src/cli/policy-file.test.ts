import { describe, expect, test } from '@jest/globals';
import { PolicyFileError, readPolicies } from './policy-file.ts';
import { unknownRules } from './policy-rules.ts';

const head = 'apiVersion: lockkeeper.dev/v1alpha1\nkind: UpdatePolicy\nmetadata: {name: workers}\n';

function refusal(text: string): string {
  try {
    readPolicies(text, 'policy.yaml');
  } catch (error) {
    if (error instanceof PolicyFileError) return error.message;
    throw error;
  }
  throw new Error('it was taken');
}

test('every CEL rule of the spec is evaluated here, too', () => {
  expect(unknownRules()).toEqual([]);
});

test('a policy gets the defaults that the API server sets', () => {
  const [policy] = readPolicies(`${head}spec: {rollout: {maxUnavailable: 10%}}`, 'policy.yaml');
  expect(policy).toMatchObject({
    name: 'workers',
    annotations: {},
    spec: { approval: 'Automatic', rollout: { maxUnavailable: '10%', failureBudget: 1 }, drain: { timeout: '30m' } },
  });
});

test.each([
  ['several documents', `${head}---\n---\n${head.replace('workers', 'batch')}`],
  [
    'a list',
    JSON.stringify({
      kind: 'List',
      items: ['workers', 'batch'].map((name) => ({ apiVersion: 'lockkeeper.dev/v1alpha1', kind: 'UpdatePolicy', metadata: { name } })),
    }),
  ],
])('takes %s', (_, text) => {
  expect(readPolicies(text, 'policy.yaml').map(({ name }) => name)).toEqual(['workers', 'batch']);
});

describe('names the field that is wrong', () => {
  test.each([
    ['spec: {rolout: {}}', 'policy.yaml (workers): spec.rolout: there is no such field; spec has nodeSelector, '],
    ['spec: {rollout: {groups: [{name: canary, soack: 1h}]}}', 'spec.rollout.groups[0].soack: there is no such field'],
    ['spec: {rollout: {maxUnavailable: 0}}', 'spec.rollout.maxUnavailable: '],
    ['spec: {approval: Sometimes}', 'spec.approval: '],
    ['spec: {drain: {timeout: soon}}', 'spec.drain.timeout: '],
    ['spec: {drain: {timeout: 10ms}}', 'spec.drain.timeout: must be at least 1s'],
    ['spec: {version: {pin: 1.2.3, range: ">1"}}', 'spec.version.pin: pin and range exclude each other: remove one of them'],
    ['spec: {version: {refreshInterval: 1ms}}', 'spec.version.refreshInterval: must be at least 1s'],
    ['spec: {schedule: {}}', 'spec.schedule: give either windows, at least one, or always: true'],
    ['spec: {schedule: {windows: []}}', 'spec.schedule: give either windows, at least one, or always: true'],
    [
      'spec: {schedule: {windows: [{cron: "0 2 * * *", duration: 1ms, timeZone: UTC}]}}',
      'spec.schedule.windows[0].duration: must be at least 1s',
    ],
    [
      'spec: {schedule: {always: true, exclusions: [{from: "2026-12-20T00:00:00Z", to: "2026-12-19T00:00:00Z"}]}}',
      'spec.schedule.exclusions[0].to: must lie behind from',
    ],
    ['spec: {rollout: {groups: [{name: a}, {name: a}]}}', 'spec.rollout.groups: each group needs a name of its own'],
    ['spec: {nodeSelector: {matchExpressions: [{key: a, operator: In}]}}', 'spec.nodeSelector.matchExpressions: In and NotIn need values'],
    ['spec: {drain: {leaveToReboot: [{}]}}', 'spec.drain.leaveToReboot[0]: name namespaces, a selector, or both'],
    ['spec: {drain: {skipWaitForDeleteTimeout: 0s}}', 'spec.drain.skipWaitForDeleteTimeout: must be at least 1s'],
    ['spec: {checks: [{}]}', 'spec.checks[0]: '],
    ['spec: {checks: [{object: {apiVersion: v1, kind: A, name: a}}]}', 'name a condition, or a jsonPath with its value'],
    ['spec: {checks: [{object: {apiVersion: v1, kind: A, name: a, jsonPath: "{.a}"}}]}', 'jsonPath and value go together'],
    [
      `spec: {drain: {leaveToReboot: [{selector: {matchLabels: {${'abcdefghi'.replaceAll(/./g, '$&: "", ')}}}}]}}`,
      'spec.drain.leaveToReboot[0].selector.matchLabels: at most 8 labels',
    ],
    ['spec: {hooks: [{at: Finally, cronJob: {namespace: a, name: b}, timeout: 1ms}]}', 'spec.hooks[0].timeout: must be at least 1s'],
    ['spec: {reboot: {timeout: 0s}}', 'spec.reboot.timeout: must be at least 1s'],
    ['spec: {hooks: [{at: Sometime, cronJob: {namespace: a, name: b}}]}', 'spec.hooks[0].at: '],
    ['metadata: 1\nspec: [}', 'policy.yaml: '],
  ])('%s', (text, expected) => {
    const whole = text.startsWith('metadata') ? text : `${head}${text}`;
    expect(refusal(whole)).toContain(expected);
  });

  test('and the document that it is in, and says all at once', () => {
    const text = `${head}---\n${head.replace('workers', 'batch')}spec: {priority: high, paused: maybe}`;
    expect(refusal(text).split('\n')).toEqual([
      expect.stringMatching(/^policy\.yaml, document 2 \(batch\): spec\.priority: /),
      expect.stringMatching(/^policy\.yaml, document 2 \(batch\): spec\.paused: /),
    ]);
  });
});

const aliases = `a0: &a0 [x]\n${Array.from({ length: 12 }, (_, at) => `a${at + 1}: &a${at + 1} [${Array(12).fill(`*a${at}`)}]`).join('\n')}\n`;

test.each([
  ['nothing', '', 'holds no UpdatePolicy (apiVersion lockkeeper.dev/v1alpha1, kind UpdatePolicy)'],
  ['another kind', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}', 'kind: must be UpdatePolicy: a plan takes nothing else'],
  ['another version', head.replace('v1alpha1', 'v2'), 'apiVersion: must be lockkeeper.dev/v1alpha1'],
  ['no name', 'apiVersion: lockkeeper.dev/v1alpha1\nkind: UpdatePolicy', 'metadata: must be there, with a name'],
  ['an alias of nothing', `${head}spec: *a`, 'policy.yaml: Unresolved alias'],
  ['aliases of aliases', aliases, 'policy.yaml: Excessive alias count'],
  ['the same name twice', `${head}---\n${head}`, 'there are two UpdatePolicies named workers'],
])('refuses %s', (_, text, expected) => {
  expect(refusal(text)).toContain(expected);
});
