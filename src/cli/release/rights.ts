import * as z from 'zod/mini';
import { AGENT_ADMISSION_POLICY, GROUP } from '../../api/names.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Right } from '../errors.ts';

/** What of a release its rights depend on. */
export interface ReleaseScope {
  namespace: string;
  leaseName: string;
  hookNamespaces: readonly string[];
  nodeConditions: boolean;
  /** Only what is read. */
  readOnly: boolean;
}

interface Rule {
  group: string;
  resources: readonly string[];
  verbs: readonly Right['verb'][];
  name?: string;
  namespace?: string;
}

const READ: readonly Right['verb'][] = ['get', 'list', 'watch'];

/** Every right that a release needs: the same as the chart's pre-delete hook has. */
export function releaseRights({ namespace, leaseName, hookNamespaces, nodeConditions, readOnly }: ReleaseScope): Right[] {
  const rules: Rule[] = [
    { group: '', resources: ['nodes'], verbs: [...READ, 'patch'] },
    ...(nodeConditions ? [{ group: '', resources: ['nodes/status'], verbs: ['patch'] } as const] : []),
    { group: '', resources: ['pods'], verbs: READ },
    { group: 'policy', resources: ['poddisruptionbudgets'], verbs: READ },
    { group: 'apps', resources: ['daemonsets'], verbs: READ },
    { group: GROUP, resources: ['updatepolicies'], verbs: READ },
    { group: GROUP, resources: ['nodeupdates', 'nodehosts'], verbs: [...READ, 'create', 'patch', 'delete'] },
    { group: GROUP, resources: ['updatepolicies/status', 'nodeupdates/status'], verbs: ['patch'] },
    { group: 'events.k8s.io', resources: ['events'], verbs: ['create', 'patch'] },
    { group: '', resources: ['events'], verbs: ['create', 'patch'] },
    {
      group: 'admissionregistration.k8s.io',
      resources: ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'],
      verbs: READ,
      name: AGENT_ADMISSION_POLICY,
    },
    { group: 'coordination.k8s.io', resources: ['leases'], verbs: ['create'], namespace },
    { group: 'coordination.k8s.io', resources: ['leases'], verbs: [...READ, 'patch', 'update'], namespace, name: leaseName },
    ...hookNamespaces.flatMap((where): Rule[] => [
      { group: 'batch', resources: ['cronjobs'], verbs: ['get'], namespace: where },
      { group: 'batch', resources: ['jobs'], verbs: [...READ, 'create'], namespace: where },
    ]),
  ];
  const all = rules.flatMap(({ group, resources, verbs, name, namespace: where }) =>
    resources.flatMap((resource) =>
      verbs.map((verb) => ({
        verb,
        resource: group === '' ? resource : `${resource}.${group}`,
        ...(name !== undefined && { name }),
        ...(where !== undefined && { namespace: where }),
      })),
    ),
  );
  return readOnly ? all.filter(({ verb, namespace: where }) => READ.includes(verb) && where === undefined) : all;
}

const answerSchema = z.object({ status: z.object({ allowed: z.boolean() }) });

/** Which of these rights the user lacks, by the API server's word. */
export async function missingRights(client: Pick<KubeClient, 'create'>, rights: readonly Right[]): Promise<Right[]> {
  const allowed = await Promise.all(
    rights.map(async ({ verb, resource, name, namespace }) => {
      const [named = '', ...group] = resource.split('.');
      const [plural, subresource] = named.split('/');
      const resourceAttributes = { verb, group: group.join('.'), resource: plural, subresource, name, namespace };
      const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } };
      return z.parse(answerSchema, await client.create('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', body)).status.allowed;
    }),
  );
  return rights.filter((_, index) => allowed[index] === false);
}
