import { describe, expect, test } from '@jest/globals';
import { kindPath, UPDATE_POLICY } from '../../src/api/kinds.ts';
import { BY_HAND } from '../../src/api/names.ts';
import type { Rollout, UpdatePolicyStatus } from '../../src/api/update-policy.ts';
import type { KubeObject } from '../bed/api.ts';
import { changes, isCordoned } from '../bed/watch-history.ts';
import type { Fleet } from './fleet.ts';
import { guardNode } from './guarded-pod.ts';
import type { ClaimSpan } from './judge.ts';
import { runPrinted } from './printed-command.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const zones = ['eu-west-1a', 'eu-west-1b'];
const ring = (name: string) => ({ name, nodeSelector: { matchLabels: { ring: name } } });

type Policy = KubeObject & { status?: UpdatePolicyStatus };

/** Every state that a group of the policy went through, of each rollout's target, as the watch showed it. */
async function groupStates({ bed }: Fleet) {
  const { versions } = await bed.history<Policy>(kindPath(UPDATE_POLICY));
  return (target: string, name: string) => {
    const rollouts = versions.flatMap(({ object }) => object.status?.rollouts ?? []).filter((rollout) => rollout.target === target);
    const group = ({ groups = [] }: Rollout) => groups.find((one) => one.name === name);
    return rollouts.map(group).filter((one) => one !== undefined);
  };
}

const statesOf = (groups: readonly { state: string }[]): string[] =>
  groups.map(({ state }) => state).filter((state, index, all) => state !== all[index - 1]);

const ofNode = (spans: readonly ClaimSpan[], ...names: readonly string[]): ClaimSpan[] => spans.filter(({ node }) => names.includes(node));
const overlap = (a: ClaimSpan, b: ClaimSpan): boolean => a.from < b.to && b.from < a.to;
const ended = (spans: readonly ClaimSpan[]): number => Math.max(...spans.map(({ to }) => to));
const began = (spans: readonly ClaimSpan[]): number => Math.min(...spans.map(({ from }) => from));

describe('a canary group', () => {
  test('goes first within its own cap, soaks, and the rest follows zone by zone; a newer release starts again with it', async () => {
    const fleet = await start({
      nodes: 6,
      policy: { rollout: { maxUnavailable: 2, groups: [{ ...ring('canary'), maxUnavailable: 1, soak: '5s' }] } },
      // The canaries are of one zone: only their group's cap keeps one from going with the other.
      machine: (index) => ({ zone: zones[index < 2 ? 0 : index % 2]!, labels: index < 2 ? { ring: 'canary' } : {} }),
    });
    const { bed, eventually, judge, machines, nodeUpdate, patchPolicy, phase, policy, release, releaseInOrder, updated } = fleet;
    const seen = await groupStates(fleet);
    await releaseInOrder('1.26.1');
    const waiting = await phase('node-3', 'Staged', 'GroupSoaking');
    const soakUntil = seen('1.26.1', 'canary').find(({ state }) => state === 'Soaking')?.soakUntil ?? '';
    expect(waiting.message).toBe(`waits for group canary to soak until ${soakUntil.replace(/\.\d+Z$/, 'Z')}`);
    await updated('1.26.1');

    const spans = await judge.spans();
    const [first, second] = ofNode(spans, 'node-1', 'node-2') as [ClaimSpan, ClaimSpan];
    expect([first.node, second.node]).toEqual(['node-1', 'node-2']);
    expect(overlap(first, second)).toBe(false);
    expect(Date.parse(soakUntil)).toBeGreaterThanOrEqual(second.to + 4_000);
    const rest = spans.filter(({ node }) => node > 'node-2');
    expect(began(rest)).toBeGreaterThanOrEqual(Date.parse(soakUntil));
    expect(began(ofNode(rest, 'node-4', 'node-6'))).toBeGreaterThanOrEqual(ended(ofNode(rest, 'node-3', 'node-5')));
    expect(judge.mostUnavailable()).toBe(2);
    expect(statesOf(seen('1.26.1', 'canary'))).toEqual(['Updating', 'Soaking', 'Finished']);
    await judge.onceEach(machines);

    // Of the next release the rest has begun when a newer one comes: what is in flight finishes, all others start again.
    await patchPolicy({ rollout: { groups: [{ ...ring('canary'), soak: '0s' }] } });
    const guard = await guardNode(bed, 'node-3');
    await releaseInOrder('1.26.2');
    await updated('1.26.2', ['node-1', 'node-2', 'node-5']);
    await phase('node-3', 'Draining');
    release('1.26.3');
    await updated('1.26.3', ['node-1']);
    expect((await nodeUpdate('node-3')).target).toBe('1.26.2');
    await guard.open();
    await updated('1.26.3');
    const orders = async (name: string) =>
      (await judge.orders(name)).filter(({ version }) => version !== '1.26.1').map(({ action, version }) => `${action} ${version}`);
    const both = ['Stage 1.26.2', 'Reboot 1.26.2', 'Stage 1.26.3', 'Reboot 1.26.3'];
    for (const name of ['node-1', 'node-2', 'node-3', 'node-5'])
      expect({ name, orders: await orders(name) }).toEqual({ name, orders: both });
    const later = ['Stage 1.26.2', 'Stage 1.26.3', 'Reboot 1.26.3'];
    for (const name of ['node-4', 'node-6']) expect({ name, orders: await orders(name) }).toEqual({ name, orders: later });
    expect(statesOf(seen('1.26.3', 'canary'))).toEqual(['Updating', 'Finished']);
    const reboots = (await judge.orders()).filter(({ action, version }) => action === 'Reboot' && version === '1.26.3');
    expect(
      reboots
        .slice(0, 2)
        .map(({ node }) => node)
        .sort(),
    ).toEqual(['node-1', 'node-2']);
    await eventually(async () => {
      expect((await policy()).status?.rollouts).toMatchObject([{ target: '1.26.3', updated: 6, failed: [] }]);
      return true;
    });
    await judge.invariants();
    await eventually(async () => (await nodeUpdate('node-3')).reason === 'UpToDate');
  }, 180_000);
});

