import { describe, expect, test } from '@jest/globals';
import { MANAGED_LABEL, ON_NODE } from '../api/names.ts';
import type { Order } from '../api/node-host.ts';
import { decideRelease, hostNeeds, leftToRelease } from './release.ts';
import { plannedWrites } from './release-plan.ts';
import {
  aClaim,
  aHost,
  aNode,
  anAnswer,
  anUpdate,
  aPolicy,
  aRecord,
  aRollout,
  aStagedNode,
  aWorld,
  cancelOrder,
  inFlightNode,
  NEW,
  NOW,
  proof,
  rebootOrder,
} from './testing/builders.ts';
import type { NodeView, World } from './world.ts';

const stage: Order = { id: 'stage-1', action: 'Stage', version: NEW };
const saved = { savedSettings: { versionLock: '1.26.0', ignoreWaves: true } };
const worldOf = (node: NodeView, change: Partial<World> = {}) => aWorld({ nodes: [node], ...change });

function released(node: NodeView, change: Partial<World> = {}) {
  const decision = decideRelease(worldOf(node, change), NOW);
  const [one] = decision.nodes;
  return { ...one, types: one?.commands.map(({ type }) => type), handOver: decision.handOver, policies: decision.policies };
}

describe('a node that nothing was begun on', () => {
  test('loses our label, fence and taint', () => {
    const node = aNode('n1', { host: aHost() });
    expect(released(node)).toMatchObject({ types: ['Sweep'], status: { phase: 'Idle', reason: 'Released' }, handOver: false });
    for (const change of [
      { labels: {}, annotations: { [ON_NODE.fence]: 'x' } },
      { labels: {}, outdated: true as const },
    ])
      expect(released(aNode('n1', change)).types).toEqual(['Sweep']);
  });

  test('that carries nothing of ours is released, however unschedulable', () => {
    expect(released(aNode('n1', { labels: {}, unschedulable: true }))).toMatchObject({ types: [], handOver: true });
  });

  test('is staged no further: what its agent is at is cancelled, by an order that was never given before', () => {
    const node = aNode('n1', { host: aHost({ answer: anAnswer('stage-1', 'Running') }, stage) });
    const { commands, types } = released(node);
    expect(types).toEqual(['Order']);
    expect(commands?.[0]).toMatchObject({ order: { action: 'Cancel', id: expect.stringMatching(/^uid-n1-.*\.cancel$/) } });
  });
});

describe('a host needs', () => {
  test.each<[string, Partial<NodeView>, ReturnType<typeof hostNeeds>]>([
    ['nothing where there is none', { host: undefined as never }, 'nothing'],
    ['nothing where nothing was ordered', { host: aHost() }, 'nothing'],
    ['nothing after an order that was carried out', { host: aHost({ answer: anAnswer('stage-1', 'Done') }, stage) }, 'nothing'],
    ['a Cancel while an order is carried out', { host: aHost({ answer: anAnswer('stage-1', 'Running') }, stage) }, 'cancel'],
    ['a Cancel where the order was not seen yet', { host: aHost({}, stage) }, 'cancel'],
    ['a Cancel where settings were left changed', { host: aHost({ ...saved, answer: anAnswer('stage-1', 'Failed') }, stage) }, 'cancel'],
    ['an answer to the Cancel', { host: aHost({}, cancelOrder('n1')) }, 'answer'],
    ['no answer of an agent that is gone', { host: aHost({}, cancelOrder('n1')), agent: 'missing' }, 'nothing'],
    ['its settings back, agent or not', { host: aHost(saved, cancelOrder('n1')), agent: 'missing' }, 'answer'],
    [
      'its settings back, whatever was answered',
      { host: aHost({ ...saved, answer: anAnswer('claim-n1.cancel', 'Failed') }, cancelOrder('n1')) },
      'answer',
    ],
    ['nothing once the Cancel is answered', { host: aHost({ answer: anAnswer('claim-n1.cancel', 'Done') }, cancelOrder('n1')) }, 'nothing'],
  ])('%s', (_, change, needs) => {
    expect(hostNeeds(aNode('n1', change))).toBe(needs);
  });
});

