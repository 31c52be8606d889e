import { describe, expect, test } from '@jest/globals';
import type { HookRun } from '../core/command.ts';
import { jobFrom, jobOf } from './hook-job.ts';

const hook: HookRun = {
  namespace: 'db',
  name: 'lockkeeper-c-0',
  claim: 'c',
  at: 'BeforeDrain',
  cronJob: 'flush',
  node: 'node-1',
  from: '1.26.0',
  to: '1.26.1',
  policy: 'default',
  timeoutMs: 90_500,
};

const cronJob = (spec: object = {}, podSpec: object = {}, metadata: object = {}) => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'flush', namespace: 'db', uid: 'uid-flush', labels: { of: 'the CronJob' } },
  spec: {
    suspend: true,
    schedule: '0 0 1 1 *',
    jobTemplate: {
      metadata,
      spec: {
        backoffLimit: 2,
        ...spec,
        template: {
          metadata: { labels: { app: 'flush' } },
          spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'flush' }], ...podSpec },
        },
      },
    },
  },
});

const off = { key: 'metadata.name', operator: 'NotIn', values: ['node-1'] };
const env = [
  { name: 'LOCKKEEPER_NODE', value: 'node-1' },
  { name: 'LOCKKEEPER_FROM_VERSION', value: '1.26.0' },
  { name: 'LOCKKEEPER_TO_VERSION', value: '1.26.1' },
  { name: 'LOCKKEEPER_POLICY', value: 'default' },
  { name: 'LOCKKEEPER_HOOK', value: 'BeforeDrain' },
];

describe('the Job of a hook', () => {
  test('is what kubectl create job --from makes of the CronJob, with our labels, environment, deadline and affinity', () => {
    expect(jobFrom(cronJob({}, {}, { labels: { team: 'db' }, annotations: { note: 'kept' } }), hook)).toEqual({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name: 'lockkeeper-c-0',
        namespace: 'db',
        labels: { team: 'db', 'lockkeeper.dev/claim': 'c', 'lockkeeper.dev/hook': 'BeforeDrain' },
        annotations: { 'cronjob.kubernetes.io/instantiate': 'manual', note: 'kept', 'lockkeeper.dev/node': 'node-1' },
        ownerReferences: [{ apiVersion: 'batch/v1', kind: 'CronJob', name: 'flush', uid: 'uid-flush', controller: true }],
      },
      spec: {
        backoffLimit: 2,
        activeDeadlineSeconds: 91,
        ttlSecondsAfterFinished: 86_400,
        template: {
          metadata: { labels: { app: 'flush' } },
          spec: {
            restartPolicy: 'Never',
            containers: [{ name: 'main', image: 'flush', env }],
            affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields: [off] }] } } },
          },
        },
      },
    });
  });

  test.each([
    ['a shorter deadline', { activeDeadlineSeconds: 30 }, { activeDeadlineSeconds: 30 }],
    ['a longer deadline', { activeDeadlineSeconds: 300 }, { activeDeadlineSeconds: 91 }],
    ['a time to be kept', { ttlSecondsAfterFinished: 0 }, { ttlSecondsAfterFinished: 0 }],
    ['fields that we do not know', { podReplacementPolicy: 'Failed' }, { podReplacementPolicy: 'Failed' }],
  ])('of a template with %s', (_what, spec, expected) => {
    expect(jobFrom(cronJob(spec), hook)).toMatchObject({ spec: expected });
  });

  test('every container gets the environment, in place of what its template says of the same names', () => {
    const named = [
      { name: 'A', value: '1' },
      { name: 'LOCKKEEPER_NODE', value: 'mine' },
    ];
    const made = jobFrom(
      cronJob({}, { initContainers: [{ name: 'init', env: named }], containers: [{ name: 'a', env: null }, { name: 'b' }] }),
      hook,
    );
    expect(made).toMatchObject({
      spec: {
        template: {
          spec: {
            initContainers: [{ name: 'init', env: [{ name: 'A', value: '1' }, ...env] }],
            containers: [
              { name: 'a', env },
              { name: 'b', env },
            ],
          },
        },
      },
    });
  });

  test('is kept off the node by each alternative of the template’s own affinity, and the rest of that stays', () => {
    const inZone = (zone: string) => ({ matchExpressions: [{ key: 'zone', operator: 'In', values: [zone] }] });
    const affinity = {
      podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] },
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1 }],
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [inZone('a'), { ...inZone('b'), matchFields: [{ key: 'x' }] }],
        },
      },
    };
    expect(jobFrom(cronJob({}, { affinity }), hook)).toMatchObject({
      spec: {
        template: {
          spec: {
            affinity: {
              podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] },
              nodeAffinity: {
                preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1 }],
                requiredDuringSchedulingIgnoredDuringExecution: {
                  nodeSelectorTerms: [
                    { ...inZone('a'), matchFields: [off] },
                    { ...inZone('b'), matchFields: [{ key: 'x' }, off] },
                  ],
                },
              },
            },
          },
        },
      },
    });
  });
});

describe('what a Job has come to', () => {
  const job = (conditions?: object[], labels: Record<string, string> = { 'lockkeeper.dev/claim': 'c' }) => ({
    metadata: { name: 'lockkeeper-c-0', namespace: 'db', labels, creationTimestamp: '2026-03-01T12:00:00Z' },
    status: { ...(conditions && { conditions, completionTime: '2026-03-01T12:01:00Z' }) },
  });
  const condition = (type: string, status = 'True', reason?: string, message?: string) => ({ type, status, reason, message });
  const active = { state: 'Active', createdAt: '2026-03-01T12:00:00Z' };

  test.each([
    ['new', undefined, active],
    ['about to end', [condition('SuccessCriteriaMet'), condition('FailureTarget')], active],
    ['not complete', [condition('Complete', 'False')], active],
    ['complete', [condition('Complete')], { state: 'Succeeded', endedAt: '2026-03-01T12:01:00Z' }],
    [
      'failed',
      [condition('Failed', 'True', 'BackoffLimitExceeded', 'too many')],
      { state: 'Failed', timedOut: false, message: 'BackoffLimitExceeded: too many' },
    ],
    [
      'failed by its deadline',
      [condition('Failed', 'True', 'DeadlineExceeded')],
      { state: 'Failed', timedOut: true, message: 'DeadlineExceeded' },
    ],
  ])('%s', (_what, conditions, expected) => {
    expect(jobOf(job(conditions), hook)).toEqual(expected);
  });

  test("somebody else's", () => {
    expect(jobOf(job([condition('Complete')], {}), hook)).toEqual({
      state: 'Refused',
      message: 'Job db/lockkeeper-c-0 is there and was not made for this update: delete it',
    });
  });
});
