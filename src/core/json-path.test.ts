import { describe, expect, test } from '@jest/globals';
import { readJSONPath, valuesAt } from './json-path.ts';

const object = {
  metadata: { labels: { 'app.kubernetes.io/name': 'web' } },
  status: {
    phase: 'Running',
    replicas: 3,
    none: null,
    conditions: [
      { type: 'Ready', status: 'True', of: { kind: 'a' } },
      { type: 'Old', status: 'False', of: { kind: 'b' } },
    ],
  },
};

describe('a JSONPath', () => {
  test.each<[string, unknown[]]>([
    ['.status.phase', ['Running']],
    ['status.phase', ['Running']],
    ['{.status.phase}', ['Running']],
    [' { $.status.replicas } ', [3]],
    ["{['status']['phase']}", ['Running']],
    [String.raw`.metadata.labels.app\.kubernetes\.io/name`, ['web']],
    ['.metadata.labels["app.kubernetes.io/name"]', ['web']],
    ['.status.conditions[0].type', ['Ready']],
    ['.status.conditions[-1].type', ['Old']],
    ['.status.conditions[2].type', []],
    ['{.status.conditions[?(@.type=="Ready")].status}', ['True']],
    ["{.status.conditions[?( @.of.kind == 'b' )].status}", ['False']],
    ['{.status.conditions[?(@.type=="Other")].status}', []],
    ['.status.none', []],
    ['.status.phase.length', []],
    ['.status.conditions.length', []],
    ['.toString', []],
    ['.constructor.name', []],
  ])('%s', (text, values) => {
    const path = readJSONPath(text);
    expect('problem' in path ? path : valuesAt(path, object)).toEqual(values);
  });

  test.each([
    '',
    '{}',
    '$',
    '..phase',
    '.a[*]',
    '.*',
    '.a[0:2]',
    '.a[?(@.b>1)]',
    '.a[?(@.b=="c" && @.d=="e")]',
    '{.a}{.b}',
    '.a b',
    '{range .a}',
    '.a.',
  ])('is refused: %s', (text) => {
    expect(readJSONPath(text)).toEqual({ problem: expect.any(String) });
  });
});
