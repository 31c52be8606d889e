import path from 'node:path';
import { type Bed, startBed } from '../bed/bed.ts';
import { runCommand } from '../bed/command.ts';
import { repository } from '../bed/config.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { isUnavailable } from '../bed/watch-history.ts';
import { noDelay } from './bench-bed.ts';
import { type Family, forInformation } from './figure.ts';
import { columns } from './requests.ts';

const nodes = 3;
const from = '1.26.0';
const to = '1.26.1';
const variant = 'aws-k8s-1.31';
const arch = 'x86_64';

/**
 * What somebody does who has a cluster with outdated nodes and none of us: installs the chart by its own values, plans, approves, and
 * has the first updated node. Each command runs as soon as the one before it shows what it needs; people's reading takes longer.
 */
export const install: Family = {
  name: 'install',
  figures: ['install_to_first_node_seconds'],
  async run({ app, say, signal }) {
    say(`starting a control plane and ${nodes} nodes, for which a newer release is there`);
    const bed = await startBed({ app, releases: [from, to].map((version) => ({ version, variant, arch })) });
    try {
      await bed.addMachines(nodes, { host: { timings: noDelay } });
      signal.throwIfAborted();
      const started = performance.now();
      const steps: [string, string][] = [];
      const step = async (name: string, work: () => Promise<unknown>): Promise<void> => {
        say(name);
        const at = performance.now();
        await work();
        steps.push([`${((performance.now() - at) / 1000).toFixed(2)} s`, name]);
      };
      const { eventually } = bed;
      const until = (condition: () => Promise<boolean>) => eventually(condition, { timeoutMs: 120_000, intervalMs: 100, signal });
      const says = async (words: string, ...args: string[]) => (await lockkeeper(bed, ...args)).includes(words);
      await step('helm install, until both controllers are ready', () => bed.installChart());
      await step(`kubectl lockkeeper status, until a node waits for approval of ${to}`, () =>
        until(() => says('AwaitingApproval', 'status')),
      );
      await step('kubectl lockkeeper plan', () => lockkeeper(bed, 'plan'));
      await step('kubectl lockkeeper approve', () => lockkeeper(bed, 'approve'));
      await step(`a node runs ${to}, and takes work again`, () =>
        until(async () => (await bed.client.list<NodeObject>('/api/v1/nodes')).some((node) => isUpdated(node))),
      );
      const seconds = (performance.now() - started) / 1000;
      return {
        figures: [forInformation('install_to_first_node_seconds', 's', seconds, 1)],
        notes: [{ title: 'From helm install to the first updated node, by command', lines: columns(steps) }],
      };
    } finally {
      await bed.stop({ keepLogs: false });
    }
  },
};

const isUpdated = (node: NodeObject): boolean =>
  node.status.nodeInfo.osImage.startsWith(`Bottlerocket OS ${to} (`) &&
  !isUnavailable(node) &&
  node.metadata.annotations?.['lockkeeper.dev/cordon'] === undefined;

/** The plugin, as a person runs it. */
const lockkeeper = ({ kubeconfig, home }: Bed, ...args: string[]): Promise<string> =>
  runCommand(process.execPath, [path.join(repository, 'dist', 'kubectl-lockkeeper.js'), ...args], {
    env: { HOME: home.scratch, KUBECONFIG: kubeconfig },
    cwd: home.scratch,
    timeoutMs: 60_000,
  });