describe('a node whose host is not as it was', () => {
  const waiting = (change: Partial<NodeView>) => aNode('n1', { host: aHost(saved, cancelOrder('n1')), ...change });

  test('keeps our label, and with it its agent, until that has restored the settings', () => {
    for (const agent of ['ready', 'missing'] as const) {
      expect(released(waiting({ agent }))).toMatchObject({ types: [], handOver: false });
      expect(leftToRelease(worldOf(waiting({ agent })))).toMatchObject([{ node: 'n1', forGood: false }]);
    }
  });

  test('is left for good where there are no agents any more: the host’s command is named', () => {
    expect(released(waiting({ agent: 'unknown' })).types).toEqual(['Sweep']);
    const [left] = leftToRelease(worldOf(waiting({ agent: 'unknown', labels: {} })));
    expect(left).toMatchObject({ node: 'n1', forGood: true });
    expect(left?.todo).toBe(
      'on the host: apiclient set updates.version-lock=1.26.0 updates.ignore-waves=true; then: kubectl delete nodehost n1',
    );
  });
});

describe('a node that holds a claim', () => {
  const policies = [aPolicy({ status: { claims: [aClaim('n1')], rollouts: [aRollout()] } })];

  test('is fenced after a Cancel, and no other write of a policy’s status than the claims’', () => {
    const node = aStagedNode('n1', { host: aHost({ staged: proof() }, stage) });
    expect(released(node, { policies }).types).toEqual(['Order', 'Fence']);
    const fenced = { ...node, annotations: { [ON_NODE.fence]: 'claim-n1' } };
    expect(released(fenced, { policies })).toMatchObject({
      types: [],
      handOver: false,
      policies: [{ claims: [], status: { claims: [], rollouts: policies[0]?.status.rollouts } }],
    });
  });
});

const asked = { host: aHost({ staged: proof(), answer: anAnswer('claim-n1.reboot', 'RebootAsked') }, rebootOrder('n1')) };

describe('a node in flight', () => {
  const cancelledAsked = { host: aHost({ staged: proof(), answer: anAnswer('claim-n1.reboot', 'RebootAsked') }, cancelOrder('n1')) };

  test.each<[string, NodeView, string[]]>([
    ['is taken back from the drain', inFlightNode('n1', { phase: 'Draining' }), ['WriteStatus', 'Order']],
    [
      'is taken back before its reboot was asked for',
      inFlightNode('n1', { phase: 'Rebooting' }, { host: aHost({ staged: proof() }, rebootOrder('n1')) }),
      ['WriteStatus', 'Order'],
    ],
    [
      'is uncordoned once that is cancelled',
      inFlightNode('n1', { phase: 'Uncordoning' }, { host: aHost({}, cancelOrder('n1')) }),
      ['Uncordon', 'WriteStatus'],
    ],
    ['waits for the boot where its reboot was asked for', inFlightNode('n1', { phase: 'Rebooting' }, asked), []],
    ['waits for it over a Cancel too', inFlightNode('n1', { phase: 'Uncordoning' }, cancelledAsked), []],
    [
      'is on its way home after the boot, Ready or not',
      inFlightNode(
        'n1',
        { phase: 'Rebooting' },
        { ...asked, bootID: 'boot-2', ready: { status: false, since: '' }, os: { ...aNode('n1').os!, version: NEW } },
      ),
      ['WriteStatus'],
    ],
    [
      'is on its way home after the boot, also where it had failed',
      inFlightNode('n1', { phase: 'Failed' }, { ...asked, bootID: 'boot-2', os: { ...aNode('n1').os!, version: NEW } }),
      ['WriteStatus'],
    ],
    [
      'is uncordoned then',
      inFlightNode('n1', { phase: 'Uncordoning', next: 'Idle' }, { ...asked, bootID: 'boot-2' }),
      ['Uncordon', 'WriteStatus'],
    ],
    ['stays Failed where no boot follows', inFlightNode('n1', { phase: 'Failed' }, cancelledAsked), []],
  ])('%s', (_, node, types) => {
    const labelled = { ...node, labels: {} };
    expect(released(node, { policies: [] }).types).toEqual(types);
    expect(released(labelled, { policies: [aPolicy({ uid: 'uid-default' })] }).types).toEqual(types);
    expect(leftToRelease(worldOf(node))).toMatchObject([{ node: 'n1', forGood: false }]);
  });

  test('remembers a host that rolled back', () => {
    const node = inFlightNode('n1', { phase: 'Rebooting' }, { ...asked, bootID: 'boot-2' });
    expect(released(node)).toMatchObject({ types: ['WriteStatus', 'Uncordon', 'WriteStatus'], status: { failures: [{ target: NEW }] } });
  });

  test('whose record cannot be read is left alone, and named with what to do', () => {
    const node = aNode('n1', { record: 'unreadable', unschedulable: true });
    expect(released(node).types).toEqual([]);
    expect(leftToRelease(worldOf(node))).toMatchObject([{ forGood: true, todo: expect.stringContaining('kubectl uncordon n1') }]);
  });
});

