import type { KubeObject } from '../bed/api.ts';
import type { AuditEntry } from '../bed/audit.ts';
import type { Bed } from '../bed/bed.ts';
import type { PodObject } from '../bed/pod-object.ts';

export type JobObject = KubeObject & {
  spec: object & { template: { spec: PodObject['spec'] } };
  status?: { conditions?: { type: string; status: string }[] };
};

/** How the pods of a CronJob's Jobs behave: they succeed at once, fail at once, or run until `finish`. */
export type Behaviour = 'succeeds' | 'fails' | 'runs';

const base = '/apis/batch/v1/namespaces/default';
/** The API server's path of Jobs. */
export const jobsPath = `${base}/jobs`;

/** The namespace in which the fleet's hooks may run, and the value that says so. */
export const hookValues = { hooks: { namespaces: ['default'] } };

/** A hook of a policy. */
export const hookOf = (at: string, name: string, timeout = '60s') => ({ at, cronJob: { namespace: 'default', name }, timeout });

/** Puts a suspended CronJob, or changes how its next Jobs behave. */
export async function cronJob({ client }: Bed, name: string, behaviour: Behaviour = 'succeeds'): Promise<void> {
  const annotations = { fails: { 'bed.lockkeeper.dev/fails': 'true' }, runs: { 'bed.lockkeeper.dev/runs-for': '24h' }, succeeds: {} };
  await client.apply({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name, namespace: 'default' },
    spec: {
      schedule: '0 0 1 1 *',
      suspend: true,
      successfulJobsHistoryLimit: 20,
      failedJobsHistoryLimit: 20,
      jobTemplate: {
        metadata: { labels: { team: 'db' }, annotations: { note: 'kept' } },
        spec: {
          backoffLimit: 0,
          template: {
            metadata: { annotations: annotations[behaviour] },
            spec: {
              restartPolicy: 'Never',
              terminationGracePeriodSeconds: 1,
              initContainers: [{ name: 'before', image: 'none' }],
              containers: [{ name: 'main', image: 'none', env: [{ name: 'MINE', value: 'kept' }] }],
            },
          },
        },
      },
    },
  });
}

/** Lets what runs of a Job end well. */
export async function finish({ client, eventually }: Bed, job: string): Promise<void> {
  const pod = await eventually(async () => {
    const [first] = await client.list<PodObject>('/api/v1/namespaces/default/pods', {
      labelSelector: `batch.kubernetes.io/job-name=${job}`,
    });
    return first?.status?.phase === 'Running' && first;
  });
  const path = `/api/v1/namespaces/default/pods/${pod.metadata.name}`;
  await client.patch(path, { metadata: { annotations: { 'bed.lockkeeper.dev/runs-for': '0s' } } });
}

/** The Jobs that the controller has made, in the order of the API server's answers. */
export async function madeJobs(bed: Bed): Promise<{ at: string; job: JobObject; entry: AuditEntry }[]> {
  const entries = await bed.audit.find({ verb: 'create', resource: 'jobs', user: ':lockkeeper-controller', code: 201 });
  return entries.map((entry) => {
    const job = entry.responseObject as JobObject;
    return { at: job.metadata.labels?.['lockkeeper.dev/hook'] ?? '', job, entry };
  });
}
