import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../api/names.ts';
import type { Failure, NodeUpdateStatus } from '../api/node-update.ts';
import type { BadRelease, Rollout } from '../api/update-policy.ts';
import { decide } from './decide.ts';
import {
  aClaim,
  aFailure,
  ago,
  aHost,
  aNode,
  anUpdate,
  aPolicy,
  aRecord,
  aRollout,
  aStagedNode,
  aWorld,
  HOUR,
  inFlightNode,
  MINUTE,
  NEW,
  NOW,
  OLD,
  proof,
} from './testing/builders.ts';
import type { NodeView, PolicyView, World } from './world.ts';

const bad: BadRelease = { variant: 'aws-k8s-1.31', arch: 'amd64', version: NEW, markedAt: ago(HOUR) };
const failed = (name: string, change: Partial<Rollout['failed'][number]> = {}) => aFailure(name, { rebooted: true, ...change });
const history = [{ from: OLD, to: NEW, startedAt: ago(2 * HOUR), finishedAt: ago(HOUR), outcome: 'Updated' }];
const failure: Failure = {
  target: NEW,
  at: ago(MINUTE),
  reason: 'VerificationTimeout',
  bootID: 'boot-2',
  readySince: ago(MINUTE),
  rebooted: true,
};

const updated = (name: string, status: NodeUpdateStatus = {}, change: Partial<NodeView> = {}) =>
  aNode(name, {
    os: { ...aNode(name).os!, version: NEW },
    host: aHost({ version: NEW }),
    update: anUpdate({ phase: 'Idle', history, ...status }),
    ...change,
  });
const stagedBack = (name: string, status: NodeUpdateStatus = {}, change: Partial<NodeView> = {}) =>
  updated(name, { phase: 'Staged', ...status }, { host: aHost({ version: NEW, staged: proof(OLD) }), ...change });
const brokenNode = (name: string) => aNode(name, { update: anUpdate({ phase: 'RolledBack', failures: [failure] }) });

const policy = (change: Partial<Omit<PolicyView, 'spec'>> & { spec?: NonNullable<Parameters<typeof aPolicy>[0]>['spec'] } = {}) =>
  aPolicy({
    ...change,
    spec: { ...change.spec, rollout: { onExceeded: 'RollBack', ...change.spec?.rollout } },
    status: { rollouts: [aRollout({ failed: [failed('n9')] })], ...change.status },
  });

function decided(nodes: readonly NodeView[], of: PolicyView = policy(), change: Partial<World> = {}) {
  const pods = new Map(nodes.map(({ name }) => [name, []]));
  const { policies, nodes: all } = decide(aWorld({ policies: [of], nodes, pods, ...change }), NOW);
  const [first] = policies;
  return {
    status: first?.status,
    claimed: first?.claims?.map(({ node }) => node) ?? [],
    bad: first?.status.badReleases?.map(({ version }) => version) ?? [],
    of: (name: string) => all.find(({ node }) => node === name),
    reasons: Object.fromEntries(all.map(({ node, status }) => [node, status.reason])),
  };
}

describe('a release is marked bad', () => {
  const one = (change: Partial<Rollout['failed'][number]> = {}) => [aRollout({ failed: [failed('n9', change)] })];
  test.each<[string, Parameters<typeof policy>[0], string[]]>([
    ['by a node that booted it', {}, [NEW]],
    ['not where the policy only halts', { spec: { rollout: { onExceeded: 'Halt' } } }, []],
    ['not by a node that never booted it', { status: { rollouts: [aRollout({ failed: [aFailure('n9')] })] } }, []],
    ['not within the budget', { spec: { rollout: { failureBudget: 2 } } }, []],
    ['not by a failure that a person has looked at', { status: { rollouts: one({ resumed: true }) } }, []],
    ['not by what failed with an earlier target', { status: { rollouts: one({ target: '1.25.0' }) } }, []],
    [
      'not by failures of two rollouts together',
      {
        spec: { rollout: { failureBudget: 2 } },
        status: { rollouts: [...one(), aRollout({ variant: 'metal-k8s-1.31', failed: [failed('n8')] })] },
      },
      [],
    ],
    ['and stays so', { status: { badReleases: [bad], rollouts: [aRollout()] } }, [NEW]],
    [
      'and stays so, also where the policy only halts by now',
      { spec: { rollout: { onExceeded: 'Halt' } }, status: { badReleases: [bad], rollouts: [aRollout()] } },
      [NEW],
    ],
    ['until a person clears it', { status: { badReleases: [bad] }, annotations: { [BY_HAND.clearBadRelease]: 'now' } }, []],
    ['a resume is not enough', { status: { badReleases: [bad] }, annotations: { [BY_HAND.resume]: 'now' } }, [NEW]],
    ['until a newer one is rolled out', { status: { badReleases: [bad], rollouts: [aRollout({ target: '1.27.0' })] } }, []],
  ])('%s', (_, change, versions) => {
    expect(decided([aNode('n1'), aNode('n2')], policy(change)).bad).toEqual(versions);
  });

  test('a token clears once, and counts as having looked at what failed', () => {
    const annotations = { [BY_HAND.clearBadRelease]: 'now' };
    const { status } = decided([aNode('n1'), aNode('n2')], policy({ status: { badReleases: [bad] }, annotations }));
    expect(status?.rollouts?.[0]?.failed).toMatchObject([{ node: 'n9', resumed: true }]);
    expect(status?.tokens).toEqual({ clearBadRelease: 'now' });
    expect(status?.conditions?.find(({ type }) => type === 'Halted')?.status).toBe('False');
    const again = { status: { badReleases: [bad], tokens: { clearBadRelease: 'now' }, rollouts: [aRollout()] }, annotations };
    expect(decided([aNode('n1')], policy(again)).bad).toEqual([NEW]);
  });

  test('where nothing is bad a token clears nothing, and resumes nothing', () => {
    const annotations = { [BY_HAND.clearBadRelease]: 'now' };
    const halted = policy({ spec: { rollout: { onExceeded: 'Halt' } }, annotations });
    expect(decided([aNode('n1')], halted).status?.rollouts?.[0]?.failed).toEqual([failed('n9')]);
  });

  test('the policy says which nodes, why, and the command that goes on', () => {
    const { status } = decided([aNode('n1'), aNode('n2')]);
    const condition = (type: string) => status?.conditions?.find((one) => one.type === type)?.message;
    expect(condition('Halted')).toContain(`n9 (RolledBackByHost, ${NEW}); marked bad: ${NEW}`);
    for (const type of ['Halted', 'BadRelease'])
      expect(condition(type)).toContain('kubectl annotate updatepolicy default --overwrite lockkeeper.dev/clear-bad-release=$(date +%s)');
  });
});

