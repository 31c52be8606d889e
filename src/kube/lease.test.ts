import { describe, expect, test } from '@jest/globals';
import { ApiError } from './errors.ts';
import type { Lease, LeaseAccess, LeaseSpec } from './lease.ts';
import { dropLease, seizeLease } from './lease.ts';

/** A Lease in memory, whose holder renews it right before each of the next `races` writes. */
function aLease(holder: string | undefined, { races = 0 } = {}) {
  let lease: Lease | undefined = holder === undefined ? undefined : { resourceVersion: '1', holder, durationMs: 13_000, transitions: 4 };
  const specs: LeaseSpec[] = [];
  let left = races;
  const write = async (seen: Lease | undefined, spec: LeaseSpec): Promise<Lease> => {
    if (left > 0) {
      left -= 1;
      lease = { resourceVersion: `${specs.length}-${left}`, holder: 'leader', durationMs: 13_000, transitions: 4 };
    }
    if (seen?.resourceVersion !== lease?.resourceVersion)
      throw new ApiError(409, 'conflict', { reason: seen === undefined ? 'AlreadyExists' : 'Conflict' });
    specs.push(spec);
    lease = { resourceVersion: 'ours', holder: spec.holderIdentity, durationMs: 60_000, transitions: spec.leaseTransitions ?? 0 };
    return lease;
  };
  const access: Pick<LeaseAccess, 'get' | 'create' | 'patch'> = {
    get: async () => lease,
    create: (spec) => write(undefined, spec),
    patch: (seen, spec) => write(seen, spec),
  };
  return { access: access as LeaseAccess, specs };
}

const options = { durationMs: 60_000, now: () => Date.parse('2026-03-01T12:00:00Z'), timeoutMs: 1_000 };

describe('a Lease that is seized', () => {
  test.each<[string, string | undefined, number, object]>([
    ['from a leader, which may act until its own time is over', 'leader', 0, { holder: 'leader', mayActMs: 13_000 }],
    ['from one that renews it at that moment', 'leader', 3, { holder: 'leader', mayActMs: 13_000 }],
    ['from nobody', '', 0, { holder: '', mayActMs: 0 }],
    ['from ourselves', 'us', 0, { holder: 'us', mayActMs: 0 }],
    ['where there was none', undefined, 0, { holder: '', mayActMs: 0 }],
    ['where there was none, and a leader was faster', undefined, 1, { holder: 'leader', mayActMs: 13_000 }],
  ])('%s', async (_, holder, races, was) => {
    const { access, specs } = aLease(holder, { races });
    expect(await seizeLease(access, 'us', options)).toEqual(was);
    expect(specs).toMatchObject([{ holderIdentity: 'us', leaseDurationSeconds: 60, renewTime: '2026-03-01T12:00:00.000000Z' }]);
  });

  test('is dropped as long as it is ours', async () => {
    const ours = aLease('us');
    await dropLease(ours.access, 'us', options);
    expect(ours.specs).toMatchObject([{ holderIdentity: '', leaseDurationSeconds: 1 }]);
    const theirs = aLease('leader');
    await dropLease(theirs.access, 'us', options);
    expect(theirs.specs).toEqual([]);
  });

  test('is given up where others write it without end', async () => {
    await expect(seizeLease(aLease('leader', { races: 1_000 }).access, 'us', options)).rejects.toMatchObject({ status: 409 });
  });
});
