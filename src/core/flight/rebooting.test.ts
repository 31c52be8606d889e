import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import {
  aFlight,
  ago,
  aHost,
  aNode,
  anAnswer,
  aRecord,
  inFlightNode,
  MINUTE,
  NEW,
  NOW,
  OLD,
  proof,
  rebootOrder,
} from '../testing/builders.ts';
import type { NodeView } from '../world.ts';
import type { Flight } from './flight.ts';
import { LOOK_AT_MACHINE } from './outcomes.ts';
import { rebooting } from './rebooting.ts';

const ID = 'claim-n1.reboot';
const on = (version: string) => ({ ...aNode('n1').os!, version });
const ordered = (answer?: ReturnType<typeof anAnswer>, bootID = 'boot-1') =>
  aHost({ staged: proof(), bootID, ...(answer && { answer }) }, rebootOrder('n1'));
const asked = ordered(anAnswer(ID, 'RebootAsked'));
const early: NodeUpdateStatus = { deadlines: { drain: ago(-29 * MINUTE), reboot: ago(-MINUTE) } };
const closed = { reason: 'OutsideWindow', message: 'waits for the window to open' } as const;
const late: NodeUpdateStatus = { deadlines: { drain: ago(-29 * MINUTE), reboot: ago(0) } };

function step(node: Partial<NodeView>, status: NodeUpdateStatus = early, change: Partial<Flight> = {}) {
  return rebooting(aFlight(inFlightNode('n1', { phase: 'Rebooting', reason: 'RebootOrdered', ...status }, node), change));
}

describe('rebooting, under the boot that the order is for', () => {
  test.each<[string, Partial<NodeView>, NodeUpdateStatus, Partial<Flight>, string, string]>([
    ['ordered: waits', { host: ordered() }, early, {}, 'Rebooting', 'RebootOrdered'],
    ['asked: waits', { host: asked }, early, {}, 'Rebooting', 'RebootAsked'],
    ['no letterbox: waits as if it was asked', { host: undefined as never }, early, {}, 'Rebooting', 'RebootAsked'],
    ['asked, paused: finishes', { host: asked }, early, { byHand: { paused: true, problems: [] } }, 'Rebooting', 'RebootAsked'],
    ['asked, closed: finishes', { host: asked }, early, { closed }, 'Rebooting', 'RebootAsked'],
    ['asked, its policy gone: finishes', { host: asked }, early, { orphaned: true }, 'Rebooting', 'RebootAsked'],
    ['ordered, until the deadline', { host: ordered() }, late, {}, 'Uncordoning', 'RebootNotStarted'],
    ['asked, until the deadline', { host: asked }, late, {}, 'Failed', 'RebootTimeout'],
    ['no letterbox, until the deadline', { host: undefined as never }, late, {}, 'Failed', 'RebootTimeout'],
    ['ordered, paused', { host: ordered() }, early, { byHand: { paused: true, problems: [] } }, 'Uncordoning', 'Paused'],
    ['ordered, closed', { host: ordered() }, early, { closed }, 'Uncordoning', 'OutsideWindow'],
    ['ordered, its policy gone', { host: ordered() }, early, { orphaned: true }, 'Uncordoning', 'TakingBack'],
    ['refused: the proof is gone', { host: ordered(anAnswer(ID, 'Failed', 'ProofLost')) }, early, {}, 'Uncordoning', 'ProofLost'],
    ['refused: another boot', { host: ordered(anAnswer(ID, 'Failed', 'BootIDChanged')) }, early, {}, 'Uncordoning', 'ProofLost'],
    [
      'refused: the activation',
      { host: ordered(anAnswer(ID, 'Failed', 'ActivationFailed')) },
      early,
      {},
      'Uncordoning',
      'ActivationFailed',
    ],
    ['an agent that does not know how', { host: ordered(anAnswer(ID, 'Unsupported')) }, early, {}, 'Uncordoning', 'AgentOutdated'],
    [
      'an answer to another order is none',
      { host: ordered(anAnswer('other', 'Failed', 'ActivationFailed')) },
      early,
      {},
      'Rebooting',
      'RebootOrdered',
    ],
    ['not ordered yet: ordered now', { host: aHost({ staged: proof() }) }, early, {}, 'Rebooting', 'RebootOrdered'],
  ])('%s', (_name, node, status, change, phase, reason) => {
    const result = step(node, status, change);
    expect([result.status.phase, result.status.reason]).toEqual([phase, reason]);
  });

  test('one that is not heard of in time says what to look at, and that nothing more need be done', () => {
    expect(step({ host: asked }, late).status.message).toContain(LOOK_AT_MACHINE);
  });

  test.each([
    ['Paused', { host: ordered() }, { byHand: { paused: true, problems: [] } }, 'Staged'],
    ['OutsideWindow', { host: ordered() }, { closed }, 'Staged'],
    ['RebootNotStarted', { host: ordered() }, { now: NOW + MINUTE }, 'Blocked'],
    ['ProofLost', { host: ordered(anAnswer(ID, 'Failed', 'ProofLost')) }, {}, 'Staging'],
    ['ActivationFailed', { host: ordered(anAnswer(ID, 'Failed', 'ActivationFailed')) }, {}, 'RolledBack'],
    ['a host that could not be asked', { host: ordered(anAnswer(ID, 'Failed', 'HostUnreachable')) }, {}, 'Blocked'],
    ['settings that could not be restored', { host: ordered(anAnswer(ID, 'Failed', 'SettingsFailed')) }, {}, 'Blocked'],
  ])('%s: Cancel before anything else, next %4$s', (_, node, change, next) => {
    const { status, commands } = step(node, early, change);
    expect(status.next).toBe(next);
    expect(commands.map(({ type }) => type)).toEqual(['WriteStatus', 'Order']);
    expect(commands[1]).toMatchObject({ order: { action: 'Cancel' } });
  });

  test('only a refused activation is a failure of the target', () => {
    expect(step({ host: ordered(anAnswer(ID, 'Failed', 'ActivationFailed')) }).status.failures).toMatchObject([
      { target: NEW, reason: 'ActivationFailed' },
    ]);
    expect(step({ host: ordered(anAnswer(ID, 'Failed', 'ProofLost')) }).status).not.toHaveProperty('failures');
  });

  test('nor is it one where nothing was to be activated: tried again after a wait, not drained over and over', () => {
    const refused = { record: aRecord('n1', { target: OLD }), host: ordered(anAnswer(ID, 'Failed', 'ActivationFailed')) };
    const { status } = step(refused);
    expect(status).toMatchObject({ next: 'Blocked', attempts: 1 });
    expect(status).not.toHaveProperty('failures');
  });

  test('a failure keeps what the node looked like', () => {
    const { status, commands } = step({ host: asked }, late);
    expect(status.failures).toMatchObject([{ target: NEW, bootID: 'boot-1', readySince: ago(24 * 60 * MINUTE), at: ago(0) }]);
    expect(status).not.toHaveProperty('deadlines');
    expect(commands).toEqual([]);
  });

  test('cordons again what somebody uncordoned', () => {
    expect(step({ host: asked, unschedulable: false }).commands).toEqual([{ type: 'CordonAgain' }]);
  });

  test('with its status lost, waits by the record’s deadline', () => {
    const record = aRecord('n1', { drainDeadline: ago(14 * MINUTE) });
    expect(step({ host: asked, record }, { deadlines: undefined as never }).until).toBe(NOW + MINUTE);
  });
});

