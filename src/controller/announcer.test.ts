import { describe, expect, test } from '@jest/globals';
import { type NodeUpdateStatus, PHASES, type Phase } from '../api/node-update.ts';
import type { UpdatePolicyStatus } from '../api/update-policy.ts';
import type { Decision } from '../core/command.ts';
import { unreadableAnnotations, withFindings } from '../core/conditions.ts';
import { ago, aNode, anUpdate, aPolicy, aRecord, aWorld, NEW, NOW, OLD } from '../core/testing/builders.ts';
import type { NodeView, World } from '../core/world.ts';
import { recordingLogger } from '../kube/testing/fixtures.ts';
import { Announcer, type PhaseChange } from './announcer.ts';
import type { EventNote } from './events.ts';

function bed() {
  const events: EventNote[] = [];
  const changes: PhaseChange[] = [];
  const logger = recordingLogger();
  const announcer = new Announcer({ record: (event) => events.push(event) > 0 }, logger, (change) => changes.push(change));
  return { announcer, events, changes, logger, said: () => events.splice(0).map(({ about, type, reason }) => [about.kind, type, reason]) };
}

const NOBODY: ReadonlySet<string> = new Set();

const decisionOf = (statuses: Record<string, NodeUpdateStatus>, policies: Record<string, UpdatePolicyStatus> = {}): Decision => ({
  policies: Object.entries(policies).map(([policy, status]) => ({ policy, status })),
  nodes: Object.entries(statuses).map(([node, status]) => ({ node, status, commands: [] })),
  drains: [],
  lookAt: [],
  jobs: [],
  checks: [],
  handOver: false,
});

const statusOf = (phase: Phase, change: NodeUpdateStatus = {}): NodeUpdateStatus => ({
  policy: 'default',
  phase,
  reason: 'Draining',
  message: 'waits for 1 pod',
  since: ago(0),
  from: OLD,
  target: NEW,
  ...change,
});

const worldOf = (...nodes: NodeView[]): World => aWorld({ nodes });

