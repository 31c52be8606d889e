import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../../api/names.ts';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import type { UpdatePolicySpec, UpdatePolicyStatus } from '../../api/update-policy.ts';
import { ago, aPolicy, NEW, OLD } from '../../core/testing/builders.ts';
import { RefusedError } from '../errors.ts';
import type { Ask, Verb } from './change.ts';
import { approve, pin, unapprove, unpin } from './choosing.ts';
import { clearBadRelease, reboot, retry, skip } from './once.ts';
import { pause, resume } from './pausing.ts';
import type { Target } from './targets.ts';

const token = 'new';
const staged: NodeUpdateStatus = { phase: 'Staged', reason: 'AwaitingApproval', from: OLD, target: NEW, policy: 'default' };
const failed = { target: NEW, at: ago(0), reason: 'RolledBackByHost', bootID: 'b', readySince: ago(0) };
const halted: UpdatePolicyStatus = {
  conditions: [{ type: 'Halted', status: 'True', reason: 'FailureBudgetReached', message: 'halted', lastTransitionTime: ago(0) }],
  rollouts: [
    {
      id: 'r',
      variant: 'v',
      arch: 'a',
      target: NEW,
      startedAt: ago(0),
      updated: 0,
      failed: [{ node: 'a', hostID: 'h', target: NEW, reason: 'RolledBackByHost', at: ago(0) }],
      groups: [
        { name: 'canary', state: 'Untested' },
        { name: 'rest', state: 'Updating' },
      ],
    },
  ],
};

interface Given {
  on?: Record<string, string>;
  spec?: Partial<UpdatePolicySpec>;
  status?: UpdatePolicyStatus;
  node?: NodeUpdateStatus;
}

function policy({ on = {}, spec = {}, status = {}, node = staged }: Given = {}): Target {
  const view = aPolicy({ spec, annotations: on, status });
  return { kind: 'policy', policy: view, nodes: [{ name: 'a', annotations: {}, status: node, host: { available: [NEW, OLD] } }] };
}

/** `onNode` is what stands on the Node itself. */
function node({
  on = {},
  onNode = {},
  above = {},
  spec = {},
  ...given
}: Given & { onNode?: Record<string, string>; above?: Record<string, string> } = {}): Target {
  return {
    kind: 'node',
    node: { name: 'a', annotations: on, status: given.node ?? staged, host: { available: [NEW, OLD] } },
    policy: aPolicy({ spec, annotations: above }),
    onNode,
  };
}

const by = (name: keyof typeof BY_HAND, value: string | null) => ({ [BY_HAND[name]]: value });
const manual = { approval: 'Manual' as const };
const nothing = {};

