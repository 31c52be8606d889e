import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { harmless, type Message, payloadOf } from './payload.ts';

const message: Message = {
  id: 'NodeFailed/uid/RebootTimeout@2026-03-01T12:00:00.000Z',
  type: 'NodeFailed',
  at: Date.parse('2026-03-01T12:00:00Z'),
  policy: 'default',
  node: 'node-1',
  reason: 'RebootTimeout',
  message: 'no other boot was reported in time',
  advice: "Look at the machine's console.",
};

describe('the generic format', () => {
  test('has all of it', () => {
    expect(payloadOf('generic', message, 'prod-1')).toEqual({
      version: 'v1',
      id: 'NodeFailed/uid/RebootTimeout@2026-03-01T12:00:00.000Z',
      type: 'NodeFailed',
      at: '2026-03-01T12:00:00.000Z',
      cluster: 'prod-1',
      policy: 'default',
      node: 'node-1',
      reason: 'RebootTimeout',
      help: 'docs/reasons.md#RebootTimeout',
      message: 'no other boot was reported in time',
      advice: "Look at the machine's console.",
    });
  });

  test('leaves out what there is not', () => {
    const { policy: _policy, node: _node, reason: _reason, ...rest } = message;
    expect(Object.keys(payloadOf('generic', { ...rest, type: 'Test' }, ''))).toEqual(['version', 'id', 'type', 'at', 'message', 'advice']);
  });
});

describe("Slack's format", () => {
  const texts = (change: Partial<Message>, cluster = 'prod-1'): string[] => {
    const { text, blocks } = payloadOf('slack', { ...message, ...change }, cluster) as {
      text: string;
      blocks: { text: { text: string } }[];
    };
    expect(blocks.map((block) => block.text.text).join('\n')).toBe(text);
    return text.split('\n');
  };

  test('says what, where, why, and what to do', () => {
    expect(texts({})).toEqual([
      '*Lockkeeper: node failed (prod-1 / default / node-1)*',
      'no other boot was reported in time',
      "What to do: Look at the machine's console.",
    ]);
    expect(texts({ type: 'RolloutDone', advice: 'Nothing.', node: '' }, '')).toEqual([
      '*Lockkeeper: rollout done (default)*',
      'no other boot was reported in time',
    ]);
  });

  test.each([
    ['<!channel> & <https://evil.example|all is well>', '&lt;!channel&gt; &amp; &lt;https:\u200b//evil.example|all is well&gt;'],
    ['@all @here @everyone', '@\u200ball @\u200bhere @\u200beveryone'],
    ['![x](http://evil.example/x)', '![x]\u200b(http:\u200b//evil.example/x)'],
    ['two\nlines\u202e\u0000', 'two lines '],
  ])('takes %j for text', (text, expected) => {
    expect(texts({ message: text })[1]).toBe(expected);
  });

  test('has no markup, mention or link of the cluster’s, wherever it stands', () => {
    const nasty = fc.array(fc.constantFrom('<', '>', '&', '@', '!', '[', ']', '(', ')', '://', 'all', 'channel', '\n', 'a'), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(nasty, nasty, nasty, (policy, node, text) => {
        const said = { ...message, policy: policy.join(''), node: node.join(''), message: text.join('') };
        const all = JSON.stringify(payloadOf('slack', said, ''));
        expect(all).not.toMatch(/[<>]|@(?!\u200b)|\]\(|:\/\/|&(?!(amp|lt|gt);)/);
      }),
    );
  });

  test('is cut where it is too long, between characters', () => {
    const [, long = ''] = texts({ message: '😀'.repeat(3_000) });
    expect(long.length).toBeLessThanOrEqual(2_000);
    expect(long.isWellFormed()).toBe(true);
    // Slack counts what it is sent.
    const [, escaped = ''] = texts({ message: '<'.repeat(3_000) });
    expect(escaped.length).toBeLessThanOrEqual(2_900);
    expect(escaped).toMatch(/^(&lt;)+…$/);
    expect(harmless('fine')).toBe('fine');
  });
});
