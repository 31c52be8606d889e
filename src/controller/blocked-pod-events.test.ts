import { describe, expect, test } from '@jest/globals';
import type { BlockedPod } from '../api/node-update.ts';
import { aPod, MINUTE } from '../core/testing/builders.ts';
import { BlockedPodEvents } from './blocked-pod-events.ts';
import type { EventNote } from './events.ts';

const byBudget: BlockedPod = { pod: 'shop/web', reason: 'DisruptionBudget', budget: 'shop/web', message: '2 healthy, 2 needed' };
const drain = { node: 'node-1', to: '1.26.1' };

function bed() {
  const notes: EventNote[] = [];
  const state = { now: 0, room: true, notes };
  const record = (note: EventNote): boolean => {
    if (state.room) notes.push(note);
    return state.room;
  };
  return { events: new BlockedPodEvents({ record }, () => state.now), state, notes };
}

describe('the owner of a blocked pod', () => {
  test('is told by an Event on the pod: which node waits, what keeps the pod, and what would help', () => {
    const { events, notes } = bed();
    events.tell(aPod('web'), byBudget, drain);
    expect(notes).toEqual([
      {
        about: { kind: 'Pod', namespace: 'shop', name: 'web', uid: 'uid-web' },
        type: 'Warning',
        reason: 'EvictionBlocked',
        message: expect.stringMatching(
          /^node-1 is drained for its update to 1\.26\.1, and waits for this pod\. .*PodDisruptionBudget shop\/web.*maxUnavailable.*\(DisruptionBudget: 2 healthy, 2 needed\)$/,
        ),
      },
    ]);
  });

  test('is told where the node is not even cordoned, once as well', () => {
    const { events, notes } = bed();
    const barred = { pod: aPod('web'), why: 'pods that no controller would create again (drain.force allows it)' };
    for (let time = 0; time < 2; time += 1) events.tellBarred(barred, drain);
    expect(notes).toEqual([
      {
        about: { kind: 'Pod', namespace: 'shop', name: 'web', uid: 'uid-web' },
        type: 'Warning',
        reason: 'EvictionBlocked',
        message:
          'node-1 waits with its update to 1.26.1 until this pod may be evicted; it belongs to pods that no controller would create again (drain.force allows it).',
      },
    ]);
  });

  test.each([
    ['MoreThanOneBudget', /selectors of shop\/web/],
    ['BlockedByWebhook', /whoever runs it/],
    ['NamespaceTerminating', /namespace is being deleted/],
    ['Throttled', /tried again by itself/],
    ['Refused', /see its words/],
  ])('is told what to do about %s', (reason, words) => {
    const { events, notes } = bed();
    events.tell(aPod('web'), { ...byBudget, reason }, { node: 'node-1' });
    expect(notes[0]?.message).toMatch(words);
  });

  test('is told once for each reason and budget, and again after half an hour', () => {
    const { events, state, notes } = bed();
    const tell = (change: Partial<BlockedPod> = {}) => events.tell(aPod('web'), { ...byBudget, ...change }, drain);
    for (let minute = 0; minute < 30; minute += 1) {
      state.now = minute * MINUTE;
      tell({ message: `at ${minute}` });
    }
    expect(notes).toHaveLength(1);
    state.now = 30 * MINUTE;
    tell();
    expect(notes).toHaveLength(2);
    tell({ budget: 'shop/other' });
    tell({ reason: 'BlockedByWebhook' });
    expect(notes).toHaveLength(4);
  });

  test('is told of each of many pods; what there was no room for is told at the next refusal', () => {
    const { events, state, notes } = bed();
    state.room = false;
    events.tell(aPod('web'), byBudget, drain);
    state.room = true;
    events.tell(aPod('web'), byBudget, drain);
    expect(notes).toHaveLength(1);
    for (let round = 0; round < 2; round += 1)
      for (let index = 0; index < 4_096; index += 1) events.tell(aPod(`p${index}`), byBudget, drain);
    expect(notes).toHaveLength(4_097);
    // As many as are known: the oldest is forgotten, and told again.
    events.tell(aPod('web'), byBudget, drain);
    expect(notes).toHaveLength(4_098);
  });
});
