import { get } from 'node:https';
import { type Api, ApiError } from '../bed/api.ts';

/** The verbs by which objects of any kind are reached. */
const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const;
type Verb = (typeof VERBS)[number];

/** Verbs by resource, as `pods` or `nodehosts.lockkeeper.dev/status`; where one object alone is in reach, its name follows. */
type Objects = Readonly<Record<string, readonly string[]>>;

/** What a token reaches. */
export interface Reach {
  readonly objects: Objects;
  /** Paths that are no objects'. */
  readonly paths: readonly string[];
  /** How many requests were sent to find out. */
  readonly tried: number;
}

interface Resource {
  /** `/api/v1`, `/apis/apps/v1`. */
  readonly root: string;
  readonly group: string;
  /** With its subresource: `pods/eviction`. */
  readonly name: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

interface ResourceList {
  readonly resources: readonly { readonly name: string; readonly namespaced: boolean; readonly verbs: readonly string[] }[];
}

/** No object is called so: what is let through finds nothing to change. */
const NOBODY = 'stolen-token-finds-nothing';
const AT_ONCE = 32;

/** All that an API server serves, subresources among it. */
async function discover(admin: Api): Promise<Resource[]> {
  const { groups } = await admin.get<{ groups: { name: string; versions: { groupVersion: string }[] }[] }>('/apis');
  const roots = [
    { root: '/api/v1', group: '' },
    ...groups.flatMap(({ name, versions }) => versions.map(({ groupVersion }) => ({ root: `/apis/${groupVersion}`, group: name }))),
  ];
  const lists = await Promise.all(roots.map(async ({ root, group }) => ({ root, group, list: await admin.get<ResourceList>(root) })));
  return lists.flatMap(({ root, group, list }) =>
    list.resources.map(({ name, namespaced, verbs }) => ({ root, group, name, namespaced, verbs })),
  );
}

/**
 * Tries all that an API server serves with a token: each verb on each resource and subresource, in all namespaces together and in each of
 * those given, on any object and on those that are `named`, and each path that it names. Whatever is answered in another way than by 403 is in reach. Nothing is changed: no object has
 * the name that is asked for, and writes are dry runs.
 */
export async function reachOf(
  admin: Api,
  stolen: Api,
  { namespaces, named }: { namespaces: readonly string[]; named: ReadonlyMap<string, string> },
): Promise<Reach> {
  const resources = await discover(admin);
  const tries = resources.flatMap((resource) => {
    const verbs = VERBS.filter((verb) => resource.verbs.includes(verb));
    const name = named.get(nameOf(resource));
    return [undefined, ...(name === undefined ? [] : [name])].flatMap((of) =>
      verbs.flatMap((verb) => requestsFor(resource, verb, { namespaces, name: of }).map((request) => ({ resource, of, verb, ...request }))),
    );
  });
  const found: [string, Verb][] = [];
  const one: [string, Verb][] = [];
  await inParallel(tries, async ({ resource, of, verb, method, path, query, body }) => {
    if (!(await isLetThrough(stolen, method, path, { query, body }))) return;
    if (of === undefined) found.push([nameOf(resource), verb]);
    else one.push([nameOf(resource), verb]);
  });
  const alone = one.filter(([name, verb]) => !found.some(([any, as]) => any === name && as === verb));
  const objects = listed(
    [...found, ...alone.map(([name, verb]) => [`${name} ${named.get(name)}`, verb] as const)].map(([name, verb]) => [name, [verb]]),
  );
  const { paths } = await admin.get<{ paths: string[] }>('/');
  const others = paths.filter((path) => !/^\/apis?\/./.test(path));
  const open: string[] = [];
  await inParallel(others, async (path) => {
    if (await isLetThrough(stolen, 'GET', path, {})) open.push(path);
  });
  return {
    objects,
    paths: [...new Set(open.map((path) => path.replace(/(.)\/$/, '$1')))].sort(),
    tried: tries.length + others.length,
  };
}

/** `pods/eviction`, `nodehosts.lockkeeper.dev/status`. */
function nameOf({ group, name }: { group: string; name: string }): string {
  const [resource = '', ...sub] = name.split('/');
  return [group === '' ? resource : `${resource}.${group}`, ...sub].join('/');
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
}

function requestsFor(
  { root, name, namespaced }: Resource,
  verb: Verb,
  { namespaces, name: only }: { namespaces: readonly string[]; name: string | undefined },
): Request[] {
  const [resource = '', ...sub] = name.split('/');
  const object = only ?? NOBODY;
  const single = !['list', 'watch', 'deletecollection', 'create'].includes(verb) || sub.length > 0;
  const places = namespaced ? [...(single ? [] : [root]), ...namespaces.map((namespace) => `${root}/namespaces/${namespace}`)] : [root];
  return places.map((place) => requestAt([place, resource, ...(single ? [object] : []), ...sub].join('/'), verb, only));
}

function requestAt(path: string, verb: Verb, only: string | undefined): Request {
  const dryRun = { dryRun: 'All' };
  const body = { metadata: { name: only ?? NOBODY } };
  const fieldSelector = `metadata.name=${only ?? NOBODY}`;
  const selected = only === undefined ? {} : { fieldSelector };
  switch (verb) {
    case 'get':
      return { method: 'GET', path };
    case 'list':
      return { method: 'GET', path, query: { limit: '1', ...selected } };
    case 'watch':
      return { method: 'GET', path, query: { watch: 'true', timeoutSeconds: '1', ...selected } };
    case 'create':
      return { method: 'POST', path, query: dryRun, body };
    case 'update':
      return { method: 'PUT', path, query: dryRun, body };
    case 'patch':
      return { method: 'PATCH', path, query: dryRun, body: {} };
    case 'delete':
      return { method: 'DELETE', path, query: dryRun };
    case 'deletecollection':
      return { method: 'DELETE', path, query: { ...dryRun, fieldSelector } };
  }
}

async function isLetThrough(
  api: Api,
  method: string,
  path: string,
  { query, body }: { query?: Request['query'] | undefined; body?: object | undefined },
): Promise<boolean> {
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  try {
    await api.request(method, path, { ...(query !== undefined && { query }), body, contentType });
    return true;
  } catch (error) {
    if (error instanceof ApiError) return error.status !== 403;
    throw error;
  }
}

async function inParallel<T>(items: readonly T[], each: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of left) await each(item);
    }),
  );
}

