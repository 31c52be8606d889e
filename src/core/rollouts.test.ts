import { describe, expect, test } from '@jest/globals';
import { releasesOf, reports } from './releases.ts';
import { countedFailures, isHalted, type RolloutInput, rolloutsOf } from './rollouts.ts';
import { aFailure, ago, aHost, aNode, anUpdate, aPolicy, aRollout, HOUR, MINUTE, NEW, NOW, OLD } from './testing/builders.ts';
import type { NodeView } from './world.ts';

const NEWER = '1.27.0';
const OTHER = { version: OLD, variant: 'metal-k8s-1.31', arch: 'amd64' };

const offered = (name: string, available: string[], change: Partial<NodeView> = {}) =>
  aNode(name, { host: aHost({ available }), ...change });
const remembers = (target = NEW) =>
  anUpdate({
    phase: 'RolledBack',
    failures: [{ target, at: ago(MINUTE), reason: 'RolledBackByHost', bootID: 'boot-2', readySince: ago(HOUR) }],
  });
const silent = { available: [] };

function rollouts(members: readonly NodeView[], change: Partial<RolloutInput> & { nodes?: readonly NodeView[] } = {}) {
  const input = {
    policy: aPolicy(),
    members,
    pin: undefined,
    approved: undefined,
    urgent: undefined,
    resumed: () => false,
    retried: new Set<string>(),
  };
  const { nodes = members, ...more } = change;
  const all = { ...input, ...more };
  const reporters = nodes.filter((node) => reports(members.includes(node) ? [all.policy] : [], node));
  return rolloutsOf({ ...all, releases: releasesOf(all.policy, members, reporters, NOW) }, NOW);
}
const targets = (...parameters: Parameters<typeof rollouts>) => rollouts(...parameters).map(({ target }) => target);
const withRollouts = (...list: ReturnType<typeof aRollout>[]) => ({ policy: aPolicy({ status: { rollouts: list } }) });

describe('a release is seen', () => {
  test.each([
    ['by two', [offered('n1', [NEW]), offered('n2', [NEW]), offered('n3', [])], [NEW]],
    ['by one of two: not yet', [offered('n1', [NEW]), offered('n2', [])], []],
    ['by the only one there is', [offered('n1', [NEW])], [NEW]],
    ['by one that says it twice: not yet', [offered('n1', [NEW, NEW]), offered('n2', [])], []],
    [
      'by two of different variants: each is the only one of its own',
      [offered('n1', [NEW]), offered('n2', [NEW], { os: OTHER })],
      [NEW, NEW],
    ],
    [
      'by two of different variants, one of which has another node',
      [offered('n1', [NEW]), offered('n2', []), offered('n3', [NEW], { os: OTHER })],
      [NEW],
    ],
    ['by one whose peer has not reported at all: not yet', [offered('n1', [NEW]), aNode('n2', { host: { ...aHost(), status: {} } })], []],
    ['what is no version is never seen', [offered('n1', ['v9.0.0', 'latest', NEW]), offered('n2', ['v9.0.0', 'latest', NEW])], [NEW]],
    ['the newest of those seen', [offered('n1', [NEW, NEWER]), offered('n2', [NEW, NEWER])], [NEWER]],
    ['a newer one by one alone', [offered('n1', [NEW, NEWER]), offered('n2', [NEW])], [NEW]],
  ])('%s', (_, members, expected) => {
    expect(targets(members)).toEqual(expected);
  });

  test('by the only one that reports, beside nodes that never will', () => {
    const member = offered('n1', [NEW]);
    const { host: _, ...mute } = aNode('n2');
    const theirs = { ...mute, otherOperator: true as const };
    expect(targets([member], { nodes: [member, mute] })).toEqual([NEW]);
    expect(targets([member, mute])).toEqual([]);
    expect(targets([member, theirs])).toEqual([NEW]);
  });

  test('by nodes of other policies too', () => {
    const member = offered('n1', [NEW]);
    expect(targets([member], { nodes: [member, offered('n2', [NEW])] })).toEqual([NEW]);
    expect(targets([member], { nodes: [member, offered('n2', [])] })).toEqual([]);
  });
});

