import type { ChartOptions } from '../../bed/chart.ts';
import type { NodeObject } from '../../bed/node-object.ts';
import type { WatchHistory } from '../../bed/watch-history.ts';
import { type Judge, judgeOf } from '../../scenarios/judge.ts';
import { hurried, type WatchedFleet, watchFleet } from '../../scenarios/watched-fleet.ts';
import type { RealMachine } from '../machine.ts';
import { type Nodes, type NodesOptions, startNodes } from '../nodes.ts';
import { ourImage } from '../our-image.ts';
import type { Pod } from './pod-history.ts';

const variant = 'aws-k8s-1.31';
const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const policy = 'default';
const infraLabel = 'bed.lockkeeper.dev/infra';
const podsPath = '/api/v1/namespaces/lockkeeper/pods';

export interface RealFleetOptions extends Pick<NodesOptions, 'archives' | 'machine' | 'each' | 'nodeGraceSeconds' | 'certificate'> {
  /** 3 unless told; in one zone, so that they go by name, unless `machine` or `each` says otherwise. */
  readonly nodes?: number;
  /** What the update repository holds at first, beside 1.26.0, which the machines run. */
  readonly releases?: readonly string[];
  /** `chart`: as the chart has it. Else over a policy that goes on by itself, in a hurry. */
  readonly policy?: object | 'chart';
  /** Where the controllers run: a machine of another OS that is never updated, the nodes themselves, or these of them at first. */
  readonly controllersOn?: 'infra' | 'nodes' | readonly string[];
  /** Over the chart's own values. */
  readonly values?: { readonly controller?: object; readonly agent?: object };
  /** Instead of the bed's own `installChart`. */
  readonly install?: (bed: Nodes, options: ChartOptions) => Promise<void>;
}

/** Real nodes on 1.26.0 with the chart installed, and its policy `default` in force. */
export interface RealFleet extends WatchedFleet {
  readonly bed: Nodes;
  /** The machines that the policy has: `node-1`, `node-2`, … */
  readonly machines: readonly RealMachine[];
  /** Puts a release into the update repository of all hosts. */
  release(version: string): Promise<void>;
  /** Puts out a release under a policy with `approval: Manual`; settles when all nodes have staged it and wait. */
  releaseStaged(version: string): Promise<void>;
  /** Approves a version, on the policy. */
  approve(version: string): Promise<void>;
  /** The pod of the controller that holds the Lease; one that is not of these names, where some are given. */
  leader(...except: readonly string[]): Promise<Pod>;
  /** The controllers' pods that there are, and those of the agents. */
  podsOf(component: 'controller' | 'agent'): Promise<Pod[]>;
  /** Judges from now on; what went before on this bed does not count. Nothing may be in flight. */
  judgeFromNow(): Promise<Judge>;
  stop(): Promise<void>;
}

/** Starts real nodes, builds our image where it is not there, and installs the chart. */
export async function startRealFleet(options: RealFleetOptions = {}): Promise<RealFleet> {
  const { nodes = 3, releases = [], policy: spec = {}, controllersOn = 'nodes', values = {}, machine = {}, each = () => ({}) } = options;
  const { install = (bed, chart) => bed.installChart(chart) } = options;
  const infra = controllersOn === 'infra';
  const image = await ourImage();
  const bed = await startNodes({
    ...options,
    image,
    nodes: infra ? nodes + 1 : nodes,
    releases: ['1.26.0', ...releases].map((version) => ({ version, variant, arch })),
    each: (index) =>
      index < nodes
        ? { zone: 'eu-west-1a', ...machine, ...each(index) }
        : { osImage: 'Debian GNU/Linux 12 (bookworm)', labels: { [infraLabel]: 'true' } },
  });
  try {
    const history = await bed.nodeHistory();
    const shut = typeof controllersOn === 'string' ? [] : [...bed.machines.keys()].filter((name) => !controllersOn.includes(name));
    if (shut.length > 0) await bed.kubectl('cordon', ...shut);
    await install(bed, {
      values: {
        ...values,
        controller: { ...(infra && { nodeSelector: { [infraLabel]: 'true' } }), ...values.controller },
        ...(spec !== 'chart' && { defaultPolicy: { spec: { approval: 'Automatic', ...hurried(spec) } } }),
      },
    });
    if (shut.length > 0) await bed.kubectl('uncordon', ...shut);
    return fleetOn(bed, [...bed.machines.values()].slice(0, nodes), history);
  } catch (error) {
    await bed.stop({ keepLogs: true });
    throw error;
  }
}

function fleetOn(bed: Nodes, machines: readonly RealMachine[], history: WatchHistory<NodeObject>): RealFleet {
  const names = machines.map(({ name }) => name);
  const patience = { phaseMs: 120_000, updateMs: names.length * 60_000 };
  const watched = watchFleet({ bed, history, policy, names, patience });
  const fleet: RealFleet = {
    ...watched,
    bed,
    machines,
    release: (version) => bed.publish({ version, variant, arch }),
    async releaseStaged(version) {
      await fleet.release(version);
      await Promise.all(names.map((name) => fleet.phase(name, 'Staged', 'AwaitingApproval')));
    },
    approve: (version) => watched.annotate('updatepolicies', policy, { 'lockkeeper.dev/approved-version': version }),
    leader: (...except) =>
      bed.eventually(async () => {
        const holder = await watched.leaseHolder();
        const leader = (await fleet.podsOf('controller')).find(({ metadata }) => metadata.name === holder);
        return leader !== undefined && !except.includes(leader.metadata.name) && leader;
      }),
    podsOf: (component) => bed.client.list<Pod>(podsPath, { labelSelector: `app.kubernetes.io/component=${component}` }),
    async judgeFromNow() {
      const boots = new Map(await Promise.all(machines.map(async (machine) => [machine.name, await machine.rebootCount()] as const)));
      return judgeOf(bed, await bed.nodeHistory(), { mark: await bed.audit.mark(), boots });
    },
    stop: () => bed.stop(),
  };
  return fleet;
}
