import { describe, expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import { screenOf } from './screen.ts';

const { colors, controls, safe } = screenOf(true);
const reference = picocolors.createColors(true);

test('colours come out as ever', () => {
  for (const name of ['bold', 'dim', 'red', 'green', 'yellow', 'cyan'] as const) expect(safe(colors[name]('a'))).toBe(reference[name]('a'));
  expect(safe(`${colors.bold(`a ${colors.red('b')}`)}\n`)).toBe(`${reference.bold(`a ${reference.red('b')}`)}\n`);
  expect(safe(controls.home + controls.clearLine)).toBe('\u001b[H\u001b[K');
});

describe('what is not ours shows as characters', () => {
  test.each([
    ['\u001b[31m', '\\u001b[31m'],
    ['\u001b]0;title\u0007', '\\u001b]0;title\\u0007'],
    ['\u009b2J', '\\u009b2J'],
    ['\u202e', '\\u202e'],
    // Sequences of ours from another process.
    [screenOf(true).controls.clearAll, expect.stringMatching(/^\\u001b[0-9a-f-]{36}\[2J$/)],
  ])('%j', (theirs, shown) => {
    expect(safe(theirs)).toEqual(shown);
    const painted = safe(colors.red(theirs));
    expect(painted.startsWith('\u001b[31m') && painted.endsWith('\u001b[39m')).toBe(true);
    expect(painted.slice(5, -5)).toEqual(shown);
  });
});

test('without colours there is no sequence at all', () => {
  expect(screenOf(false).safe(screenOf(false).colors.red('a\u001b[0m'))).toBe('a\\u001b[0m');
});