describe('a target', () => {
  const both = (...available: string[]) => [offered('n1', available), offered('n2', available)];
  const ranged = (range: string, status = {}) => ({ policy: aPolicy({ spec: { version: { range } }, status }) });
  const manual = { policy: aPolicy({ spec: { approval: 'Manual' }, status: { rollouts: [aRollout()] } }) };

  test.each([
    ['in the range', both(NEW, NEWER), ranged('<1.27.0'), [NEW]],
    ['none in the range', both(NEW), ranged('>=2.0.0'), []],
    ['a range that cannot be read', both(NEW), ranged('>= one'), []],
    ['a prerelease only where it is named', both('1.27.0-rc.1'), {}, []],
    ['is frozen while nobody offers it any more', [aNode('n1', { host: aHost(silent) })], withRollouts(aRollout()), [NEW]],
    ['is frozen while an older one is offered', both(OLD), withRollouts(aRollout()), [NEW]],
    ['is superseded by a newer one', both(NEW, NEWER), withRollouts(aRollout()), [NEWER]],
    ['is dropped where the range excludes it', both(NEW), ranged('<1.26.1', { rollouts: [aRollout()] }), []],
    ['a pin that is seen', both(OLD, NEW, NEWER), { pin: NEW }, [NEW]],
    ['a pin beats the range', both(NEW), { ...ranged('>=2.0.0'), pin: NEW }, [NEW]],
    ['a pin that is not seen', both(NEW), { pin: NEWER }, []],
    ['a pin that is not seen any more', both(OLD), { ...withRollouts(aRollout()), pin: NEW }, [NEW]],
    ['a pin to an older one', both(OLD, NEW), { ...withRollouts(aRollout()), pin: OLD }, [OLD]],
    ['manual: what is approved is finished first', both(NEW, NEWER), { ...manual, approved: NEW }, [NEW]],
    ['manual: what is not approved makes room', both(NEW, NEWER), manual, [NEWER]],
    [
      'manual: what is approved and finished makes room',
      both(NEW, NEWER).map((node) => ({ ...node, os: { ...OTHER, version: NEW, variant: 'aws-k8s-1.31' } })),
      { ...manual, approved: NEW },
      [NEWER],
    ],
  ])('%s', (_, members, change, expected) => {
    expect(targets(members, change)).toEqual(expected);
  });

  test('keeps its rollout’s id and start for as long as it stays, and counts what runs it', () => {
    const members = [...both(NEW), offered('n3', [NEW], { os: { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' } })];
    expect(rollouts(members, withRollouts(aRollout()))).toEqual([aRollout({ updated: 1 })]);
    const [begun] = rollouts(both(NEW, NEWER), withRollouts(aRollout()));
    expect(begun).toMatchObject({ id: `aws-k8s-1.31-amd64-1.27.0-${NOW.toString(36)}`, startedAt: ago(0) });
  });

  test('one rollout for each variant and architecture', () => {
    const members = [...both(NEW), offered('n3', [NEWER], { os: OTHER }), offered('n4', [NEW], { os: { ...OTHER, arch: 'arm64' } })];
    expect(rollouts(members).map(({ variant, arch, target }) => `${variant} ${arch} ${target}`)).toEqual([
      'aws-k8s-1.31 amd64 1.26.1',
      'metal-k8s-1.31 amd64 1.27.0',
      'metal-k8s-1.31 arm64 1.26.1',
    ]);
  });
});

describe('failures', () => {
  const failed = (list: readonly NodeView[], change: Partial<RolloutInput> = {}) =>
    countedFailures(rollouts(list, change)).map(({ hostID, target }) => `${hostID} ${target}`);
  const fine = offered('n1', [NEW]);
  const anew = (change: Partial<NodeView> = {}) =>
    offered('n2', [NEW], { uid: 'uid-anew', createdAt: ago(0), update: anUpdate(), ...change });
  const { update: _, ...unwritten } = anew();

  test.each([
    [
      'counted once a node remembers one',
      [fine, offered('n2', [NEW], { update: remembers() })],
      withRollouts(aRollout()),
      ['host-n2 1.26.1'],
    ],
    [
      'counted once',
      [fine, offered('n2', [NEW], { update: remembers() })],
      withRollouts(aRollout({ failed: [aFailure('n2')] })),
      ['host-n2 1.26.1'],
    ],
    ['of another target: none of this rollout', [fine, offered('n2', [NEW], { update: remembers(OLD) })], withRollouts(aRollout()), []],
    [
      'outlived by the node',
      [fine, offered('n2', [NEW], { update: anUpdate({ phase: 'Idle' }) })],
      withRollouts(aRollout({ failed: [aFailure('n2')] })),
      [],
    ],
    ['kept while the node is away', [fine, offered('n3', [NEW])], withRollouts(aRollout({ failed: [aFailure('n2')] })), ['host-n2 1.26.1']],
    ['kept for a machine that registered anew', [fine, anew()], withRollouts(aRollout({ failed: [aFailure('n2')] })), ['host-n2 1.26.1']],
    ['kept for one without a NodeUpdate', [fine, unwritten], withRollouts(aRollout({ failed: [aFailure('n2')] })), ['host-n2 1.26.1']],
    [
      'kept where the NodeUpdate of a long-standing node was removed',
      [fine, anew({ createdAt: ago(24 * HOUR) })],
      withRollouts(aRollout({ failed: [aFailure('n2')] })),
      ['host-n2 1.26.1'],
    ],
    [
      'kept for a machine under another name',
      [fine, anew({ name: 'n9' })],
      withRollouts(aRollout({ failed: [aFailure('n2')] })),
      ['host-n2 1.26.1'],
    ],
    [
      'forgotten by a retry',
      [fine, offered('n2', [NEW], { update: remembers() })],
      { ...withRollouts(aRollout({ failed: [aFailure('n2')] })), retried: new Set(['host-n2']) },
      [],
    ],
    [
      'kept while no node of the variant is there',
      [offered('n1', [NEW], { os: OTHER })],
      withRollouts(aRollout({ failed: [aFailure('n2')] })),
      ['host-n2 1.26.1'],
    ],
    [
      'kept while a pin waits to be offered',
      [fine, offered('n3', [NEW])],
      { ...withRollouts(aRollout({ failed: [aFailure('n2')] })), pin: NEWER },
      ['host-n2 1.26.1'],
    ],
    [
      'no longer counted after a resume',
      [fine, offered('n2', [NEW], { update: remembers() })],
      { ...withRollouts(aRollout({ failed: [aFailure('n2')] })), resumed: () => true },
      [],
    ],
  ])('%s', (_name, members, change, expected) => {
    expect(failed(members, change)).toEqual(expected);
  });

  test('a resume is remembered: known as bad on that machine, no longer counted', () => {
    const members = [fine, offered('n2', [NEW], { update: remembers() })];
    const resumed = rollouts(members, { ...withRollouts(aRollout({ failed: [aFailure('n2')] })), resumed: () => true });
    expect(resumed[0]?.failed).toEqual([aFailure('n2', { resumed: true })]);
    expect(rollouts(members, withRollouts(...resumed))[0]?.failed).toEqual([aFailure('n2', { resumed: true })]);
  });
});

describe('a halt', () => {
  const newer = [offered('n1', [NEW, NEWER]), offered('n2', [NEW, NEWER], { update: remembers() })];
  const halted = (budget: number, ...list: ReturnType<typeof aRollout>[]) => ({
    policy: aPolicy({ spec: { rollout: { failureBudget: budget } }, status: { rollouts: list } }),
  });
  const metal = aRollout({ ...OTHER, id: 'metal', failed: [aFailure('m1')] });

  test.each([
    ['outlives a newer release', halted(1, aRollout({ failed: [aFailure('n2')] })), 1],
    ['… also where the failure is news in the same pass', halted(1, aRollout()), 1],
    ['… and where another variant helped to reach it', halted(2, aRollout({ failed: [aFailure('n2')] }), metal), 2],
    ['is none below the budget: a newer release begins anew', halted(2, aRollout({ failed: [aFailure('n2')] })), 0],
    ['ends by a resume', { ...halted(1, aRollout({ failed: [aFailure('n2')] })), resumed: () => true }, 0],
  ])('%s', (_, change, expected) => {
    const after = rollouts(newer, change);
    expect(after[0]?.target).toBe(NEWER);
    expect(countedFailures(after)).toHaveLength(expected);
    expect(isHalted(change.policy, after, 2)).toBe(expected > 0);
  });
});

describe('an urgent version', () => {
  const NEWEST = '1.28.0';
  const young = { policy: aPolicy({ spec: { version: { minAge: '168h', range: '<2.0.0' } } }) };
  const both = (available: string[], change: Partial<NodeView> = {}) => [offered('n1', available, change), offered('n2', available)];
  const running = (version: string) => ({ os: { version, variant: 'aws-k8s-1.31', arch: 'amd64' } });
  const current = (target: string) => ({ ...young, policy: { ...young.policy, status: { rollouts: [aRollout({ target })] } } });

  test.each<[string, NodeView[], Parameters<typeof rollouts>[1], string[]]>([
    ['need not be old enough', both([NEW]), { ...young, urgent: NEW }, [NEW]],
    ['is that one, and no newer one', both([NEW, NEWER]), { urgent: NEW }, [NEW]],
    ['must have been seen by two', [offered('n1', [NEW]), offered('n2', [])], { urgent: NEW }, []],
    ['must lie in the range', both(['2.0.0']), { ...young, urgent: '2.0.0' }, []],
    ['is not the pin', both([NEW, NEWER]), { pin: NEWER, urgent: NEW }, [NEWER]],
    ['supersedes an older rollout', both([NEW, NEWER]), { ...current(NEW), urgent: NEWER }, [NEWER]],
    ['is no step back from a newer rollout', both([NEW, NEWER]), { ...current(NEWER), urgent: NEW }, [NEWER]],
    ['is not superseded while a node needs it', both([NEW, NEWER]), { ...withRollouts(aRollout()), urgent: NEW }, [NEW]],
    [
      'is over when every node has it or failed with it',
      both([NEW, NEWER], running(NEW)).map((node, index) => (index === 0 ? node : { ...node, update: remembers() })),
      { ...withRollouts(aRollout()), urgent: NEW },
      [NEWER],
    ],
    ['stays the target when the annotation goes', both([NEW, NEWER]), current(NEWER), [NEWER]],
    [
      'is nothing to nodes that run a newer one',
      both([NEWER, NEWEST], running(NEWER)).map((node) => ({ ...node, ...running(NEWER) })),
      { urgent: NEW },
      [NEWEST],
    ],
  ])('%s', (_, members, change, expected) => {
    expect(targets(members, change)).toEqual(expected);
  });

  test('of a rollout under way leaves it as it is', () => {
    const { status } = withRollouts(aRollout({ groups: [{ name: 'canary', state: 'Finished' }] })).policy;
    const [rollout] = rollouts(both([NEW]), { policy: aPolicy({ status }), urgent: NEW });
    expect(rollout).toMatchObject({ id: status.rollouts?.[0]?.id, groups: [{ name: 'canary', state: 'Finished' }] });
  });
});
