import { k8s } from 'cdk8s-plus-33';
import type { Construct } from 'constructs';
import { AGENT_ADMISSION_POLICY, GROUP } from '../../src/api/names.ts';
import { metadata, namespace, namespaced } from './shared.ts';

/** What a plan reads besides nodes, pods and our kinds. */
const readForPlans: readonly k8s.PolicyRule[] = [
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: ['list'] },
  { apiGroups: ['apps'], resources: ['daemonsets'], verbs: ['list'] },
  {
    apiGroups: ['admissionregistration.k8s.io'],
    resources: ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'],
    resourceNames: [AGENT_ADMISSION_POLICY],
    verbs: ['list'],
  },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: ['lockkeeper'], verbs: ['get'] },
];

/** Accounts, and what they may do. */
export function access(scope: Construct): void {
  new k8s.KubeServiceAccount(scope, 'serviceAccount-lockkeeper-agent', {
    metadata: namespaced('lockkeeper-agent', 'agent'),
    automountServiceAccountToken: false,
  });
  new k8s.KubeServiceAccount(scope, 'serviceAccount-lockkeeper-controller', {
    metadata: namespaced('lockkeeper-controller', 'controller'),
  });
  new k8s.KubeClusterRole(scope, 'clusterRole-lockkeeper-agent', {
    metadata: metadata('lockkeeper-agent', 'agent'),
    rules: [
      { apiGroups: [GROUP], resources: ['nodehosts'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [GROUP], resources: ['nodehosts/status'], verbs: ['patch'] },
    ],
  });
  new k8s.KubeClusterRole(scope, 'clusterRole-lockkeeper-controller', {
    metadata: metadata('lockkeeper-controller', 'controller'),
    rules: [
      { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch', 'patch'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['pods/eviction'], verbs: ['create'] },
      { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: ['apps'], resources: ['daemonsets'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [GROUP], resources: ['updatepolicies'], verbs: ['get', 'list', 'watch'] },
      {
        apiGroups: [GROUP],
        resources: ['nodeupdates', 'nodehosts'],
        verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
      },
      { apiGroups: [GROUP], resources: ['updatepolicies/status', 'nodeupdates/status'], verbs: ['patch'] },
      { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'],
        resourceNames: [AGENT_ADMISSION_POLICY],
        verbs: ['get', 'list', 'watch'],
      },
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'],
        verbs: ['list'],
      },
    ],
  });
  new k8s.KubeClusterRole(scope, 'clusterRole-lockkeeper-plan', {
    metadata: metadata('lockkeeper-plan'),
    rules: [
      { apiGroups: [''], resources: ['nodes', 'pods'], verbs: ['list'] },
      { apiGroups: [GROUP], resources: ['updatepolicies', 'nodeupdates', 'nodehosts'], verbs: ['list'] },
      ...readForPlans,
    ],
  });
  const readByPeople: k8s.PolicyRule[] = [
    { apiGroups: [GROUP], resources: ['updatepolicies', 'nodeupdates', 'nodehosts'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
    ...readForPlans,
  ];
  new k8s.KubeClusterRole(scope, 'clusterRole-lockkeeper-viewer', { metadata: metadata('lockkeeper-viewer'), rules: readByPeople });
  new k8s.KubeClusterRole(scope, 'clusterRole-lockkeeper-operator', {
    metadata: metadata('lockkeeper-operator'),
    rules: [...readByPeople, { apiGroups: [GROUP], resources: ['updatepolicies', 'nodeupdates'], verbs: ['patch'] }],
  });
  new k8s.KubeClusterRoleBinding(scope, 'clusterRoleBinding-lockkeeper-agent', {
    metadata: metadata('lockkeeper-agent', 'agent'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'lockkeeper-agent' },
    subjects: [{ kind: 'ServiceAccount', name: 'lockkeeper-agent', namespace }],
  });
  new k8s.KubeClusterRoleBinding(scope, 'clusterRoleBinding-lockkeeper-controller', {
    metadata: metadata('lockkeeper-controller', 'controller'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'lockkeeper-controller' },
    subjects: [{ kind: 'ServiceAccount', name: 'lockkeeper-controller', namespace }],
  });
  new k8s.KubeRole(scope, 'role-lockkeeper-controller', {
    metadata: namespaced('lockkeeper-controller', 'controller'),
    rules: [
      { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
      {
        apiGroups: ['coordination.k8s.io'],
        resources: ['leases'],
        resourceNames: ['lockkeeper'],
        verbs: ['get', 'list', 'watch', 'patch', 'update'],
      },
    ],
  });
  new k8s.KubeRoleBinding(scope, 'roleBinding-lockkeeper-controller', {
    metadata: namespaced('lockkeeper-controller', 'controller'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'lockkeeper-controller' },
    subjects: [{ kind: 'ServiceAccount', name: 'lockkeeper-controller', namespace }],
  });
}
