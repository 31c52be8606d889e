import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { counted, parsed, shortName, visible } from './text.ts';

test.each([
  ['plain words', 'plain words'],
  ['<b>bold</b> & "quoted"', '<b>bold</b> & "quoted"'],
  ['two\nlines\tand a tab', 'two\nlines\tand a tab'],
  ['bell \u0007, escape \u001b[31m, delete \u007f, C1 \u009b', 'bell \ufffd, escape \ufffd[31m, delete \ufffd, C1 \ufffd'],
  ['node-\u202e1-edon', 'node-\ufffd1-edon'],
  ['zero\u200bwidth \ufeffmark', 'zero\ufffdwidth \ufffdmark'],
  ['한국어 · café · 😀', '한국어 · café · 😀'],
])('%j is shown as %j', (text, shown) => {
  expect(visible(text)).toBe(shown);
});

test.each([
  ['ip-10-0-1-2.eu-west-1.compute.internal', 'ip-10-0-1-2'],
  ['node-1', 'node-1'],
  ['10.0.1.2', '10.0.1.2'],
])('%s is called %s', (name, short) => {
  expect(shortName(name)).toBe(short);
});

test('one node, two nodes', () => {
  expect([1, 0, 5000].map((count) => counted(count, 'node'))).toEqual(['1 node', '0 nodes', '5,000 nodes']);
});

test('of JSON every text is made visible, and nothing else is changed', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\u001b[2J', '\u202e', '\b\f', '\u007f', '<i>'));
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.oneof(text, fc.array(text), fc.integer())), (value) => {
      const expected = JSON.parse(JSON.stringify(value), (_, one: unknown) => (typeof one === 'string' ? visible(one) : one));
      expect(parsed(JSON.stringify(value))).toEqual(expected);
    }),
  );
});
