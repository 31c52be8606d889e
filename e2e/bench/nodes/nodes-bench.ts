import type { NodeHostStatus } from '../../../src/api/node-host.ts';
import type { UpdatePolicyStatus } from '../../../src/api/update-policy.ts';
import type { KubeObject } from '../../bed/api.ts';
import type { NodeObject } from '../../bed/node-object.ts';
import { isUnavailable } from '../../bed/watch-history.ts';
import type { Nodes } from '../../nodes/nodes.ts';
import { machineName } from '../../nodes/start-machine.ts';
import type { BenchContext } from '../figure.ts';
import { type BareTimes, bareUpdate, stage } from './bare-update.ts';
import { type Served, startClient } from './outside-client.ts';
import { type AgentPod, type ProductTimes, productTimes } from './product-times.ts';
import { deployment, nodePort, webWorkload } from './workload.ts';

export const updatedNodes = 3;
export const gateLabel = 'bench.lockkeeper.dev/gate';

const variant = 'aws-k8s-1.31';
const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
export const release = (version: string) => ({ version, variant, arch });

const workers = Array.from({ length: updatedNodes }, (_, index) => machineName(index + 1));
const gate = machineName(updatedNodes + 1);
const kinds = '/apis/lockkeeper.dev/v1alpha1';
const policyPath = `${kinds}/updatepolicies/default`;
const policy = { approval: 'Manual', version: { refreshInterval: '5s' }, rollout: { minReadySeconds: 0 } };

/** All nodes updated once, one after the other, while a client kept asking. */
export interface Rolled<T> {
  readonly times: readonly T[];
  readonly served: Served;
}

export interface NodesBench {
  install(): Promise<void>;
  uninstall(): Promise<void>;
  byProduct(version: string): Promise<Rolled<ProductTimes>>;
  byScript(version: string): Promise<Rolled<BareTimes>>;
}

/** Starts the pods, and gives what updates all nodes; before each time the pods are spread again, and all hosts have staged. */
export async function nodesBench(bed: Nodes, { say, signal }: BenchContext): Promise<NodesBench> {
  const { client } = bed;
  const until = (condition: () => Promise<boolean>, timeoutMs: number) =>
    bed.eventually(condition, { timeoutMs, intervalMs: 100, signal, describe: () => bed.kubectl('get', 'nodes,nodeupdates,pods', '-A') });
  const url = `http://${bed.machine(gate).address}:${nodePort}/`;
  const nodes = await bed.nodeHistory();
  const agents = await bed.history<AgentPod>('/api/v1/pods', { labelSelector: 'app.kubernetes.io/component=agent' });
  await client.apply(...webWorkload());

  return {
    install: () => bed.installChart({ values: { controller: { nodeSelector: { [gateLabel]: 'true' } }, defaultPolicy: { spec: policy } } }),
    uninstall: bed.uninstallChart,
    async byProduct(version) {
      await bed.publish(release(version));
      await until(async () => {
        const hosts = await client.list<KubeObject & { status?: NodeHostStatus }>(`${kinds}/nodehosts`);
        return hosts.filter(({ status }) => status?.staged?.version === version).length === updatedNodes;
      }, 120_000);
      await spread();
      say(`${version}: we update the nodes`);
      const mark = await bed.audit.mark();
      const served = await whileServed(async () => {
        await client.patch(policyPath, { metadata: { annotations: { 'lockkeeper.dev/approved-version': version } } });
        await until(() => updated(version), 180_000);
        // An agent may report after its node's uncordon, which only waits for its pod.
        await until(async () => (await times()).length === updatedNodes, 30_000);
      });
      return { times: await times(), served };

      async function times(): Promise<ProductTimes[]> {
        return productTimes({ audit: await bed.audit.since(mark), nodes, agents });
      }
    },
    async byScript(version) {
      await bed.publish(release(version));
      for (const name of workers) await stage(bed, bed.machine(name));
      await spread();
      say(`${version}: a script updates the nodes`);
      const times: BareTimes[] = [];
      const served = await whileServed(async () => {
        for (const name of workers) {
          signal.throwIfAborted();
          times.push(await bareUpdate(bed, bed.machine(name)));
        }
      });
      return { times, served };
    },
  };

  async function updated(version: string): Promise<boolean> {
    const seen = await Promise.all(workers.map((name) => client.get<NodeObject>(`/api/v1/nodes/${name}`)));
    const { status } = await client.get<KubeObject & { status?: UpdatePolicyStatus }>(policyPath);
    const isNew = (node: NodeObject) => node.status.nodeInfo.osImage.startsWith(`Bottlerocket OS ${version} (`) && !isUnavailable(node);
    return seen.every(isNew) && status?.claims?.length === 0;
  }

  /** The same number of pods on each node again, all Ready. */
  async function spread(): Promise<void> {
    await bed.kubectl('rollout', 'restart', deployment);
    await bed.kubectl('rollout', 'status', deployment, '--timeout=120s');
    await until(
      async () => (await client.list('/api/v1/namespaces/default/pods')).every(({ metadata }) => !metadata.deletionTimestamp),
      60_000,
    );
  }

  async function whileServed(work: () => Promise<void>): Promise<Served> {
    const caller = startClient(bed.network, url);
    try {
      await work();
    } finally {
      await caller.stop();
    }
    return caller.stop();
  }
}
