import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { type Change, ObjectStore, type Seen } from './object-store.ts';
import { compareResourceVersions, isResourceVersion } from './resource-version.ts';

// On a busy machine a test may take its time.
jest.setTimeout(60_000);

interface Value {
  readonly uid: string;
  readonly resourceVersion: string;
}

const seen = (key: string, uid: string, resourceVersion: number | string, interesting = true): Seen<Value> => {
  const value = { uid, resourceVersion: String(resourceVersion) };
  return { key, ...value, value: interesting ? value : undefined };
};

function recorded(): { store: ObjectStore<Value>; changes: Change<Value>[]; told(): string[] } {
  const changes: Change<Value>[] = [];
  const store = new ObjectStore<Value>((change) => changes.push(change));
  const told = (): string[] =>
    changes
      .splice(0)
      .map(({ type, key, value, previous }) => `${type} ${key} ${previous?.resourceVersion ?? '-'}>${value?.resourceVersion ?? '-'}`);
  return { store, changes, told };
}

test('resource versions are compared as integers of any length', () => {
  const ordered = ['0', '9', '10', '99', '9007199254740993', '9007199254740994', '18446744073709551616'];
  for (const [i, a] of ordered.entries()) {
    for (const [j, b] of ordered.entries()) expect(Math.sign(compareResourceVersions(a, b))).toBe(Math.sign(i - j));
  }
  expect(['0', '12'].every(isResourceVersion)).toBe(true);
  expect(['', '012', '-1', '1.5', 'x'].some(isResourceVersion)).toBe(false);
});

describe('an object store', () => {
  test('takes our own write before the watch tells of it, and then once', () => {
    const { store, told } = recorded();
    store.endList(new Set(), '5');
    store.observe(seen('a', '1', 8));
    store.put(seen('a', '1', 7));
    store.put(seen('a', '1', 8));
    expect(told()).toEqual(['put a ->8']);
    store.put(seen('a', '1', 9));
    expect(told()).toEqual(['put a 8>9']);
  });

  test('does not bring back what the watch has seen deleted', () => {
    const { store, told } = recorded();
    store.put(seen('a', '1', 7));
    store.delete('a', '9');
    store.observe(seen('a', '1', 8));
    expect(told()).toEqual(['put a ->7', 'delete a 7>-']);
    expect(store.items.size).toBe(0);
  });

  test('a deletion older than what we wrote since is another object’s', () => {
    const { store, told } = recorded();
    store.put(seen('a', '1', 7));
    store.observe(seen('a', '2', 9));
    expect(told()).toEqual(['put a ->7', 'delete a 7>-', 'put a ->9']);
    store.delete('a', '8');
    expect(store.items.get('a')?.uid).toBe('2');
    store.delete('a', '10');
    expect(told()).toEqual(['delete a 9>-']);
  });

  test('another uid under a name is a deletion and a new object', () => {
    const { store, told } = recorded();
    store.put(seen('a', '1', 7));
    store.put(seen('a', '2', 9));
    expect(told()).toEqual(['put a ->7', 'delete a 7>-', 'put a ->9']);
  });

  test('a list tells of the deletions that no watch told of', () => {
    const { store, told } = recorded();
    store.put(seen('a', '1', 5));
    store.put(seen('b', '2', 6));
    store.putListed(seen('b', '2', 6));
    store.endList(new Set(['b']), '9');
    expect(told()).toEqual(['put a ->5', 'put b ->6', 'delete a 5>-']);
  });

  test('a list does not take away what was written after it', () => {
    const { store, told } = recorded();
    store.observe(seen('a', '1', 12));
    store.endList(new Set(), '9');
    expect(told()).toEqual(['put a ->12']);
    store.advance('12');
    store.endList(new Set(), '13');
    expect(told()).toEqual(['delete a 12>-']);
  });

  test('what becomes uninteresting is gone, and an older event does not bring it back', () => {
    const { store, told } = recorded();
    store.put(seen('a', '1', 5));
    store.observe(seen('a', '1', 8, false));
    store.put(seen('a', '1', 7));
    store.put(seen('a', '1', 8, false));
    expect(told()).toEqual(['put a ->5', 'delete a 5>-']);
    store.put(seen('a', '1', 9));
    expect(told()).toEqual(['put a ->9']);
  });

  test('after the server’s history went back, its word counts', () => {
    const { store, told } = recorded();
    store.put(seen('a', '1', 500));
    store.put(seen('b', '2', 501));
    store.rewind();
    store.putListed(seen('a', '1', 20));
    store.endList(new Set(['a']), '30');
    expect(told()).toEqual(['put a ->500', 'put b ->501', 'put a 500>20', 'delete b 501>-']);
    expect(store.watermark).toBe('30');
  });
});

