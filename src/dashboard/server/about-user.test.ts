import { expect, test } from '@jest/globals';
import { ApiError } from '../../kube/errors.ts';
import { FakeClock } from '../../kube/testing/fake-clock.ts';
import { aboutUser } from './about-user.ts';

const cluster = { context: 'x', name: 'c', server: 's' };

/** An API server that says who somebody is, and what they may patch. */
function serverOf(may: () => readonly string[], { knowsUser = true, up = () => true }: { knowsUser?: boolean; up?: () => boolean } = {}) {
  const refuse = (): never => {
    throw new ApiError(503, 'busy');
  };
  return {
    get: async <T>() => (up() ? ({ gitVersion: 'v1.36.3' } as T) : refuse()),
    create: async <T>(path: string, body: unknown) => {
      if (!up()) return refuse();
      if (path.endsWith('/selfsubjectreviews'))
        return knowsUser ? ({ status: { userInfo: { username: 'jane' } } } as T) : Promise.reject(new ApiError(404, 'what'));
      const { resourceAttributes } = (body as { spec: { resourceAttributes: { verb: string; group: string; resource: string } } }).spec;
      expect(resourceAttributes).toMatchObject({ verb: 'patch', group: 'lockkeeper.dev' });
      return { status: { allowed: may().includes(resourceAttributes.resource) } } as T;
    },
  };
}

async function told(server: ReturnType<typeof serverOf>) {
  const clock = new FakeClock();
  const stop = new AbortController();
  let next = Promise.withResolvers<void>();
  const about = aboutUser({
    client: server,
    clock,
    cluster,
    changed() {
      next.resolve();
      next = Promise.withResolvers();
    },
  });
  const running = about.run(stop.signal);
  await next.promise;
  return {
    about,
    async later(ms: number) {
      const { promise } = next;
      // The loop arms its timer once it has told.
      while (clock.timers === 0) await Promise.resolve();
      clock.advance(ms);
      await promise;
    },
    async end() {
      stop.abort();
      await running;
      expect(clock.timers).toBe(0);
    },
  };
}

test('tells who the user is, and which right an action lacks, until it is given', async () => {
  let may: string[] = ['nodeupdates'];
  const { about, later, end } = await told(serverOf(() => may));
  expect(about.cluster()).toEqual({ ...cluster, user: 'jane', kubernetes: 'v1.36.3' });
  expect(about.forbidden()).toEqual([
    { on: 'policy', right: { verb: 'patch', resource: 'updatepolicies.lockkeeper.dev' }, role: 'lockkeeper-operator' },
  ]);
  may = ['nodeupdates', 'updatepolicies'];
  await later(60_000);
  expect(about.forbidden()).toEqual([]);
  await end();
});

test('an API server that does not tell is asked again soon, and forbids nothing', async () => {
  let up = false;
  const { about, later, end } = await told(serverOf(() => [], { up: () => up, knowsUser: false }));
  expect([about.cluster(), about.forbidden()]).toEqual([cluster, []]);
  up = true;
  await later(5_000);
  expect(about.cluster()).toEqual({ ...cluster, kubernetes: 'v1.36.3' });
  expect(about.forbidden().map(({ on }) => on)).toEqual(['policy', 'node']);
  await end();
});
