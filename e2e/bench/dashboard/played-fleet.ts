import { buildPage } from '../../../scripts/build-page.ts';
import type { NodeUpdateStatus } from '../../../src/api/node-update.ts';
import { type ClusterBed, clusterBed } from '../../../src/controller/testing/bed.ts';
import { putHost, putNode } from '../../../src/controller/testing/objects.ts';
import { createDashboard, type Dashboard } from '../../../src/dashboard/server/dashboard.ts';
import { systemClock } from '../../../src/kube/clock.ts';

const [OLD, NEW] = ['1.26.0', '1.26.1'];
const MINUTE = 60_000;

/** An API server in this process that has a fleet in the middle of a rollout, and the dashboard's real server before it. */
export interface PlayedFleet {
  readonly url: string;
  readonly nodes: readonly string[];
  /** Has a node's status become another one, as a controller writes it: all watches are told at once. */
  become(node: string, status: NodeUpdateStatus): void;
  close(): Promise<void>;
}

/** Plays a fleet of so many nodes. */
export async function playFleet(count: number): Promise<PlayedFleet> {
  const bed = await clusterBed();
  let dashboard: Dashboard | undefined;
  try {
    const nodes = fill(bed, count);
    dashboard = await createDashboard({
      client: bed.client,
      clock: systemClock,
      random: Math.random,
      assets: await buildPage(),
      cluster: { context: 'played', name: 'played', server: bed.server.origin },
      version: '0.0.0',
      address: '127.0.0.1',
      port: 0,
      program: undefined,
      namespace: undefined,
    });
    const { url, close } = dashboard;
    return {
      url,
      nodes,
      become: (node, status) => void bed.cluster.patch('nodeupdates', node, { status }),
      async close() {
        await close();
        await bed.close();
      },
    };
  } catch (error) {
    await dashboard?.close();
    await bed.close();
    throw error;
  }
}

function fill({ cluster }: ClusterBed, count: number): string[] {
  const groups = [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } }, soak: '1h' }];
  const statuses = Array.from({ length: count }, (_, index) => statusAt(index, count));
  const of = (...phases: NodeUpdateStatus['phase'][]) => statuses.filter(({ phase }) => phases.includes(phase)).length;
  const updated = statuses.filter(({ reason }) => reason === 'UpToDate').length;
  const inFlight = of('Draining', 'Rebooting', 'Verifying', 'Uncordoning');
  const [blocked, failed] = [of('Blocked'), of('Failed')];
  const at = (minutes: number) => new Date(Date.now() + minutes * MINUTE).toISOString();
  const since = { lastTransitionTime: at(-30), observedGeneration: 1 };
  cluster.put('updatepolicies', {
    metadata: { name: 'fleet', generation: 1 },
    spec: {
      rollout: { maxUnavailable: '5%', groups, failureBudget: 3 },
      schedule: { windows: [{ cron: '0 2 * * 2-4', duration: '4h', timeZone: 'Asia/Seoul' }] },
    },
    status: {
      observedGeneration: 1,
      summary: `${updated}/${count} up to date, ${inFlight} in flight, ${blocked} blocked, ${failed} failed`,
      counts: {
        ...{ nodes: count, updated, outdated: count - updated, staging: of('Staging'), staged: of('Staged') },
        ...{ inFlight, blocked, failed, unavailable: inFlight + failed, overdue: 0 },
      },
      window: { open: true, nextChange: at(95) },
      rollouts: [
        {
          ...{ id: 'r1', variant: 'aws-k8s-1.31', arch: 'amd64', target: NEW, startedAt: at(-120), updated, zone: 'eu-west-1b' },
          groups: [{ name: 'canary', state: 'Finished', nodes: Math.ceil(count / 20), updated: Math.ceil(count / 20) }],
          failed: [],
        },
      ],
      conditions: [
        { type: 'Ready', status: 'True', reason: 'Ready', message: 'spec is valid', ...since },
        { type: 'Progressing', status: 'True', reason: 'RollingOut', message: `${updated}/${count} up to date`, ...since },
      ],
    },
  });
  return statuses.map((status, index) => {
    const name = `ip-10-0-${Math.floor(index / 250)}-${index % 250}.eu-west-1.compute.internal`;
    const labels = {
      'topology.kubernetes.io/zone': `eu-west-1${'abc'[index % 3]}`,
      ring: index % 20 === 0 ? 'canary' : 'rest',
    };
    const node = putNode(cluster, name, { version: status.from ?? OLD, metadata: { labels } });
    cluster.put('nodeupdates', {
      apiVersion: 'lockkeeper.dev/v1alpha1',
      kind: 'NodeUpdate',
      metadata: { name, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid: node.metadata.uid }] },
      status,
    });
    putHost(cluster, node, { version: status.from ?? OLD });
    return name;
  });
}

/** Of every hundred nodes a third is updated, a few are in flight or in trouble, the others wait. */
function statusAt(index: number, count: number): NodeUpdateStatus {
  const since = new Date(Date.now() - (index % 90) * MINUTE).toISOString();
  const base = { policy: 'fleet', since };
  const behind = { ...base, from: OLD, target: NEW, behindSince: new Date(Date.now() - 26 * 60 * MINUTE).toISOString() };
  const part = (index * 997) % Math.min(count, 100);
  if (part < 34) return { ...base, phase: 'Idle', reason: 'UpToDate', message: `runs ${NEW}`, from: NEW, target: NEW };
  switch (part) {
    case 34:
      return {
        ...behind,
        ...{
          phase: 'Draining',
          reason: 'Draining',
          message: '2 of 14 pods are still to leave: shop/web-7d9f (PodDisruptionBudget shop/web)',
        },
        deadlines: { drain: new Date(Date.now() + 20 * MINUTE).toISOString() },
        drain: {
          ...{ startedAt: since, total: 14, remaining: 2 },
          blocked: [
            {
              pod: 'shop/web-7d9f',
              reason: 'Budget',
              budget: 'shop/web',
              message: 'Cannot evict pod as it would violate the pod’s disruption budget.',
            },
          ],
        },
      };
    case 35:
      return { ...behind, phase: 'Rebooting', reason: 'RebootAsked', message: 'the host was asked to reboot' };
    case 36:
      return { ...behind, phase: 'Verifying', reason: 'Verifying', message: 'waits for DaemonSet pod kube-system/aws-node-x' };
    case 37:
      return {
        ...behind,
        phase: 'Blocked',
        reason: 'CannotEvict',
        message: 'pod shop/db-0: PodDisruptionBudget shop/db allows no disruption',
      };
    case 38:
      return index % 300 < 100
        ? { ...behind, phase: 'Failed', reason: 'RebootTimeout', message: 'no other boot after 15 min' }
        : { ...behind, phase: 'Soaking', reason: 'Soaking', from: NEW };
    case 39:
      return { ...behind, phase: 'Staging', reason: 'Staging', message: 'the host is downloading it' };
    default:
      return { ...behind, phase: 'Staged', reason: 'CapacityReached', message: '5% of the nodes are unavailable: waits for its turn' };
  }
}