describe('a change of phase', () => {
  test('is told once: an Event on the Node and one on its policy, a line, and whoever counts', () => {
    const { announcer, events, changes, logger } = bed();
    const node = aNode('a', { update: anUpdate(statusOf('Staged', { since: ago(90_000) })) });
    for (let i = 0; i < 3; i += 1) announcer.announce(worldOf(node), decisionOf({ a: statusOf('Draining', { claim: 'claim-1' }) }), NOBODY);
    expect(events).toEqual([
      { about: { kind: 'Node', name: 'a', uid: 'uid-a' }, type: 'Normal', reason: 'Draining', message: 'waits for 1 pod' },
      {
        about: { kind: 'UpdatePolicy', name: 'default', uid: 'uid-default' },
        type: 'Normal',
        reason: 'Draining',
        message: 'a: waits for 1 pod',
      },
    ]);
    expect(logger.lines.map(({ level, fields }) => [level, fields])).toEqual([
      [
        'info',
        {
          action: 'Phase',
          node: 'a',
          policy: 'default',
          claim: 'claim-1',
          phaseFrom: 'Staged',
          phase: 'Draining',
          from: OLD,
          to: NEW,
          reason: 'Draining',
          why: 'waits for 1 pod',
        },
      ],
    ]);
    expect(changes).toEqual([{ node, from: 'Staged', status: statusOf('Draining', { claim: 'claim-1' }), seconds: 90 }]);
  });

  test('is told also where it was passed through before it was persisted', () => {
    const { announcer, events } = bed();
    const node = aNode('a', { update: anUpdate(statusOf('Staged')) });
    for (const phase of ['Draining', 'Rebooting', 'Rebooting', 'Verifying'] as const)
      announcer.announce(worldOf(node), decisionOf({ a: statusOf(phase) }), NOBODY);
    expect(events.filter(({ about }) => about.kind === 'Node').map(({ reason }) => reason)).toEqual(['Draining', 'Rebooting', 'Verifying']);
  });

  test('that was persisted before is not told again by the next leader', () => {
    const { announcer, events } = bed();
    announcer.announce(worldOf(aNode('a', { update: anUpdate(statusOf('Draining')) })), decisionOf({ a: statusOf('Draining') }), NOBODY);
    expect(events).toEqual([]);
  });

  test('of a node whose writes failed is told when they are done', () => {
    const { announcer, events } = bed();
    const world = worldOf(aNode('a', { update: anUpdate(statusOf('Staged')) }));
    announcer.announce(world, decisionOf({ a: statusOf('Draining') }), new Set(['a']));
    expect(events).toEqual([]);
    announcer.announce(world, decisionOf({ a: statusOf('Draining') }), NOBODY);
    expect(events).toHaveLength(2);
  });

  test('of a node that landed says where its update led from', () => {
    const { announcer, logger } = bed();
    const node = aNode('a', { record: aRecord('a'), update: anUpdate(statusOf('Verifying')) });
    announcer.announce(worldOf(node), decisionOf({ a: statusOf('Idle', { from: NEW, target: NEW }) }), NOBODY);
    expect(logger.lines[0]!.fields).toMatchObject({ claim: 'claim-a', from: OLD, to: NEW });
  });

  test('of a node without a policy is told on the Node alone', () => {
    const { announcer, said } = bed();
    const status = statusOf('Idle');
    delete status.policy;
    announcer.announce(worldOf(aNode('a')), decisionOf({ a: status }), NOBODY);
    expect(said()).toEqual([['Node', 'Normal', 'Idle']]);
  });

  test('of an unknown node is not told', () => {
    const { announcer, said } = bed();
    announcer.announce(worldOf(), decisionOf({ a: statusOf('Idle') }), NOBODY);
    expect(said()).toEqual([]);
  });

  test('of another node of the same name begins anew', () => {
    const { announcer, said } = bed();
    announcer.announce(worldOf(aNode('a', { update: anUpdate() })), decisionOf({ a: statusOf('Idle') }), NOBODY);
    said();
    announcer.announce(worldOf(aNode('a', { uid: 'uid-2', update: anUpdate() })), decisionOf({ a: statusOf('Idle') }), NOBODY);
    expect(said()).toHaveLength(2);
  });

  test.each([...PHASES])('to %s is a warning just where a person should look', (phase) => {
    const { announcer, events } = bed();
    announcer.announce(worldOf(aNode('a', { update: anUpdate() })), decisionOf({ a: statusOf(phase) }), NOBODY);
    expect(events[0]!.type).toBe(['Blocked', 'RollingBack', 'RolledBack', 'Failed'].includes(phase) ? 'Warning' : 'Normal');
  });

  test('has no length where the times cannot be read, or go back', () => {
    const { announcer, changes } = bed();
    const persisted = (since: string) => worldOf(aNode('a', { uid: since, update: anUpdate(statusOf('Staged', { since })) }));
    announcer.announce(persisted('yesterday'), decisionOf({ a: statusOf('Draining') }), NOBODY);
    announcer.announce(persisted(ago(-60_000)), decisionOf({ a: statusOf('Draining') }), NOBODY);
    expect(changes.map(({ seconds }) => seconds)).toEqual([undefined, undefined]);
  });
});

describe('an annotation that makes no sense', () => {
  const invalid = (message = 'annotation x is "y"') => withFindings(statusOf('Staged'), unreadableAnnotations([message]), NOW);
  const world = worldOf(aNode('a', { update: anUpdate(statusOf('Staged')) }));

  test('is told once, and again where it is another, or comes back', () => {
    const { announcer, said } = bed();
    const announce = (status: NodeUpdateStatus) => announcer.announce(world, decisionOf({ a: status }), NOBODY);
    announce(invalid());
    announce(invalid());
    expect(said()).toEqual([['Node', 'Warning', 'InvalidAnnotation']]);
    announce(invalid('annotation x is "z"'));
    expect(said()).toHaveLength(1);
    announce(statusOf('Staged'));
    expect(said()).toHaveLength(0);
    announce(invalid('annotation x is "z"'));
    expect(said()).toHaveLength(1);
  });

  test('is not told again by the next leader', () => {
    const { announcer, said } = bed();
    announcer.announce(worldOf(aNode('a', { update: anUpdate(invalid()) })), decisionOf({ a: invalid() }), NOBODY);
    expect(said()).toEqual([]);
  });
});

