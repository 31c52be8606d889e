import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { visible, visibleIn, visibleLines } from './visible.ts';

/** What a terminal, a pager or a reader's eye could be led astray by, in the terms of another author than the code's. */
const dangerous = [
  ...Array.from({ length: 32 }, (_, code) => code),
  ...Array.from({ length: 33 }, (_, code) => 0x7f + code),
  ...[0xad, 0x61c, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff],
  0xd800,
  0xe0041,
].map((code) => String.fromCodePoint(code));

test.each(dangerous)('%j shows', (character) => {
  expect(visible(`a${character}b`)).toMatch(/^a(\\u[0-9a-f]{4}){1,2}b$/);
});

test('what people write stays', () => {
  const text = 'Größe 한국어 ראשון 日本 café 👍 \\u0041 "x"';
  expect(visible(text)).toBe(text);
});

describe('of several lines', () => {
  test('line feeds and tabs stay, and a carriage return only before one', () => {
    expect(visibleLines('a\tb\r\nc\nd\re\u001b')).toBe('a\tb\r\nc\nd\\u000de\\u001b');
  });

  test('JSON is the same JSON after it', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), (json) => {
        expect(JSON.parse(visibleLines(json))).toEqual(JSON.parse(json));
      }),
    );
  });
});

test('all strings of plain data', () => {
  expect(visibleIn({ 'a\n': ['b\u001b', 1, null, { c: true, d: '\u202e' }] })).toEqual({
    'a\\u000a': ['b\\u001b', 1, null, { c: true, d: '\\u202e' }],
  });
});