test.each<[string, Verb, Target, Partial<Ask>, object, RegExp]>([
  ['pause a policy', pause, policy(), {}, by('paused', 'true'), /none is in flight; to go on: kubectl lockkeeper resume default$/],
  [
    'pause with a node in flight',
    pause,
    policy({ node: { ...staged, phase: 'Draining' } }),
    {},
    by('paused', 'true'),
    /what is in flight finishes \(a\)/,
  ],
  ['pause what is paused', pause, policy({ on: { [BY_HAND.paused]: 'true' } }), {}, nothing, /is paused already: nothing to do/],
  ['pause what its spec pauses', pause, policy({ spec: { paused: true } }), {}, nothing, /paused by its spec/],
  ['pause a node', pause, node(), {}, by('paused', 'true'), /it is not begun/],
  ['pause a draining node', pause, node({ node: { ...staged, phase: 'Draining' } }), {}, by('paused', 'true'), /its drain is given up/],
  ['pause a rebooting node', pause, node({ node: { ...staged, phase: 'Rebooting' } }), {}, by('paused', 'true'), /finished first/],
  ['pause a node whose Node is paused', pause, node({ onNode: { [BY_HAND.paused]: 'true' } }), {}, nothing, /already/],
  ['resume', resume, policy({ on: { [BY_HAND.paused]: 'true' } }), {}, by('paused', null), /begun again/],
  ['resume a halt', resume, policy({ status: halted }), {}, by('resume', token), /failures so far no longer count/],
  [
    'resume both',
    resume,
    policy({ on: { [BY_HAND.paused]: 'true' }, status: halted }),
    {},
    by('paused', null),
    /still halted \(failed: a \(RolledBackByHost, 1\.26\.1\)\).*resume default/,
  ],
  ['resume a halt with --all', resume, policy({ status: halted }), { all: true }, nothing, /which --all leaves as it is/],
  ['resume twice', resume, policy({ on: { [BY_HAND.resume]: 'x' }, status: halted }), {}, nothing, /already, and no controller has acted/],
  [
    'resume a second halt',
    resume,
    policy({ on: { [BY_HAND.resume]: 'x' }, status: { ...halted, tokens: { resume: 'x' } } }),
    {},
    by('resume', token),
    /no longer count/,
  ],
  ['resume nothing', resume, policy(), {}, nothing, /neither paused nor halted: nothing to do/],
  [
    'resume what the spec pauses',
    resume,
    policy({ on: { [BY_HAND.paused]: 'true' }, spec: { paused: true } }),
    {},
    by('paused', null),
    /its spec says paused: true/,
  ],
  [
    'resume a node whose Node is paused',
    resume,
    node({ onNode: { [BY_HAND.paused]: 'true' } }),
    {},
    nothing,
    /kubectl annotate node a lockkeeper\.dev\/paused-/,
  ],
  [
    'resume a node of a paused policy',
    resume,
    node({ on: { [BY_HAND.paused]: 'true' }, above: { [BY_HAND.paused]: 'true' } }),
    {},
    by('paused', null),
    /UpdatePolicy default is paused/,
  ],
  ['pin', pin, policy(), { version: OLD }, by('pinVersion', OLD), /brought to 1\.26\.0 by the rules/],
  ['pin again', pin, policy({ on: { [BY_HAND.pinVersion]: OLD } }), { version: OLD }, nothing, /already/],
  [
    'pin below',
    pin,
    policy({ node: { ...staged, from: NEW } }),
    { version: OLD },
    by('pinVersion', OLD),
    /stays as it is because spec\.version\.allowDowngrade is false: a/,
  ],
  ['pin what nobody offers, by force', pin, policy(), { version: '9.0.0', force: true }, by('pinVersion', '9.0.0'), /9\.0\.0/],
  ['unpin', unpin, policy({ on: { [BY_HAND.pinVersion]: OLD } }), {}, by('pinVersion', null), /range \(\*\) holds again/],
  ['unpin nothing', unpin, policy(), {}, nothing, /not pinned by this program/],
  [
    'unpin below a pinned spec',
    unpin,
    policy({ on: { [BY_HAND.pinVersion]: OLD }, spec: { version: { ...aPolicy().spec.version, pin: NEW } } }),
    {},
    by('pinVersion', null),
    /its spec says 1\.26\.1/,
  ],
  ['approve what waits', approve, policy({ spec: manual }), {}, by('approvedVersion', NEW), /plan shows when/],
  ['approve by name', approve, node({ spec: manual }), { version: NEW }, by('approvedVersion', NEW), /it is begun/],
  ['approve again', approve, policy({ spec: manual, on: { [BY_HAND.approvedVersion]: NEW } }), { version: NEW }, nothing, /already/],
  ['approve what needs none', approve, policy(), { version: NEW }, nothing, /asks for no approval/],
  ['approve where nothing waits', approve, policy({ spec: manual, node: { ...staged, target: OLD } }), {}, nothing, /nothing waits/],
  ['approve now', approve, policy(), { version: NEW, now: true }, by('urgent', NEW), /PodDisruptionBudgets do/],
  ['approve now what runs', approve, policy({ node: { from: NEW } }), { version: NEW, now: true }, nothing, /runs 1\.26\.1 or a newer/],
  [
    'unapprove both',
    unapprove,
    policy({ on: { [BY_HAND.approvedVersion]: OLD, [BY_HAND.urgent]: NEW } }),
    {},
    { ...by('approvedVersion', null), ...by('urgent', null) },
    /hold again/,
  ],
  ['unapprove nothing', unapprove, policy(), {}, nothing, /nothing to do/],
  ['retry', retry, policy({ node: { ...staged, failures: [failed] } }), {}, by('retry', token), /what failed on a is forgotten/],
  ['retry a node', retry, node({ node: { ...staged, phase: 'Failed' } }), {}, by('retry', token), /tried again/],
  ['retry nothing', retry, node(), {}, nothing, /nothing has failed/],
  [
    'retry twice',
    retry,
    node({ on: { [BY_HAND.retry]: 'x' }, node: { ...staged, failures: [failed] } }),
    {},
    nothing,
    /no controller has acted/,
  ],
  [
    'retry anew',
    retry,
    node({ on: { [BY_HAND.retry]: 'x' }, node: { ...staged, failures: [failed], tokens: { retry: 'x' } } }),
    {},
    by('retry', token),
    /forgotten/,
  ],
  ['skip a drain', skip, node({ node: { ...staged, phase: 'Draining' } }), {}, by('skip', token), /tried again later/],
  ['skip no drain', skip, node(), {}, nothing, /is not being drained \(it is Staged\)/],
  ['skip a group', skip, policy({ status: halted }), {}, by('skip', token), /nodes that come after it/],
  ['skip no group', skip, policy(), {}, nothing, /no group/],
  ['reboot a node', reboot, node(), {}, by('reboot', token), /drained first/],
  ['reboot twice', reboot, node({ on: { [BY_HAND.reboot]: 'x' } }), {}, nothing, /no controller has acted/],
  ['reboot a paused policy', reboot, policy({ on: { [BY_HAND.paused]: 'true' } }), {}, by('reboot', token), /it is paused, so it waits/],
  [
    'clear',
    clearBadRelease,
    policy({ status: { badReleases: [{ variant: 'v', arch: 'a', version: NEW, markedAt: ago(0) }] } }),
    { version: NEW },
    by('clearBadRelease', token),
    /brought to it again/,
  ],
  ['clear nothing', clearBadRelease, policy(), {}, nothing, /no release is marked bad/],
])('%s', (_, verb, target, ask, annotations, words) => {
  const change = verb(target, { token, ...ask });
  expect(change.annotations).toEqual(annotations);
  expect(`${change.did} ${change.next ?? ''}`.trim()).toMatch(words);
});

