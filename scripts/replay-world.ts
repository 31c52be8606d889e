import { readFileSync } from 'node:fs';
import type { Scenario } from '../src/core/simulate/actions.ts';
import { heal, settle } from '../src/core/simulate/recovery.ts';
import { Simulation } from '../src/core/simulate/simulation.ts';
import { Watchman } from '../src/core/testing/watchman.ts';
import { timestamp } from '../src/core/world.ts';

/** Plays a world that a property test has found, from a file or (`-`) from standard input, and says after each action what has changed. */
function replay({ setup, actions }: Scenario): void {
  const simulation = new Simulation(setup, (cluster) => new Watchman(cluster, cluster.releasedAt));
  let before = new Set<string>();
  const show = (what: string) => {
    const present = new Set(linesOf(simulation));
    console.log(`${timestamp(simulation.cluster.now)} ${what}`);
    for (const line of present) if (!before.has(line)) console.log(`    ${line}`);
    before = present;
  };
  show(`begins: ${JSON.stringify(setup)}`);
  for (const action of actions) {
    simulation.act(action);
    show(JSON.stringify(action));
  }
  settle(simulation);
  show('is at rest');
  heal(simulation);
  show('is healed: everything is updated');
}

function* linesOf({ cluster }: Simulation): Generator<string> {
  for (const { name, status, annotations } of cluster.policies.items)
    yield `policy ${name} claims ${status.claims?.map(({ node }) => node).join(', ') || 'nothing'}${inWords(annotations)}`;
  for (const { name, os, unschedulable, ready, record, annotations } of cluster.nodes.items) {
    const { phase, reason, message } = cluster.updates.get(name)?.status ?? {};
    const { order } = cluster.hosts.get(name)?.spec ?? {};
    const { answer } = cluster.hosts.get(name)?.status ?? {};
    const marks = [unschedulable && 'cordoned', record && 'with a record', !ready.status && 'not Ready'].filter(Boolean).join(', ');
    yield `${name} runs ${os?.version}${marks && ` (${marks})`}: ${phase} ${reason}: ${message}${inWords(annotations)}`;
    if (order !== undefined)
      yield `${name} has the order ${order.action} ${order.id}, answered ${answer?.id === order.id ? answer.state : 'not yet'}`;
  }
}

const inWords = (annotations: Readonly<Record<string, string>>): string => {
  const ours = Object.entries(annotations).filter(([name]) => name.startsWith('lockkeeper.dev/'));
  return ours.length === 0 ? '' : `; ${ours.map(([name, value]) => `${name}=${value}`).join(' ')}`;
};

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node scripts/replay-world.ts FILE|-');
  process.exitCode = 2;
} else {
  replay(JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8')) as Scenario);
}