describe('a policy that is not ready', () => {
  const notReady = (message: string): UpdatePolicyStatus => ({
    conditions: [{ type: 'Ready', status: 'False', reason: 'PolicyNotReady', message, lastTransitionTime: ago(0) }],
  });
  const ready: UpdatePolicyStatus = {
    conditions: [{ type: 'Ready', status: 'True', reason: 'Accepted', message: 'ok', lastTransitionTime: ago(0) }],
  };

  test('is told once for each problem, and again when it comes back', () => {
    const { announcer, said } = bed();
    const announce = (status: UpdatePolicyStatus) => announcer.announce(aWorld(), decisionOf({}, { default: status }), NOBODY);
    for (const status of [notReady('bad range'), notReady('bad range')]) announce(status);
    expect(said()).toEqual([['UpdatePolicy', 'Warning', 'PolicyNotReady']]);
    announce(notReady('worse'));
    expect(said()).toHaveLength(1);
    announce(ready);
    expect(said()).toHaveLength(0);
    announce(notReady('worse'));
    expect(said()).toHaveLength(1);
  });

  test('is not told again by the next leader, but of a new policy of its name', () => {
    const { announcer, said } = bed();
    const persisted = { ...aWorld(), policies: [aPolicy({ status: notReady('bad') })] };
    announcer.announce(persisted, decisionOf({}, { default: notReady('bad') }), NOBODY);
    expect(said()).toEqual([]);
    announcer.announce({ ...aWorld(), policies: [aPolicy({ uid: 'new' })] }, decisionOf({}, { default: notReady('bad') }), NOBODY);
    expect(said()).toHaveLength(1);
  });
});

test('that a policy is halted, and a release marked bad, is told once each, and again as more nodes fail', () => {
  const { announcer, events } = bed();
  const condition = (type: string, message: string) => ({
    type,
    status: 'True' as const,
    reason: type,
    message,
    lastTransitionTime: ago(0),
  });
  const halted = (nodes: string) => ({ conditions: [condition('Halted', `halted by ${nodes}`), condition('BadRelease', '1.26.1 is bad')] });
  for (const nodes of ['a', 'a', 'a, b']) announcer.announce(aWorld(), decisionOf({}, { default: halted(nodes) }), NOBODY);
  expect(events.map(({ reason, message }) => [reason, message])).toEqual([
    ['Halted', 'halted by a'],
    ['BadRelease', '1.26.1 is bad'],
    ['Halted', 'halted by a, b'],
  ]);
});

describe('an urgent version', () => {
  const condition = (status: 'True' | 'False', message: string) => ({
    conditions: [{ type: 'Urgent', status, reason: 'Urgent', message, lastTransitionTime: ago(0) }],
  });
  const wanted = condition('True', '1.26.1 is wanted now');

  test('is told once, with a line for the audit, beside what else is wrong', () => {
    const { announcer, events, logger } = bed();
    const world = aWorld({ nodes: [aNode('a', { update: anUpdate(statusOf('Staged')) })] });
    const decision = decisionOf({ a: statusOf('Staged', wanted) }, { default: wanted });
    for (let i = 0; i < 2; i += 1) announcer.announce(world, decision, NOBODY);
    expect(events.map(({ about: { kind }, type, reason, message }) => [kind, type, reason, message])).toEqual([
      ['Node', 'Warning', 'Urgent', '1.26.1 is wanted now'],
      ['UpdatePolicy', 'Warning', 'Urgent', '1.26.1 is wanted now'],
    ]);
    expect(logger.lines.map(({ fields }) => fields)).toMatchObject([
      { action: 'Urgent', about: 'Node', name: 'a' },
      { action: 'Urgent', about: 'UpdatePolicy', name: 'default', why: '1.26.1 is wanted now' },
    ]);
  });

  test('is not told where it does nothing, nor again by the next leader', () => {
    const { announcer, said } = bed();
    announcer.announce(aWorld(), decisionOf({}, { default: condition('False', 'every node runs it') }), NOBODY);
    announcer.announce(aWorld({ policies: [aPolicy({ status: wanted, uid: 'other' })] }), decisionOf({}, { default: wanted }), NOBODY);
    expect(said()).toEqual([]);
  });
});