test.each<[string, Verb, Target, Partial<Ask>, RegExp]>([
  [
    'a version that nobody offers',
    pin,
    policy(),
    { version: '9.0.0' },
    /no host of UpdatePolicy default is offered 9\.0\.0: known there are 1\.26\.1, 1\.26\.0\..*--force/,
  ],
  ['no version', pin, policy(), { version: 'newest' }, /newest is no version: write one such as 1\.26\.1/],
  [
    'a pin on the Node itself',
    pin,
    node({ onNode: { [BY_HAND.pinVersion]: OLD } }),
    { version: NEW },
    /kubectl annotate node a lockkeeper\.dev\/pin-version-/,
  ],
  [
    'an approval on the Node itself',
    approve,
    node({ spec: manual, onNode: { [BY_HAND.approvedVersion]: OLD } }),
    { version: NEW },
    /goes before this/,
  ],
  [
    'a version outside the range',
    approve,
    policy({ spec: { ...manual, version: { ...aPolicy().spec.version, range: '<1.26.1' } } }),
    { version: NEW },
    /lies outside spec\.version\.range \(<1\.26\.1\)/,
  ],
  [
    'a version other than the pin',
    approve,
    policy({ spec: manual, on: { [BY_HAND.pinVersion]: OLD } }),
    { version: NEW },
    /is pinned to 1\.26\.0/,
  ],
  ['urgent, but which', approve, policy({ node: { from: OLD } }), { now: true }, /name the urgent one/],
  ['a reboot of a node that nobody has looked at', reboot, node({ node: {} }), {}, /try again in a moment/],
  [
    'a clear of another version',
    clearBadRelease,
    policy({ status: { badReleases: [{ variant: 'v', arch: 'a', version: NEW, markedAt: ago(0) }] } }),
    { version: OLD },
    /marked are 1\.26\.1/,
  ],
])('refuses %s', (_, verb, target, ask, words) => {
  expect(() => verb(target, { token, ...ask })).toThrow(words);
});

describe('what stops pods asks', () => {
  test.each<[string, Verb, Target, Partial<Ask>, boolean]>([
    ['reboot', reboot, policy(), {}, true],
    ['approve --now', approve, policy(), { version: NEW, now: true }, true],
    ['approve', approve, policy({ spec: manual }), { version: NEW }, false],
    ['pause', pause, policy(), {}, false],
  ])('%s', (_, verb, target, ask, asks) => {
    expect(verb(target, { token, ...ask }).asks !== undefined).toBe(asks);
  });
});

test('which of several versions waits is not guessed', () => {
  const several: Target = {
    kind: 'policy',
    policy: aPolicy({ spec: manual }),
    nodes: [
      { name: 'a', annotations: {}, status: staged },
      { name: 'b', annotations: {}, status: { ...staged, target: '1.26.2' } },
    ],
  };
  expect(() => approve(several, { token })).toThrow(RefusedError);
});
