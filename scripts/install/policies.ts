import { ApiObject } from 'cdk8s';
import { k8s } from 'cdk8s-plus-33';
import type { Construct } from 'constructs';
import { UPDATE_POLICY } from '../../src/api/kinds.ts';
import { AGENT_ADMISSION_POLICY, API_VERSION, GROUP } from '../../src/api/names.ts';
import { metadata, namespace } from './shared.ts';

/** cdk8s-plus takes RBAC's Subject for the one of flow control, and drops the account: these two are not typed. */
const flowSchema = { apiVersion: 'flowcontrol.apiserver.k8s.io/v1', kind: 'FlowSchema' };

/** The agents' limits, our share of the API server, and the default policy. */
export function policies(scope: Construct): void {
  new k8s.KubeValidatingAdmissionPolicy(scope, 'validatingAdmissionPolicy-lockkeeper-agent', {
    metadata: metadata(AGENT_ADMISSION_POLICY, 'agent'),
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        matchPolicy: 'Equivalent',
        resourceRules: [{ apiGroups: [GROUP], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }],
      },
      matchConditions: [
        { name: 'request-of-an-agent', expression: `request.userInfo.username == 'system:serviceaccount:${namespace}:lockkeeper-agent'` },
      ],
      variables: [
        { name: 'extra', expression: 'has(request.userInfo.extra) ? request.userInfo.extra : {}' },
        {
          name: 'nodeName',
          expression:
            "'authentication.kubernetes.io/node-name' in variables.extra ? variables.extra['authentication.kubernetes.io/node-name'][0] : ''",
        },
        {
          name: 'nodeUID',
          expression:
            "'authentication.kubernetes.io/node-uid' in variables.extra ? variables.extra['authentication.kubernetes.io/node-uid'][0] : ''",
        },
        {
          name: 'isStatusUpdate',
          expression:
            "request.operation == 'UPDATE' && request.resource.resource == 'nodehosts' && has(request.subResource) && request.subResource == 'status'",
        },
      ],
      validations: [
        {
          expression: "variables.nodeName != '' && variables.nodeUID != ''",
          message: "an agent's token must be bound to a pod on a node; this one is not",
        },
        { expression: 'variables.isStatusUpdate', message: "an agent may write nothing but the status of its own node's NodeHost" },
        {
          expression: '!variables.isStatusUpdate || request.name == variables.nodeName',
          messageExpression: "'the agent of node ' + variables.nodeName + ' may not write the NodeHost of ' + request.name",
        },
        {
          expression:
            "!variables.isStatusUpdate || (has(oldObject.metadata.ownerReferences) && oldObject.metadata.ownerReferences.exists(owner, owner.apiVersion == 'v1' && owner.kind == 'Node' && owner.name == variables.nodeName && owner.uid == variables.nodeUID))",
          messageExpression:
            "'the NodeHost ' + request.name + ' does not belong to the node ' + variables.nodeName + ' with the uid ' + variables.nodeUID + ' that this token is bound to: the node was registered anew, and the token must be read again'",
        },
      ],
    },
  });
  new k8s.KubeValidatingAdmissionPolicyBinding(scope, 'validatingAdmissionPolicyBinding-lockkeeper-agent', {
    metadata: metadata(AGENT_ADMISSION_POLICY, 'agent'),
    spec: { policyName: AGENT_ADMISSION_POLICY, validationActions: ['Deny'] },
  });
  new k8s.KubePriorityLevelConfiguration(scope, 'priorityLevelConfiguration-lockkeeper', {
    metadata: metadata('lockkeeper'),
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: 10,
        lendablePercent: 50,
        limitResponse: { type: 'Queue', queuing: { queues: 16, handSize: 4, queueLengthLimit: 50 } },
      },
    },
  });
  new ApiObject(scope, 'flowSchema-lockkeeper', {
    ...flowSchema,
    metadata: metadata('lockkeeper'),
    spec: {
      priorityLevelConfiguration: { name: 'lockkeeper' },
      matchingPrecedence: 1000,
      distinguisherMethod: { type: 'ByUser' },
      rules: [
        {
          subjects: [
            { kind: 'ServiceAccount', serviceAccount: { name: 'lockkeeper-controller', namespace } },
            { kind: 'ServiceAccount', serviceAccount: { name: 'lockkeeper-agent', namespace } },
            { kind: 'ServiceAccount', serviceAccount: { name: 'lockkeeper-release', namespace } },
          ],
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
        },
      ],
    },
  });
  new ApiObject(scope, 'flowSchema-lockkeeper-lease', {
    ...flowSchema,
    metadata: metadata('lockkeeper-lease'),
    spec: {
      priorityLevelConfiguration: { name: 'leader-election' },
      matchingPrecedence: 900,
      distinguisherMethod: { type: 'ByUser' },
      rules: [
        {
          subjects: [
            { kind: 'ServiceAccount', serviceAccount: { name: 'lockkeeper-controller', namespace } },
            { kind: 'ServiceAccount', serviceAccount: { name: 'lockkeeper-release', namespace } },
          ],
          resourceRules: [
            {
              verbs: ['get', 'list', 'watch', 'create', 'patch', 'update'],
              apiGroups: ['coordination.k8s.io'],
              resources: ['leases'],
              namespaces: [namespace],
            },
          ],
        },
      ],
    },
  });
  new ApiObject(scope, 'updatePolicy-default', {
    apiVersion: API_VERSION,
    kind: UPDATE_POLICY.kind,
    metadata: metadata('default'),
    spec: { approval: 'Manual' },
  });
}