// A history of one resource: the nth write has resourceVersion n + 1.
type Write = { readonly key: string; readonly action: 'put' | 'delete'; readonly interesting: boolean };
interface Step {
  readonly do: 'watch' | 'bookmark' | 'observe' | 'list';
  readonly ahead: number;
  readonly observeMidway: number;
}

interface Version {
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: number;
  readonly deleted: boolean;
  readonly interesting: boolean;
}

function historyOf(writes: readonly Write[]): Version[] {
  const uids = new Map<string, string>();
  return writes.map(({ key, action, interesting }, index) => {
    const resourceVersion = index + 1;
    const uid = uids.get(key) ?? `uid-${resourceVersion}`;
    // Deleting what is not there writes something else instead, so that each write has its event.
    const deleted = action === 'delete' && uids.has(key);
    if (deleted) uids.delete(key);
    else uids.set(key, uid);
    return { key, uid, resourceVersion, deleted, interesting };
  });
}

const keys = ['a', 'b', 'c'];
const writesArbitrary = fc.array(
  fc.record({
    key: fc.constantFrom(...keys),
    action: fc.constantFrom('put' as const, 'put' as const, 'delete' as const),
    interesting: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
  }),
  { minLength: 1, maxLength: 25 },
);
const stepsArbitrary: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    do: fc.constantFrom('watch', 'watch', 'bookmark', 'observe', 'observe', 'list'),
    ahead: fc.nat(30),
    observeMidway: fc.nat(30),
  }),
  { maxLength: 60 },
);

test('any interleaving of lists, watch events and answers shows the newest state known, and ends at the newest there is', () => {
  fc.assert(
    fc.property(writesArbitrary, stepsArbitrary, (writes, steps) => {
      const history = historyOf(writes);
      const at = (key: string, upTo: number): Version | undefined =>
        history.findLast((version) => version.key === key && version.resourceVersion <= upTo);
      const mirror = new Map<string, Value>();
      const store = new ObjectStore<Value>((change) => {
        expect(change.previous).toBe(mirror.get(change.key));
        if (change.type === 'delete') {
          mirror.delete(change.key);
          return;
        }
        if (change.previous) expect(change.previous.uid).toBe(change.value.uid);
        mirror.set(change.key, change.value);
      });
      let watched = 0;
      const observed = new Map<string, number>();
      const asSeen = ({ key, uid, resourceVersion, interesting }: Version): Seen<Value> => seen(key, uid, resourceVersion, interesting);
      const observe = (index: number): void => {
        const version = history[index % history.length]!;
        if (version.deleted) return;
        store.observe(asSeen(version));
        observed.set(version.key, Math.max(observed.get(version.key) ?? 0, version.resourceVersion));
      };
      const watchOne = (): void => {
        const version = history[watched];
        if (!version) return;
        watched += 1;
        if (version.deleted) store.delete(version.key, String(version.resourceVersion));
        else store.put(asSeen(version));
      };
      const check = (): void => {
        for (const key of keys) {
          const version = at(key, Math.max(watched, observed.get(key) ?? 0));
          const expected = version && !version.deleted && version.interesting ? String(version.resourceVersion) : undefined;
          expect(store.items.get(key)?.resourceVersion).toBe(expected);
        }
        expect([...mirror]).toEqual([...store.items]);
      };
      for (const step of steps) {
        if (step.do === 'watch') watchOne();
        else if (step.do === 'bookmark') store.advance(String(watched));
        else if (step.do === 'observe') observe(step.ahead);
        else {
          const listedAt = Math.min(history.length, watched + step.ahead);
          const there = keys.map((key) => at(key, listedAt)).filter((version) => version !== undefined && !version.deleted) as Version[];
          for (const [i, version] of there.entries()) {
            if (i === 1) observe(step.observeMidway);
            store.putListed(asSeen(version));
          }
          store.endList(new Set(there.map(({ key }) => key)), String(listedAt));
          watched = listedAt;
        }
        check();
      }
      while (watched < history.length) watchOne();
      check();
    }),
    { numRuns: 2_000 },
  );
});
