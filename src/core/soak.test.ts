import { describe, expect, test } from '@jest/globals';
import { decide } from './decide.ts';
import { landUpdated } from './flight/landing.ts';
import { soakOf } from './status.ts';
import {
  aFlight,
  ago,
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
} from './testing/builders.ts';

const os = { ...aNode('n1').os!, version: NEW };
const verified = (change = {}) =>
  inFlightNode('n1', { phase: 'Verifying', ...change }, { bootID: 'boot-2', os, record: aRecord('n1', { soakMs: HOUR }) });
const soaking = (soak: string) => anUpdate({ policy: 'default', phase: 'Soaking', since: ago(MINUTE), deadlines: { soak } });

describe('a node that has been updated', () => {
  test('is written down to soak, then uncordoned, then soaks', () => {
    const { commands, status } = landUpdated(aFlight(verified()));
    expect(commands.map((command) => (command.type === 'WriteStatus' ? command.status.phase : command.type))).toEqual([
      'Uncordoning',
      'Uncordon',
      'Soaking',
    ]);
    expect(status).toMatchObject({ phase: 'Soaking', reason: 'Soaking', deadlines: { soak: ago(-HOUR) } });
    expect(status.claim).toBeUndefined();
  });

  test('keeps the end of its soak where the uncordon is tried again', () => {
    const soak = ago(-10 * MINUTE);
    expect(landUpdated(aFlight(verified({ phase: 'Uncordoning', deadlines: { soak } }))).status.deadlines).toEqual({ soak });
  });

  test('is done at once where nothing is to soak', () => {
    const node = inFlightNode('n1', { phase: 'Verifying' }, { bootID: 'boot-2', os });
    expect(landUpdated(aFlight(node)).status.phase).toBe('Idle');
  });
});

describe('soakOf', () => {
  test.each([
    ['soaks', { phase: 'Soaking', deadlines: { soak: ago(-MINUTE) } }, true],
    ['has soaked', { phase: 'Soaking', deadlines: { soak: ago(0) } }, false],
    [
      'was uncordoned by a controller that has died since',
      { phase: 'Uncordoning', next: 'Soaking', deadlines: { soak: ago(-MINUTE) } },
      true,
    ],
    ['is given back', { phase: 'Uncordoning', next: 'Idle', deadlines: { soak: ago(-MINUTE) } }, false],
    ['soaks, nobody knows until when', { phase: 'Soaking' }, false],
  ] as const)('%s', (_, status, expected) => {
    expect(soakOf(status, NOW) !== undefined).toBe(expected);
  });
});

describe('while a node soaks', () => {
  const policies = [aPolicy({ status: { rollouts: [aRollout()] } })];
  const decided = (soak: string) => {
    const nodes = [aNode('n1', { os, update: soaking(soak) }), aStagedNode('n2'), aStagedNode('n3')];
    return decide(aWorld({ policies, nodes, pods: new Map(nodes.map(({ name }) => [name, []])) }), NOW);
  };

  test('it keeps its slot, and the decision wakes when it ends', () => {
    const { nodes, policies: told, wakeAt } = decided(ago(-MINUTE));
    expect(nodes.map(({ status }) => status.reason)).toEqual(['Soaking', 'CapacityReached', 'CapacityReached']);
    expect(told[0]?.claims).toBeUndefined();
    expect(wakeAt).toBe(NOW + MINUTE);
  });

  test('and no longer', () => {
    const { nodes, policies: told } = decided(ago(0));
    expect(nodes.find(({ node }) => node === 'n1')?.status).toMatchObject({ phase: 'Idle', reason: 'UpToDate' });
    expect(told[0]?.claims?.map(({ node }) => node)).toEqual(['n2']);
  });
});
