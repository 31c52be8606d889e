import { describe, expect, test } from '@jest/globals';
import { fill, unknownPlaceholder } from './placeholders.ts';

const values = new Map([
  ['node', 'node-1'],
  ['port:metrics', '20001'],
]);

describe('placeholders', () => {
  test.each([
    ['--node={node}', '--node=node-1'],
    ['127.0.0.1:{port:metrics}', '127.0.0.1:20001'],
    // Others' braces stay.
    ['echo \u0024{node}', 'echo \u0024{node}'],
    ['jsonpath={.metadata.name}', 'jsonpath={.metadata.name}'],
    ['{a: 1, b: {}}', '{a: 1, b: {}}'],
    ['{socket}', '{socket}'],
  ])('%s becomes %s', (text, filled) => {
    expect(fill(text, values)).toBe(filled);
  });

  test.each([
    ['{socket} {port:metrics} {token:someone.else}', 'pod', undefined],
    ['{version} {kubeconfig}', 'step', undefined],
    ['{socket}', 'step', '{socket} is known to the programs of pods only'],
    ['{port:metrics}', 'step', '{port:metrics} is known to the programs of pods only'],
    ['{nodename}', 'pod', 'there is no placeholder {nodename}; --help lists them'],
    ['{constructor}', 'pod', 'there is no placeholder {constructor}; --help lists them'],
  ] as const)('%s in a %s: %s', (text, where, message) => {
    expect(unknownPlaceholder(text, where)).toBe(message);
  });
});
