import { decide } from '../../src/core/decide.ts';
import {
  aClaim,
  ago,
  aHost,
  aNode,
  anUpdate,
  aPod,
  aPolicy,
  aRollout,
  aStagedNode,
  aWorld,
  HOUR,
  inFlightNode,
  NEW,
  NOW,
  OLD,
} from '../../src/core/testing/builders.ts';
import type { NodeView, World } from '../../src/core/world.ts';
import { atMost, type Family, median } from './figure.ts';

const WARM_UP = 60;
const PASSES = 101;
/** Of so many nodes one has news in each pass. */
const NEWS_OF = 50;
/** Pods on each node that is looked at. */
const PODS = 15;

/**
 * One whole decision, in the middle of a rollout of all nodes: a third is updated, a tenth in flight (as many as may be), the others
 * are staged and wait; three zones, and a canary group that is finished. As in a pass of the controller every view is made anew from
 * what the caches hold, statuses say what the pass before has written, and one node in fifty has news.
 */
export const decision: Family = {
  name: 'decide',
  figures: ['decide_5000', 'decide_1000'],
  async run({ say }) {
    const figures = (
      [
        [5_000, 25],
        [1_000, 5],
      ] as const
    ).map(([nodes, goal]) => {
      say(`${PASSES} decisions over ${nodes} nodes`);
      return atMost(goal, `decide_${nodes}`, 'ms', timeOf(worldOf(nodes)), 2);
    });
    return { figures, notes: [] };
  },
};

function timeOf(world: World): number {
  const written = afterPass(world);
  for (let pass = 0; pass < WARM_UP; pass += 1) decide(gatheredAnew(written, pass), NOW);
  const times = Array.from({ length: PASSES }, (_, pass) => {
    const gathered = gatheredAnew(written, pass);
    const started = performance.now();
    decide(gathered, NOW);
    return performance.now() - started;
  });
  return median(times);
}

/** The world with what a decision says of it written down. */
function afterPass(world: World): World {
  const decided = decide(world, NOW);
  const statuses = new Map(decided.nodes.map(({ node, status }) => [node, status]));
  const policies = world.policies.map((policy) => ({ ...policy, status: decided.policies[0]?.status ?? policy.status }));
  const nodes = world.nodes.map((node) => ({ ...node, update: anUpdate(statuses.get(node.name)) }));
  return { ...world, policies, nodes };
}

/** The world as the next pass gathers it. */
function gatheredAnew(world: World, pass: number): World {
  const hasNews = (index: number) => index % NEWS_OF === pass % NEWS_OF;
  return { ...world, nodes: world.nodes.map((node, index) => (hasNews(index) ? structuredClone(node) : { ...node })) };
}

function worldOf(count: number): World {
  const groups = [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } } }];
  const nodes = Array.from({ length: count }, (_, index) => nodeAt(index, count));
  const inFlight = nodes.filter(({ record }) => record !== undefined);
  const policy = aPolicy({
    spec: { rollout: { maxUnavailable: '10%', groups } },
    status: {
      claims: inFlight.map(({ name }) => aClaim(name)),
      rollouts: [aRollout({ groups: [{ name: 'canary', state: 'Finished' }] })],
    },
  });
  const pods = new Map(inFlight.map(({ name }) => [name, Array.from({ length: PODS }, (_, pod) => aPod(`${name}-${pod}`))] as const));
  return aWorld({ policies: [policy], nodes, pods });
}

function nodeAt(index: number, count: number): NodeView {
  const name = `node-${String(index).padStart(5, '0')}`;
  const labels = {
    ring: index < 3 ? 'canary' : 'other',
    'topology.kubernetes.io/zone': `eu-west-1${'abc'[Math.floor((3 * index) / count)]}`,
  };
  if (index < count / 3) {
    const os = { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' };
    const update = anUpdate({
      policy: 'default',
      phase: 'Idle',
      since: ago(HOUR),
      reason: 'UpToDate',
      message: `runs ${NEW}`,
      from: NEW,
      target: NEW,
    });
    return aNode(name, { labels, os, update, host: aHost({ version: NEW }) });
  }
  if (index < count / 3 + count / 10) return inFlightNode(name, { phase: 'Draining' }, { labels });
  const update = { phase: 'Staged', since: ago(HOUR), behindSince: ago(HOUR), reason: 'CapacityReached', from: OLD, target: NEW } as const;
  return aStagedNode(name, { labels, update: anUpdate({ policy: 'default', message: 'waits for its turn', ...update }) });
}