describe('a rollout is taken back', () => {
  const marked = { status: { badReleases: [bad] } };

  test.each<[string, NodeView, string, string | undefined, string]>([
    ['an updated node stages what it ran before', updated('n1'), 'Staging', OLD, 'Staging'],
    ['whatever soak it is in', updated('n1', { phase: 'Soaking', deadlines: { soak: ago(-MINUTE) } }), 'Staging', OLD, 'Staging'],
    ['one that registered with the release stays', updated('n1', { history: [] }), 'Idle', NEW, 'KnownBad'],
    ['one that is pinned to it stays', updated('n1', {}, { annotations: { [BY_HAND.pinVersion]: NEW } }), 'Idle', NEW, 'UpToDate'],
    ['one that failed with it and a person uncordoned stays', updated('n1', { failures: [failure] }), 'Idle', NEW, 'KnownBad'],
    ['one that was not updated yet stays', aNode('n1'), 'Idle', NEW, 'KnownBad'],
    ['one that is staged for it stays', aStagedNode('n1'), 'Staged', NEW, 'KnownBad'],
    ['one that was taken back stays so', aNode('n1', { update: anUpdate({ phase: 'RolledBack' }) }), 'RolledBack', NEW, 'KnownBad'],
  ])('%s', (_, node, phase, target, reason) => {
    expect(decided([node, aNode('n2')], policy(marked)).of('n1')?.status).toMatchObject({ phase, target, reason });
  });

  test('it is staged whatever its wave, and not late for it', () => {
    const { of } = decided([updated('n1'), aNode('n2')], policy(marked));
    expect(of('n1')?.commands).toMatchObject([{ order: { action: 'Stage', version: OLD, ignoreWaves: true } }]);
    expect(of('n1')?.status).not.toHaveProperty('behindSince');
  });

  test('not where the policy only halts', () => {
    const halts = policy({ ...marked, spec: { rollout: { onExceeded: 'Halt' } } });
    expect(decided([updated('n1'), aNode('n2')], halts).reasons).toEqual({ n1: 'UpToDate', n2: 'KnownBad' });
  });

  const always = { always: true as const };
  const shut = { ...always, exclusions: [{ from: ago(HOUR), to: ago(-HOUR) }] };
  test.each<[string, Parameters<typeof policy>[0], Partial<World>, string[]]>([
    ['the first of them is claimed, over the failure budget', marked, {}, ['n1']],
    ['in an exclusion', { ...marked, spec: { schedule: shut } }, {}, ['n1']],
    ['without an approval', { ...marked, spec: { approval: 'Manual' } }, {}, ['n1']],
    ['while a check fails', { ...marked, spec: { checks: [{ pods: { namespace: 'shop', minReady: 1 } }] } }, {}, ['n1']],
    ['one at a time, however many may be unavailable', { ...marked, spec: { rollout: { maxUnavailable: 3 } } }, {}, ['n1']],
    ['not while the policy is paused', { ...marked, spec: { paused: true } }, {}, []],
    ['not while the agents are not limited', marked, { guarded: false }, []],
  ])('%s', (_, change, world, claimed) => {
    const nodes = [stagedBack('n1'), stagedBack('n2'), stagedBack('n3'), brokenNode('n9')];
    expect(decided(nodes, policy(change), world).claimed).toEqual(claimed);
  });

  test('the slot of the node that failed holds up nobody', () => {
    const failedNode = inFlightNode('n9', { phase: 'Failed', failures: [failure] }, { bootID: 'boot-2' });
    const claims = [aClaim('n9')];
    expect(decided([stagedBack('n1'), failedNode], policy({ status: { badReleases: [bad], claims } })).claimed).toEqual(['n9', 'n1']);
  });

  test('nor where the policy no longer wants the release', () => {
    const failedNode = inFlightNode('n9', { phase: 'Failed', failures: [failure] }, { bootID: 'boot-2' });
    const of = policy({ spec: { version: { range: '<1.26.1' } }, status: { badReleases: [bad], claims: [aClaim('n9')] } });
    const seen = [aNode('n2'), aNode('n3')];
    expect(decided([stagedBack('n1'), failedNode, ...seen], of).claimed).toEqual(['n9', 'n1']);
    const claimed = { ...of, status: { ...of.status, claims: [aClaim('n9'), aClaim('n1')] } };
    expect(decided([stagedBack('n1'), failedNode, ...seen], claimed).of('n1')?.commands).toMatchObject([{ type: 'Cordon' }]);
  });

  test('claimed, it is cordoned with a record that says so, in an exclusion and with the failed node’s slot taken', () => {
    const failedNode = inFlightNode('n9', { phase: 'Failed', failures: [failure] }, { bootID: 'boot-2' });
    const claims = [aClaim('n9'), aClaim('n1')];
    const { of } = decided([stagedBack('n1'), failedNode], policy({ spec: { schedule: shut }, status: { badReleases: [bad], claims } }));
    expect(of('n1')?.commands).toMatchObject([{ type: 'Cordon', record: { from: NEW, target: OLD, rollsBack: true } }]);
  });

  test('a claim to bring a node to it is given up, and a node on its way there is given back', () => {
    const claims = [aClaim('n1'), aClaim('n2')];
    const { of } = decided(
      [aStagedNode('n1'), inFlightNode('n2', { phase: 'Draining' })],
      policy({ status: { badReleases: [bad], claims } }),
    );
    expect(of('n1')?.commands).toMatchObject([{ type: 'Order', order: { action: 'Cancel' } }, { type: 'Fence' }]);
    expect(of('n2')?.status).toMatchObject({ phase: 'Uncordoning', next: 'Staged', reason: 'KnownBad' });
  });

  test('a reboot by hand of a node that runs it goes on', () => {
    const record = aRecord('n2', { from: NEW, target: NEW, reboot: { reboot: 'token' } });
    const rebooting = inFlightNode('n2', { phase: 'Draining' }, { record, os: { ...aNode('n2').os!, version: NEW } });
    const { of } = decided([aNode('n1'), rebooting], policy({ status: { badReleases: [bad], claims: [aClaim('n2')] } }));
    expect(of('n2')?.status.phase).not.toBe('Uncordoning');
  });

  const flight = (status: NodeUpdateStatus, change: Partial<NodeView>) =>
    inFlightNode('n1', status, { record: aRecord('n1', { from: NEW, target: OLD, rollsBack: true }), ...change });
  const deadlines = { verify: ago(-MINUTE) };
  const runs = (version: string) => ({
    bootID: 'boot-2',
    os: { ...aNode('n1').os!, version },
    ready: { status: true, since: ago(MINUTE) },
  });

  test.each<[string, NodeView, string, string]>([
    ['verified, it is RolledBack', flight({ phase: 'Verifying', deadlines }, runs(OLD)), 'RolledBack', 'RolledBack'],
    ['its host came back with the release', flight({ phase: 'Verifying', deadlines }, runs(NEW)), 'Failed', 'RollbackFailed'],
    [
      'not Ready in time, it is not taken to the release again',
      flight(
        { phase: 'Verifying', deadlines: { verify: ago(1) } },
        { ...runs(OLD), ready: { status: false, since: ago(HOUR) }, host: aHost({ bootID: 'boot-2' }) },
      ),
      'Failed',
      'VerificationTimeout',
    ],
    [
      'its host came back with the release, and a person asks for a retry: it is given back, to be taken back anew',
      flight(
        { phase: 'Failed', failures: [{ ...failure, reason: 'RollbackFailed' }] },
        { ...runs(NEW), annotations: { [BY_HAND.retry]: 'now' } },
      ),
      'Idle',
      'TakingBack',
    ],
    ['an exclusion begins: it goes on', flight({ phase: 'Draining' }, {}), 'Staging', 'ProofLost'],
  ])('%s', (_, node, phase, reason) => {
    const schedule = { ...shut, onClose: 'Release' as const };
    const { of } = decided([node, aNode('n2')], policy({ spec: { schedule }, status: { badReleases: [bad], claims: [aClaim('n1')] } }));
    const { status } = of('n1')!;
    expect([status.next ?? status.phase, status.reason]).toEqual([phase, reason]);
  });
});
