import { describe, expect, test } from '@jest/globals';
import { parseOptions, usage } from './options.ts';

describe('the command line', () => {
  test('measures the three sizes where nothing is said', () => {
    expect(parseOptions([])).toMatchObject({ nodes: [100, 1_000, 5_000], podsPerNode: 30, steadyMs: 300_000, soakMs: undefined });
  });

  test('takes sizes, durations and one folder for all files', () => {
    expect(parseOptions(['--nodes', '20,40', '--steady', '30s', '--soak', '1h', '--out', '/tmp/x'])).toMatchObject({
      nodes: [20, 40],
      steadyMs: 30_000,
      soakMs: 3_600_000,
      results: '/tmp/x',
      page: '/tmp/x',
    });
    expect(parseOptions(['--nodes', '', '--soak', '30m'])).toMatchObject({ nodes: [], soakMs: 1_800_000 });
  });

  test.each([
    [['--nodes', '1'], '--nodes takes whole numbers from 2 to 20000'],
    [['--nodes', 'many'], "not 'many'"],
    [['--steady', '1s'], '--steady takes a duration of at least 10s'],
    [['--soak', 'long'], '--soak takes a duration'],
    [['--speed', '9'], "Unknown option '--speed'"],
  ])('%j is refused', (args, words) => {
    expect(() => parseOptions(args)).toThrow(words);
  });

  test('shows each flag in its usage', () => {
    expect(parseOptions(['--help'])).toBeUndefined();
    for (const flag of ['nodes', 'pods-per-node', 'steady', 'soak', 'soak-nodes', 'soak-rollouts', 'agents-per-process', 'out', 'report'])
      expect(usage).toContain(`--${flag}`);
  });
});
