import { describe, expect, test } from '@jest/globals';
import { parseOptions, usage } from './options.ts';
import { placeholders } from './placeholders.ts';

describe('the command line', () => {
  test('by itself', () => {
    expect(parseOptions(['--other', 'a.yaml', '--other', 'b.yaml'])).toEqual({
      others: ['a.yaml', 'b.yaml'],
      withOurselves: true,
      nodes: 10,
      podsPerNode: 10,
      maxUnavailable: 1,
      idleMs: 120_000,
      timeoutMs: 1_800_000,
      format: 'text',
      out: undefined,
    });
  });

  test('help', () => {
    expect(parseOptions(['--help'])).toBeUndefined();
    for (const name of Object.keys(placeholders)) expect(usage).toContain(`{${name}}`);
  });

  test.each([
    [[], '--other FILE'],
    [['--other', 'a', '--nodes', '1'], '--nodes takes a whole number from 2 to 300'],
    [['--other', 'a', '--nodes', '3', '--max-unavailable', '3'], '--max-unavailable takes a whole number from 1 to 2'],
    [['--other', 'a', '--idle', '1s'], '--idle takes a duration of at least 5s'],
    [['--other', 'a', '--timeout', 'long'], '--timeout takes a duration'],
    [['--other', 'a', '--format', 'csv'], '--format is text, markdown or json'],
    [['--nonsense'], 'nonsense'],
  ])('%j is refused in one line', (args, words) => {
    expect(() => parseOptions(args)).toThrow(words);
  });
});
