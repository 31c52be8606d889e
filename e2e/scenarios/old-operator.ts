import { OTHER_OPERATOR_COMPONENT, OTHER_OPERATOR_LABEL } from '../../src/api/names.ts';
import type { KubeObject } from '../bed/api.ts';
import type { Bed } from '../bed/bed.ts';

/** Labels of a node that the OS's existing operator has. */
export const oldLabels = { [OTHER_OPERATOR_LABEL]: '2.0.0' };

const namespace = 'brupop-bottlerocket-aws';
const shadows = `/apis/brupop.bottlerocket.aws/v2/namespaces/${namespace}/bottlerocketshadows`;
const controller = `/apis/apps/v1/namespaces/${namespace}/deployments/brupop-controller-deployment`;
const agents = `/apis/apps/v1/namespaces/${namespace}/daemonsets/brupop-agent`;

/**
 * The OS's existing operator as its chart 1.8 puts it into a cluster, as far as it is looked at; its programs are played by nobody, its
 * pods by kwok. Facts: templates/agent-daemonset.yaml, templates/controller-deployment.yaml and the CRD of its repository.
 */
export interface OldOperator {
  /** What it set on a node that it is at, as its agents report it. */
  shadow(node: string, state: string, wanted?: string): Promise<void>;
  /** Its two workloads as they are, without what the API server counts. */
  workloads(): Promise<Workload[]>;
  /** Waits until the number of its controllers and agents that run is this. */
  runs(controllers: number, agents: number): Promise<void>;
}

/** One of its workloads, as far as tests look into it. */
export type Workload = KubeObject & {
  spec: { replicas?: number; template: { spec: { nodeSelector?: Record<string, string> } } };
  status?: { currentNumberScheduled?: number; numberReady?: number; readyReplicas?: number };
};

const labelled = (component: string) => ({
  'app.kubernetes.io/component': component,
  'app.kubernetes.io/managed-by': 'brupop',
  'app.kubernetes.io/part-of': 'brupop',
  [OTHER_OPERATOR_COMPONENT]: component,
});

/** Installs its agents alone; they run where its label is. */
export async function installOldAgents({ client }: Bed, annotations: Record<string, string> = {}): Promise<void> {
  const labels = { [OTHER_OPERATOR_COMPONENT]: 'agent' };
  const matchExpressions = [{ key: OTHER_OPERATOR_LABEL, operator: 'In', values: ['2.0.0'] }];
  await client.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'brupop-agent', namespace, labels: labelled('agent'), annotations },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 1,
            affinity: {
              nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } },
            },
            containers: [{ name: 'brupop', image: 'brupop:v1.8.0', env: [{ name: 'EXCLUDE_FROM_LB_WAIT_TIME_IN_SEC', value: '20' }] }],
          },
        },
      },
    },
  );
}

/** Installs all of it; `env` is its controller's. */
export async function installOldOperator(bed: Bed, env: Readonly<Record<string, string>>): Promise<OldOperator> {
  const { client, eventually } = bed;
  const labels = { [OTHER_OPERATOR_COMPONENT]: 'brupop-controller' };
  const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const names = { kind: 'BottlerocketShadow', plural: 'bottlerocketshadows', singular: 'bottlerocketshadow', shortNames: ['brs'] };
  const annotations = { 'meta.helm.sh/release-name': 'brupop', 'meta.helm.sh/release-namespace': namespace };
  await installOldAgents(bed, annotations);
  await client.apply(
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'bottlerocketshadows.brupop.bottlerocket.aws' },
      spec: {
        group: 'brupop.bottlerocket.aws',
        names,
        scope: 'Namespaced',
        versions: [
          {
            name: 'v2',
            served: true,
            storage: true,
            subresources: { status: {} },
            schema: { openAPIV3Schema: { type: 'object', properties: { spec: anything, status: anything } } },
          },
        ],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'brupop-controller-deployment', namespace, labels: labelled('brupop-controller'), annotations },
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [{ name: 'brupop', image: 'brupop:v1.8.0', env: Object.entries(env).map(([name, value]) => ({ name, value })) }],
          },
        },
      },
    },
  );
  await eventually(async () => (await client.find(shadows)) !== undefined);
  return {
    async shadow(node, state, wanted = state) {
      const { metadata } = await client.get(`/api/v1/nodes/${node}`);
      const name = `brs-${node}`;
      const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: node, uid: metadata.uid }];
      await client.apply({
        apiVersion: 'brupop.bottlerocket.aws/v2',
        kind: 'BottlerocketShadow',
        metadata: { name, namespace, ownerReferences },
        spec: { state: wanted },
      });
      const status = { current_state: state, current_version: '1.26.0', target_version: '1.26.0', crash_count: 0 };
      await client.patch(`${shadows}/${name}/status`, { status });
    },
    workloads: () => Promise.all([controller, agents].map(async (path) => plain(await client.get<Workload>(path)))),
    async runs(controllers, count) {
      await eventually(async () => {
        const [deployment, daemonSet] = await Promise.all([client.get<Workload>(controller), client.get<Workload>(agents)]);
        return (deployment.status?.readyReplicas ?? 0) === controllers && (daemonSet.status?.numberReady ?? 0) === count;
      });
    },
  };
}

/** What the API server and its controllers count by themselves is taken off. */
function plain({ metadata, status: _, ...rest }: Workload): Workload {
  const {
    resourceVersion,
    generation,
    managedFields,
    annotations = {},
    ...kept
  } = metadata as Workload['metadata'] & { managedFields?: object };
  const own = Object.entries(annotations).filter(([name]) => name !== 'deprecated.daemonset.template.generation');
  return { ...rest, metadata: { ...kept, annotations: Object.fromEntries(own) } };
}