interface RulesReview {
  readonly status: {
    readonly resourceRules: readonly {
      readonly verbs: readonly string[];
      readonly apiGroups?: readonly string[];
      readonly resources?: readonly string[];
    }[];
    readonly nonResourceRules: readonly { readonly nonResourceURLs?: readonly string[] }[];
  };
}

/** What the API server says itself that a token reaches in one namespace, one object or all: what `kubectl auth can-i --list` prints. */
export async function rulesOf(stolen: Api, namespace: string): Promise<Objects> {
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } };
  const { status } = await stolen.create<RulesReview>('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', body);
  return listed(
    status.resourceRules.flatMap(({ verbs, apiGroups = [], resources = [] }) =>
      apiGroups.flatMap((group) => resources.map((name) => [nameOf({ group, name }), verbs] as const)),
    ),
  );
}

/** One entry a resource, its verbs in the order of theirs. */
export function listed(entries: readonly (readonly [string, readonly string[]])[]): Objects {
  const verbs = Map.groupBy(entries, ([name]) => name);
  return Object.fromEntries(
    [...verbs].map(([name, of]) => [name, [...new Set(of.flatMap(([, each]) => each))].sort((a, b) => order(a) - order(b))]),
  );
}

const order = (verb: string): number => (VERBS as readonly string[]).indexOf(verb);

/** The answer to a request as somebody else. */
export async function impersonating(stolen: Api, user: string): Promise<number> {
  const { server, ca, token } = stolen.access;
  const headers = { authorization: `Bearer ${token}`, 'impersonate-user': user };
  return new Promise((resolve, reject) => {
    const call = get(`${server}/api/v1/namespaces`, { ca, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.once('error', reject);
  });
}