describe('a group', () => {
  test('without a success waits for a person; what holds nodes of their own stalls neither zone nor group; a halt says how to go on', async () => {
    const early = ['node-2', 'node-3', 'node-4', 'node-5', 'node-6'];
    const fleet = await start({
      nodes: 7,
      policy: { rollout: { maxUnavailable: 2, groups: [ring('canary'), ring('early')] } },
      machine: (index) => ({ zone: zones[index < 5 ? 0 : 1]!, labels: { ring: ['canary', ...early.map(() => 'early')][index] ?? 'rest' } }),
    });
    const { annotate, bed, eventually, history, judge, machines, nodeUpdate, phase, policy, refreshed, release, updated } = fleet;
    /** Waits until a condition of the policy is so, for a reason; a group is called untested a minute after nothing could go on. */
    const told = (type: string, status: 'True' | 'False', reason: string) => {
      const found = async () => {
        const condition = (await policy()).status?.conditions?.find((one) => one.type === type);
        return condition?.status === status && condition.reason === reason && condition;
      };
      return eventually(found, { timeoutMs: 120_000 });
    };
    const seen = await groupStates(fleet);
    await Promise.all(machines.map(({ name }) => phase(name, 'Idle', 'UpToDate')));
    await annotate('nodes', 'node-1', { [BY_HAND.paused]: 'true' });
    await annotate('nodeupdates', 'node-2', { [BY_HAND.paused]: 'true' });
    await bed.client.patch(bed.machine('node-3').path, { spec: { unschedulable: true } });
    await annotate('nodes', 'node-4', { [BY_HAND.pinVersion]: '1.26.0' });
    const guard = await guardNode(bed, 'node-5');
    await guard.bar();

    release('1.26.1');
    const untested = await told('Progressing', 'False', 'GroupUntested');
    await phase('node-6', 'Staged', 'GroupUntested');
    expect(await bed.kubectl('get', 'updatepolicies', '-o', 'wide')).toContain(untested.message);
    expect(untested.message).toContain('no node of group canary could be updated: node-1 (Paused)');
    await refreshed(machines.map(({ name }) => name));
    expect((await judge.claims()).flatMap(({ claims }) => claims)).toEqual([]);

    await runPrinted(bed, untested.message);
    await updated('1.26.1', ['node-6', 'node-7']);
    await phase('node-5', 'Blocked', 'CannotEvict');
    for (const name of ['node-1', 'node-2', 'node-4', 'node-5']) expect(changes(history.versions, name, isCordoned)).toEqual([false]);
    const spans = await judge.spans();
    expect(began(ofNode(spans, 'node-7'))).toBeGreaterThanOrEqual(ended(ofNode(spans, 'node-6')));
    expect(statesOf(seen('1.26.1', 'canary'))).toEqual(['Updating', 'Untested', 'Skipped']);
    expect(statesOf(seen('1.26.1', 'early')).at(-1)).toBe('Finished');

    await annotate('nodes', 'node-1', { [BY_HAND.paused]: null });
    await annotate('nodeupdates', 'node-2', { [BY_HAND.paused]: null });
    await bed.client.patch(bed.machine('node-3').path, { spec: { unschedulable: null } });
    await annotate('nodes', 'node-4', { [BY_HAND.pinVersion]: null });
    await guard.open();
    await updated('1.26.1');
    await judge.onceEach(machines);

    // The next release fails on the canary: the halt names it and the command, and then nobody has tested the release.
    bed.machine('node-1').host.faults.arm('bootFails');
    release('1.26.2');
    await phase('node-1', 'RolledBack');
    await phase('node-7', 'Staged', 'Halted');
    const halted = await told('Halted', 'True', 'FailureBudgetReached');
    expect(halted.message).toContain('node-1 (RolledBackByHost');
    await refreshed(early);
    const flown = (await judge.spans()).filter(({ from }) => from > Date.parse(halted.lastTransitionTime));
    expect(flown).toEqual([]);
    await runPrinted(bed, halted.message);
    await phase('node-7', 'Staged', 'GroupUntested');
    await told('Halted', 'False', 'WithinFailureBudget');
    await runPrinted(bed, (await nodeUpdate('node-1')).message);
    await updated('1.26.2');
    expect(statesOf(seen('1.26.2', 'canary'))).toEqual(['Updating', 'Untested', 'Updating', 'Finished']);
    await judge.invariants();
    expect(machines.map(({ host }) => host.rebootCount)).toEqual([3, 2, 2, 2, 2, 2, 2]);
  }, 240_000);
});
