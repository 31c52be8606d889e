import type { NodeHostStatus } from '../../../src/api/node-host.ts';
import type { KubeObject } from '../../bed/api.ts';
import { tail } from '../../bed/home.ts';
import { type Contestant, type Entered, infraLabel, type StageContext } from './contestant.ts';

const namespace = 'lockkeeper';
const nodeHosts = '/apis/lockkeeper.dev/v1alpha1/nodehosts';

/** How often agents ask their hosts: what others poll for is not waited for either. */
const refreshInterval = '5s';

/** The chart by its own values, with two controllers on machines that are not updated. */
export const ourselves: Contestant = {
  name: 'Lockkeeper',
  caveats: [
    `Lockkeeper: the chart's values, but for approval Automatic, refreshInterval ${refreshInterval} (1h by default; it decides how soon a release is noticed) and minReadySeconds 0 (10 by default).`,
  ],
  labels: {},
  annotations: {},
  async enter({ bed, options, signal }: StageContext): Promise<Entered> {
    const { nodes, maxUnavailable } = options;
    const spec = { approval: 'Automatic', version: { refreshInterval }, rollout: { minReadySeconds: 0, maxUnavailable } };
    await bed.installChart({
      timeoutMs: 120_000,
      values: { controller: { nodeSelector: { [infraLabel]: 'true' } }, defaultPolicy: { spec } },
    });
    const haveReported = async () => {
      const hosts = await bed.client.list<KubeObject & { status?: NodeHostStatus }>(nodeHosts);
      return hosts.filter(({ status }) => status?.available !== undefined).length === nodes;
    };
    await bed.eventually(haveReported, { timeoutMs: 120_000 + nodes * 2_000, intervalMs: 500, signal });
    const processes = () => [...bed.pods.processes('controller'), ...bed.pods.processes('agent')];
    const restartsBefore = sum(processes().map(({ restarts }) => restarts));
    const rebootsOfNodes = () =>
      sum([...bed.machines.values()].map((machine) => (machine.facts.osImage.startsWith('Bottlerocket ') ? machine.rebootCount() : 0)));
    const rebootsBefore = rebootsOfNodes();
    return {
      namespaces: [namespace],
      get agentPods() {
        return new Set(bed.pods.processes('agent').map(({ name }) => name));
      },
      groups: (part) => bed.pods.processes(part === 'controllers' ? 'controller' : 'agent').flatMap(({ pid }) => pid ?? []),
      // An agent starts anew with its node, once each time.
      get restarts() {
        return sum(processes().map(({ restarts }) => restarts)) - restartsBefore - (rebootsOfNodes() - rebootsBefore);
      },
      begin: async () => undefined,
      async lastWords() {
        const logs = bed.pods.processes('controller').map(({ log }) => tail(log, 5));
        return (await Promise.all(logs)).join('\n');
      },
      stop: async () => undefined,
    };
  },
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