describe('rebooting, under another boot', () => {
  const reported = (answer?: ReturnType<typeof anAnswer>) => ordered(answer, 'boot-2');

  test.each<[string, Partial<NodeView>, NodeUpdateStatus, string, string]>([
    ['asked, at the target', { os: on(NEW), host: reported(anAnswer(ID, 'RebootAsked')) }, early, 'Verifying', 'Verifying'],
    ['done, at the target', { os: on(NEW), host: reported(anAnswer(ID, 'Done')) }, early, 'Verifying', 'Verifying'],
    ['not asked, at the target', { os: on(NEW), host: reported() }, early, 'Verifying', 'Verifying'],
    ['asked, not at the target', { host: reported(anAnswer(ID, 'RebootAsked')) }, early, 'RolledBack', 'RolledBackByHost'],
    ['done, not at the target', { host: reported(anAnswer(ID, 'Done')) }, early, 'RolledBack', 'RolledBackByHost'],
    ['seen as asked before', { host: reported() }, { ...early, reason: 'RebootAsked' }, 'RolledBack', 'RolledBackByHost'],
    ['no letterbox, not at the target', { host: undefined as never }, early, 'RolledBack', 'RolledBackByHost'],
    ['not asked, not at the target', { host: reported() }, early, 'Staging', 'ForeignReboot'],
    ['refused before', { host: reported(anAnswer(ID, 'Failed', 'BootIDChanged')) }, early, 'Staging', 'ForeignReboot'],
    ['the agent has not reported this boot: waits', { host: ordered() }, early, 'Rebooting', 'RebootOrdered'],
    ['… until the deadline', { host: ordered() }, late, 'Staging', 'ForeignReboot'],
  ])('%s', (_name, node, status, phase, reason) => {
    const result = step({ bootID: 'boot-2', ...node }, status);
    expect([result.status.phase, result.status.reason]).toEqual([phase, reason]);
  });

  test('a kubelet that has not said its boot ID has not rebooted', () => {
    expect(step({ bootID: '', host: asked }).status.phase).toBe('Rebooting');
  });

  test('needs no Cancel: every order is void', () => {
    const { commands } = step({ bootID: 'boot-2', host: reported(anAnswer(ID, 'Done')) });
    expect(commands.map(({ type }) => type)).toEqual(['WriteStatus', 'Uncordon', 'WriteStatus']);
  });
});
