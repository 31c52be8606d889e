import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import { aFlight, ago, aHost, aNode, anAnswer, aRecord, inFlightNode, MINUTE, NEW, NOW, proof, rebootOrder } from '../testing/builders.ts';
import type { NodeView } from '../world.ts';
import { failed } from './failed.ts';
import type { Flight } from './flight.ts';

const asked = aHost({ staged: proof(), answer: anAnswer('claim-n1.reboot', 'RebootAsked') }, rebootOrder('n1'));
const failure = {
  target: NEW,
  at: ago(MINUTE),
  reason: 'RebootTimeout',
  message: 'no other boot',
  bootID: 'boot-1',
  readySince: ago(MINUTE),
};
const lost = { ready: { status: false, since: ago(MINUTE) }, host: asked };
const ready = (since = ago(1)) => ({ status: true, since });
const booted = { bootID: 'boot-2', os: { ...aNode('n1').os!, version: NEW } };

function step(node: Partial<NodeView> = {}, change: Partial<Flight> = {}, status: NodeUpdateStatus = {}) {
  return failed(aFlight(inFlightNode('n1', { phase: 'Failed', failures: [failure], ...status }, { ...lost, ...node }), change));
}
const retried = { retried: true, tokens: { retry: 'now' } };
const types = ({ commands }: { commands: readonly { type: string }[] }) => commands.map(({ type }) => type);

describe('failed', () => {
  test.each<[string, Partial<NodeView>, Partial<Flight>, string, string[]]>([
    ['no news: stays', {}, {}, 'Failed', []],
    ['Ready again under the same boot: stays', { ready: ready() }, {}, 'Failed', []],
    ['another boot, not Ready yet: stays', { bootID: 'boot-2' }, {}, 'Failed', []],
    ['another boot, Ready: verified', { ...booted, ready: ready() }, {}, 'Verifying', []],
    [
      'another boot, Ready, and it rolled back',
      { bootID: 'boot-2', ready: ready() },
      {},
      'RolledBack',
      ['WriteStatus', 'Uncordon', 'WriteStatus'],
    ],
    ['a retry before another boot: taken back', {}, retried, 'Uncordoning', ['WriteStatus', 'Order']],
    ['a retry after another boot: verified', booted, retried, 'Verifying', []],
    [
      'a retry where its host would not go back: taken back anew',
      { ...booted, record: aRecord('n1', { from: NEW, target: aNode('n1').os!.version, rollsBack: true }) },
      retried,
      'Idle',
      ['WriteStatus', 'Uncordon', 'WriteStatus'],
    ],
    ['a person uncordoned it', { unschedulable: false }, {}, 'RolledBack', ['Order', 'Uncordon', 'WriteStatus']],
    ['a person uncordoned it after another boot', { ...booted, unschedulable: false }, {}, 'RolledBack', ['Uncordon', 'WriteStatus']],
    [
      'a person uncordoned it, and asked for a retry',
      { unschedulable: false },
      retried,
      'RolledBack',
      ['Order', 'Uncordon', 'WriteStatus'],
    ],
    ['its policy is gone: stays', {}, { orphaned: true }, 'Failed', []],
    ['it is paused: stays', {}, { byHand: { paused: true, problems: [] } }, 'Failed', []],
  ])('%s', (_name, node, change, phase, commands) => {
    const result = step(node, change);
    expect([result.status.phase, types(result)]).toEqual([phase, commands]);
  });

  test('a verification that timed out is begun again only where Ready has changed', () => {
    const timedOut = { ...failure, reason: 'VerificationTimeout', bootID: 'boot-2' };
    expect(step({ ...booted, ready: ready(ago(MINUTE)) }, {}, { failures: [timedOut] }).status.phase).toBe('Failed');
    expect(step({ ...booted, ready: ready() }, {}, { failures: [timedOut] }).status.phase).toBe('Verifying');
  });

  test('says what failed', () => {
    expect(step().status).toMatchObject({ reason: 'RebootTimeout', message: 'no other boot' });
    expect(step({}, {}, { failures: [{ ...failure, reason: 'VerificationTimeout' }] }).status.reason).toBe('VerificationTimeout');
  });

  test('a retry is acted upon once: its token is kept, and what failed is forgotten', () => {
    const { status } = step({}, retried);
    expect(status).toMatchObject({ tokens: { retry: 'now' }, next: 'Idle' });
    expect(status).not.toHaveProperty('failures');
  });

  test('a person’s uncordon frees the slot, and the target is not tried again by itself', () => {
    const { status, commands } = step({ unschedulable: false });
    expect(commands[0]).toMatchObject({ order: { id: 'claim-n1.cancel', action: 'Cancel' } });
    expect(commands[1]).toEqual({ type: 'Uncordon', record: aRecord('n1') });
    expect(status).toMatchObject({ reason: 'UncordonedByHand', failures: [failure], history: [{ outcome: 'UncordonedByHand' }] });
    expect(status).not.toHaveProperty('claim');
  });

  test('is steady', () => {
    const first = step().status;
    expect(step({}, { now: NOW + MINUTE, status: first }).status).toEqual(first);
  });
});
