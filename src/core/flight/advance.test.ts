import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus, Phase } from '../../api/node-update.ts';
import {
  aFlight,
  ago,
  aHost,
  aNode,
  anAnswer,
  anUpdate,
  aPod,
  cancelOrder,
  inFlightNode,
  MINUTE,
  NEW,
  proof,
  rebootOrder,
} from '../testing/builders.ts';
import type { NodeView } from '../world.ts';
import { advance } from './advance.ts';
import type { Flight } from './flight.ts';

const pods = { pods: new Map([['n1', [aPod('web')]]]) };
const ordered = aHost({ staged: proof() }, rebootOrder('n1'));
const asked = aHost({ staged: proof(), answer: anAnswer('claim-n1.reboot', 'RebootAsked') }, rebootOrder('n1'));
const cancelledHost = aHost({ staged: proof() }, cancelOrder('n1'));
const booted = { bootID: 'boot-2', os: { ...aNode('n1').os!, version: NEW }, host: asked };
const failures = [{ target: NEW, at: ago(MINUTE), reason: 'RebootTimeout', bootID: 'boot-1', readySince: ago(MINUTE) }];

function step(status: NodeUpdateStatus, node: Partial<NodeView> = {}, change: Partial<Flight> = {}) {
  return advance(aFlight(inFlightNode('n1', status, node), change, pods)).status;
}

describe('advance', () => {
  test.each<[string, Phase, Partial<NodeView>, Phase]>([
    ['goes on draining', 'Draining', {}, 'Draining'],
    ['goes on rebooting', 'Rebooting', { host: asked }, 'Rebooting'],
    ['goes on verifying', 'Verifying', { ...booted, ready: { status: false, since: ago(MINUTE) } }, 'Verifying'],
    ['stays failed', 'Failed', { host: asked }, 'Failed'],
    ['goes on uncordoning', 'Uncordoning', { host: cancelledHost }, 'Idle'],
    ['the order overrules Draining', 'Draining', { host: ordered }, 'Rebooting'],
    ['the Cancel overrules Draining', 'Draining', { host: cancelledHost }, 'Idle'],
    ['the Cancel overrules Rebooting', 'Rebooting', { host: cancelledHost }, 'Idle'],
    ['another boot overrules the Cancel', 'Rebooting', { ...booted, host: { ...cancelledHost, status: asked.status } }, 'Verifying'],
  ])('%s', (_name, phase, node, expected) => {
    expect(step({ phase }, node).phase).toBe(expected);
  });

  describe('with its status lost, or of an earlier claim', () => {
    test.each<[string, Partial<NodeView>, Phase]>([
      ['nothing ordered: drains', {}, 'Draining'],
      ['ordered: rebooting', { host: ordered }, 'Rebooting'],
      ['no letterbox: whatever was asked of it is waited for', { host: undefined as never }, 'Rebooting'],
      ['cancelled: uncordons', { host: cancelledHost }, 'Idle'],
      ['another boot, at the target: verifies', booted, 'Verifying'],
    ])('%s', (_name, node, expected) => {
      const earlier = {
        phase: 'Uncordoning' as const,
        next: 'Blocked' as const,
        claim: 'an-earlier-claim',
        deadlines: { reboot: ago(MINUTE) },
      };
      expect(step(earlier, node).phase).toBe(expected);
      expect(advance(aFlight(inFlightNode('n1', {}, { ...node, update: anUpdate() }), {}, pods)).status.phase).toBe(expected);
    });

    test('keeps what it remembers across claims', () => {
      const earlier = {
        phase: 'Idle' as const,
        claim: 'earlier',
        failures,
        attempts: 3,
        behindSince: ago(MINUTE),
        drain: { startedAt: ago(MINUTE), total: 9, remaining: 9 },
      };
      const status = step(earlier);
      expect(status).toMatchObject({ failures, attempts: 3, behindSince: ago(MINUTE), claim: 'claim-n1' });
      expect(status.drain?.total).toBe(1);
    });
  });

  describe('a retry', () => {
    const retry = { retried: true, tokens: { retry: 'now' } };

    test('that comes before the failure is used up by it', () => {
      const status = step({ phase: 'Rebooting', deadlines: { reboot: ago(0) } }, { host: asked }, retry);
      expect(status).toMatchObject({ phase: 'Failed', tokens: { retry: 'now' } });
      expect(step(status, { host: asked }, { retried: false, tokens: { retry: 'now' } }).phase).toBe('Failed');
    });

    test('forgets what failed before this claim, once', () => {
      const status = step({ phase: 'Draining', failures }, {}, retry);
      expect(status).toMatchObject({ phase: 'Draining', tokens: { retry: 'now' } });
      expect(status).not.toHaveProperty('failures');
      const again = step({ phase: 'Draining', failures, tokens: { retry: 'now' } }, {}, { retried: false, tokens: { retry: 'now' } });
      expect(again).toMatchObject({ failures });
    });

    test('waits while the node goes back', () => {
      const status = step({ phase: 'RollingBack', failures }, { os: { ...aNode('n1').os!, version: NEW } }, retry);
      expect(status).toMatchObject({ phase: 'RollingBack', failures });
      expect(status).not.toHaveProperty('tokens');
    });

    test('that comes after it is acted upon', () => {
      expect(step({ phase: 'Failed', failures }, { host: asked }, retry)).toMatchObject({ phase: 'Uncordoning', tokens: { retry: 'now' } });
    });
  });
});
