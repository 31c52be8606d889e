import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../kube/testing/fake-clock.ts';
import { HookJobs } from './hook-jobs.ts';
import { type ClusterBed, clusterBed } from './testing/bed.ts';

let bed: ClusterBed;
let jobs: HookJobs;
let changes: number;
beforeEach(async () => {
  bed = await clusterBed();
  changes = 0;
  jobs = new HookJobs(bed.deps, () => {
    changes += 1;
  });
});
afterEach(async () => {
  await jobs.stop();
  await bed.close();
});

const ref = (name: string) => ({ namespace: 'db', name, claim: 'c' });
const put = (name: string, ...conditions: string[]) =>
  bed.cluster.put('jobs', {
    metadata: { name, namespace: 'db', labels: { 'lockkeeper.dev/claim': 'c' }, creationTimestamp: '2026-03-01T12:00:00Z' },
    status: { conditions: conditions.map((type) => ({ type, status: 'True' })) },
  });
const state = (name: string) => jobs.snapshot().get(`db/${name}`)?.state;

describe("hooks' Jobs", () => {
  test('are looked at one by one, by name, and only while they are wanted', async () => {
    put('other');
    put('one');
    jobs.want([ref('one'), ref('none')]);
    expect(jobs.snapshot().size).toBe(0);
    await eventually(() => jobs.snapshot().size === 2);
    expect([state('one'), state('none'), state('other')]).toEqual(['Active', 'Absent', undefined]);
    expect(changes).toBeGreaterThanOrEqual(2);
    expect(bed.cluster.asked.map(({ path, query }) => [path, query.get('fieldSelector')])).toEqual(
      expect.arrayContaining([
        ['/apis/batch/v1/namespaces/db/jobs', 'metadata.name=one'],
        ['/apis/batch/v1/namespaces/db/jobs', 'metadata.name=none'],
      ]),
    );
    await eventually(() => bed.cluster.watches('jobs') === 2);
    jobs.want([ref('one')]);
    await eventually(() => bed.cluster.watches('jobs') === 1);
    expect([...jobs.snapshot().keys()]).toEqual(['db/one']);
  });

  test('that end are told of, and how they ended is known when they have been removed since', async () => {
    put('one');
    jobs.want([ref('one')]);
    await eventually(() => bed.cluster.watches('jobs') === 1);
    const before = changes;
    put('one', 'Complete');
    bed.cluster.remove('jobs', 'one', 'db');
    await eventually(() => state('one') === 'Succeeded' && changes >= before + 2);
    expect(state('one')).toBe('Succeeded');
  });

  test('that are removed before they end are gone', async () => {
    put('one');
    jobs.want([ref('one')]);
    await eventually(() => bed.cluster.watches('jobs') === 1);
    bed.cluster.remove('jobs', 'one', 'db');
    await eventually(() => state('one') === 'Absent');
  });

  test('that cannot be made are refused for as long as they are wanted', () => {
    jobs.want([ref('one')]);
    jobs.refuse(ref('one'), 'no CronJob');
    jobs.refuse(ref('two'), 'not wanted');
    expect(jobs.snapshot()).toEqual(new Map([['db/one', { state: 'Refused', message: 'no CronJob' }]]));
    expect(changes).toBe(1);
    jobs.want([]);
    jobs.want([ref('one')]);
    expect(jobs.snapshot().size).toBe(0);
  });
});