describe('the plan', () => {
  const prior = { unschedulable: false, annotations: { 'karpenter.sh/do-not-disrupt': 'false' }, labels: aRecord('n1').prior.labels ?? {} };
  const annotations = { 'karpenter.sh/do-not-disrupt': 'true' };

  test.each<[string, NodeView, Partial<World>, string[]]>([
    ['is empty where nothing is ours', aNode('n1', { labels: {} }), {}, []],
    [
      'of a node that waits',
      aStagedNode('n1', { annotations: { [ON_NODE.fence]: 'x' }, outdated: true }),
      {},
      [
        `Node n1: remove label ${MANAGED_LABEL}, annotation lockkeeper.dev/fence, taint lockkeeper.dev/outdated`,
        'NodeUpdate n1: status Idle, Released',
      ],
    ],
    [
      'of a node in flight',
      inFlightNode('n1', { phase: 'Draining' }, { annotations, record: aRecord('n1', { prior }), host: aHost({}, stage) }),
      { policies: [aPolicy({ status: { claims: [aClaim('n1')] } })] },
      [
        `NodeHost n1: order Cancel, in place of Stage ${NEW}`,
        'Node n1: uncordon, annotation karpenter.sh/do-not-disrupt back to "false", remove annotation lockkeeper.dev/cordon',
        `Node n1: remove label ${MANAGED_LABEL}, annotation lockkeeper.dev/fence`,
        'NodeUpdate n1: status Idle, Released',
        'UpdatePolicy default: drop 1 of its claims (n1), each after its node',
      ],
    ],
    [
      'of a node whose reboot was asked for',
      inFlightNode('n1', { phase: 'Rebooting' }, { labels: {}, ...asked }),
      {},
      [
        'Node n1: after the reboot that its host was asked for: uncordon, remove annotation lockkeeper.dev/cordon',
        'Node n1: remove annotation lockkeeper.dev/fence',
        'NodeUpdate n1: status Idle, Released',
      ],
    ],
    [
      'of a node that holds a claim',
      aStagedNode('n1', { update: anUpdate() }),
      { policies: [aPolicy({ status: { claims: [aClaim('n1')] } })] },
      [
        'NodeHost n1: order Cancel',
        'Node n1: annotation lockkeeper.dev/fence, which ends its claim',
        `Node n1: remove label ${MANAGED_LABEL}, annotation lockkeeper.dev/fence`,
        'NodeUpdate n1: status Idle, Released',
        'UpdatePolicy default: drop 1 of its claims (n1), each after its node',
      ],
    ],
  ])('%s', (_, node, change, lines) => {
    expect(plannedWrites(worldOf(node, change))).toEqual(lines);
  });
});
