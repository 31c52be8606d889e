import { OTHER_OPERATOR_COMPONENT, OTHER_OPERATOR_LABEL } from '../../src/api/names.ts';
import type { Bed } from '../bed/bed.ts';

const namespace = 'brupop-bottlerocket-aws';
const labelled = (component: string) => ({
  'app.kubernetes.io/component': component,
  'app.kubernetes.io/managed-by': 'brupop',
  'app.kubernetes.io/part-of': 'brupop',
  [OTHER_OPERATOR_COMPONENT]: component,
});

/** Installs the agents of the OS's existing operator; they run where its label is. */
export async function installOldAgents({ client }: Bed): Promise<void> {
  const labels = { [OTHER_OPERATOR_COMPONENT]: 'agent' };
  const matchExpressions = [{ key: OTHER_OPERATOR_LABEL, operator: 'In', values: ['2.0.0'] }];
  await client.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'brupop-agent', namespace, labels: labelled('agent') },
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
