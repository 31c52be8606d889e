import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import {
  aFlight,
  ago,
  aHost,
  anAnswer,
  aRecord,
  cancelOrder,
  inFlightNode,
  MINUTE,
  NEW,
  OLD,
  proof,
  rebootOrder,
} from '../testing/builders.ts';
import type { NodeView } from '../world.ts';
import { giveBack, giveBackToStage, uncordoning } from './outcomes.ts';

const before: NodeUpdateStatus = {
  phase: 'Uncordoning',
  next: 'Blocked',
  reason: 'DrainTimeout',
  message: 'with shop/web',
  attempts: 1,
  retryAt: ago(-MINUTE),
};
const asked = anAnswer('claim-n1.reboot', 'RebootAsked');
const cancelledHost = aHost({ staged: proof() }, cancelOrder('n1'));
const askedAndCancelled = aHost({ staged: proof(), answer: asked }, cancelOrder('n1'));
const flight = (node: Partial<NodeView>, status: NodeUpdateStatus = {}) => aFlight(inFlightNode('n1', { ...before, ...status }, node));
const types = ({ commands }: { commands: readonly { type: string }[] }) => commands.map(({ type }) => type);
const early = { deadlines: { reboot: ago(-MINUTE) } };
const late = { deadlines: { reboot: ago(0) } };

describe('uncordoning', () => {
  test.each<[string, Partial<NodeView>, NodeUpdateStatus, string, string[]]>([
    ['nothing ordered: cancelled all the same', {}, {}, 'Uncordoning', ['Order']],
    ['a reboot ordered: cancelled', { host: aHost({}, rebootOrder('n1')) }, {}, 'Uncordoning', ['Order']],
    ['a reboot asked: cancelled, which may help', { host: aHost({ answer: asked }, rebootOrder('n1')) }, early, 'Uncordoning', ['Order']],
    ['cancelled over no fence: uncordoned at once', { host: cancelledHost }, {}, 'Blocked', ['Uncordon', 'WriteStatus']],
    ['cancelled over a fence: waits', { host: askedAndCancelled }, early, 'Rebooting', []],
    ['cancelled over a fence, until the deadline', { host: askedAndCancelled }, late, 'Failed', []],
    [
      'cancelled over a fence that the agent took back',
      { host: aHost({ answer: anAnswer('claim-n1.cancel', 'Done') }, cancelOrder('n1')) },
      early,
      'Blocked',
      ['Uncordon', 'WriteStatus'],
    ],
    [
      'another boot: every order is void',
      { bootID: 'boot-2', host: aHost({ answer: asked }, rebootOrder('n1')) },
      early,
      'Blocked',
      ['Uncordon', 'WriteStatus'],
    ],
    ['no letterbox, and no reboot was ordered', { host: undefined as never }, {}, 'Blocked', ['Uncordon', 'WriteStatus']],
    ['no letterbox, and a reboot may have been asked: waits', { host: undefined as never }, early, 'Rebooting', []],
    ['no letterbox, and a reboot may have been asked, until the deadline', { host: undefined as never }, late, 'Failed', []],
  ])('%s', (_name, node, status, phase, commands) => {
    const result = uncordoning(flight(node, status));
    expect([result.status.phase, types(result)]).toEqual([phase, commands]);
  });

  test('lands in the phase that was persisted, with its reason and its history', () => {
    const { status, commands } = uncordoning(flight({ host: cancelledHost }));
    expect(commands).toEqual([
      { type: 'Uncordon', record: aRecord('n1') },
      { type: 'WriteStatus', status },
    ]);
    expect(status).toMatchObject({ phase: 'Blocked', reason: 'DrainTimeout', message: 'with shop/web', retryAt: ago(-MINUTE) });
    expect(status.history).toEqual([{ from: OLD, to: NEW, startedAt: ago(MINUTE), finishedAt: ago(0), outcome: 'Blocked' }]);
    for (const key of ['claim', 'next', 'deadlines']) expect(status).not.toHaveProperty(key);
  });

  test.each([
    ['RolledBack', 'RolledBack'],
    ['Blocked', 'Blocked'],
    ['Staged', 'TakenBack'],
    ['Idle', 'TakenBack'],
  ] as const)('next %s is remembered as %s', (next, outcome) => {
    expect(uncordoning(flight({ host: cancelledHost }, { next })).status.history?.[0]?.outcome).toBe(outcome);
  });

  test('with its status lost, lands idle', () => {
    const lost = aFlight(inFlightNode('n1', {}, { host: cancelledHost }), { status: {} });
    expect(uncordoning(lost).status).toMatchObject({ phase: 'Idle', reason: 'TakenBack' });
  });

  test('cordons again while it waits for a reboot that was asked', () => {
    expect(types(uncordoning(flight({ host: askedAndCancelled, unschedulable: false }, early)))).toEqual(['CordonAgain']);
  });
});

describe('giveBackToStage', () => {
  const verdict = { reason: 'ProofLost' as const, message: 'it is gone' };

  test.each([
    ['the first time: at once', undefined, { next: 'Staging', attempts: 1 }],
    ['the second time: after a wait', 1, { next: 'Blocked', attempts: 2, retryAt: ago(-2 * MINUTE) }],
    ['the third time: after a longer one', 2, { next: 'Blocked', attempts: 3, retryAt: ago(-4 * MINUTE) }],
  ])('%s', (_name, attempts, expected) => {
    const drained = aFlight(inFlightNode('n1', { phase: 'Draining', ...(attempts !== undefined && { attempts }) }));
    expect(giveBackToStage(drained, verdict).status).toMatchObject({ ...expected, ...verdict });
  });
});

describe('giveBack', () => {
  test('persists what is to be remembered, cancels, and only then uncordons', () => {
    const verdict = { reason: 'Paused' as const, message: 'the node was paused' };
    const first = giveBack(flight({}, { phase: 'Draining' }), 'Staged', verdict);
    expect(types(first)).toEqual(['WriteStatus', 'Order']);
    const second = uncordoning(flight({ host: cancelledHost }, first.status));
    expect(types(second)).toEqual(['Uncordon', 'WriteStatus']);
    expect(second.status).toMatchObject({ phase: 'Staged', ...verdict });
  });

  test('keeps the reboot’s deadline: no clock is restarted', () => {
    const { status } = giveBack(flight({}, { phase: 'Rebooting', ...early }), 'Staged', { reason: 'Paused', message: '' });
    expect(status.deadlines).toEqual(early.deadlines);
  });
});
