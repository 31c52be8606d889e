import { expect, test } from '@jest/globals';
import { type Api, ApiError, ApiUnreachable, type KubeObject, type WatchEvent } from './api.ts';
import { follow, type Seen } from './follow.ts';

const object = (name: string, resourceVersion: number): KubeObject => ({
  metadata: { name, uid: `uid-of-${name}`, resourceVersion: String(resourceVersion) },
});
const list = (resourceVersion: number, ...items: KubeObject[]) => ({ metadata: { resourceVersion: String(resourceVersion) }, items });
const event = (type: WatchEvent<KubeObject>['type'], name: string, resourceVersion: number) => ({
  type,
  object: object(name, resourceVersion),
});

type Step = ReturnType<typeof list> | readonly (ReturnType<typeof event> | Error)[] | Error;

/** Plays lists (objects) and watches (arrays) one after the other, and says from which version each watch was asked for. */
async function play(...steps: Step[]): Promise<{ seen: string[]; asked: unknown[] }> {
  const ending = new AbortController();
  const asked: unknown[] = [];
  const seen: string[] = [];
  const next = (): Step => {
    const step = steps.shift();
    if (step === undefined) ending.abort();
    return step ?? [];
  };
  const api: Pick<Api, 'get' | 'watch'> = {
    async get<T>() {
      const step = next();
      if (step instanceof Error) throw step;
      return step as T;
    },
    async *watch<T>(_path: string, query: Readonly<Record<string, unknown>>) {
      asked.push(query['resourceVersion']);
      const step = next();
      if (step instanceof Error) throw step;
      for (const one of step as readonly (ReturnType<typeof event> | Error)[]) {
        if (one instanceof Error) throw one;
        yield one as unknown as WatchEvent<T>;
      }
    },
  };
  const note = ({ type, object: { metadata }, missed }: Seen<KubeObject>) =>
    seen.push(`${type} ${metadata.name}@${metadata.resourceVersion}${missed ? ' missed' : ''}`);
  await follow(api as Api, '/', {}, note, ending.signal);
  return { seen, asked };
}

test('a watch goes on where it broke off, at a bookmark too', async () => {
  const broken = new ApiUnreachable('broken off');
  const { seen, asked } = await play(list(10, object('a', 7)), [event('MODIFIED', 'a', 12), broken], [event('BOOKMARK', '', 20)], broken, [
    event('ADDED', 'b', 21),
    event('DELETED', 'a', 22),
  ]);
  expect(seen).toEqual(['ADDED a@7', 'MODIFIED a@12', 'ADDED b@21', 'DELETED a@22']);
  expect(asked).toEqual(['10', '12', '20', '20', '22']);
});

const gone = new ApiError(410, 'Expired', 'too old', undefined);

test.each([
  ['the answer', [gone]],
  ['an event', [[event('ERROR', '', 0)]]],
])('a place that is forgotten, by %s: a list, and what was missed is said', async (_how, steps) => {
  const { seen, asked } = await play(
    list(10, object('same', 1), object('changed', 2), object('gone', 3)),
    ...steps,
    list(30, object('same', 1), object('changed', 25), object('new', 26)),
    [event('MODIFIED', 'new', 31)],
  );
  expect(seen.slice(3)).toEqual(['DELETED gone@3 missed', 'MODIFIED changed@25 missed', 'ADDED new@26', 'MODIFIED new@31']);
  expect(asked).toEqual(['10', '30', '31']);
});

test('an API server that is away at first', async () => {
  const { seen } = await play(new ApiUnreachable('refused'), list(10, object('a', 7)));
  expect(seen).toEqual(['ADDED a@7']);
});
