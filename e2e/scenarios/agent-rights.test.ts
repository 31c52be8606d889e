import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { OPEN_PATHS, type Reached, STOLEN_TOKENS } from '../../scripts/stolen-token.ts';
import { kindPath, NODE_HOST, NODE_UPDATE, UPDATE_POLICY } from '../../src/api/kinds.ts';
import { API_VERSION, GROUP, MANAGED_LABEL } from '../../src/api/names.ts';
import { type Api, ApiError, type KubeObject } from '../bed/api.ts';
import { type ControlPlane, startControlPlane } from '../bed/control-plane.ts';
import { eventually } from '../bed/eventually.ts';
import { bottlerocketImage, type NodeObject, nodeObject, providerID } from '../bed/node-object.ts';
import { helm } from './helm.ts';
import { impersonating, listed, reachOf, rulesOf } from './token-reach.ts';

const namespace = 'lockkeeper';
const [OWN, OTHER] = ['node-1', 'node-2'] as const;
type NodeHostObject = KubeObject & { spec: { refreshInterval: string }; status?: { version?: string } };

let plane: ControlPlane;
/** With the token that a kubelet would give to the agent on `OWN`. */
let agent: Api;
/** With a token of the same account that is bound to nothing. */
let unbound: Api;
/** With a token of the controller's account. */
let controller: Api;

beforeAll(async () => {
  plane = await startControlPlane({ name: 'agent-rights' });
  await helm(plane, ['install', 'lockkeeper', '--namespace', namespace, '--create-namespace']);
  for (const name of [OWN, OTHER]) {
    await registerNode(name);
    await createNodeHost(name);
    await plane.client.create(kindPath(NODE_UPDATE), { apiVersion: API_VERSION, kind: 'NodeUpdate', metadata: { name } });
  }
  agent = plane.client.as({ token: await boundToken(OWN), userAgent: 'agent' });
  unbound = plane.client.as({ token: await token({}), userAgent: 'agent' });
  controller = plane.client.as({ token: await token({}, 'lockkeeper-controller'), userAgent: 'controller' });
  // A new admission policy is in force a moment after it was written.
  await eventually(async () => (await codeOf(writeStatus(agent, OTHER))) === 422);
}, 120_000);

afterAll(async () => {
  await plane?.stop();
});

async function registerNode(name: string): Promise<void> {
  const facts = {
    name,
    index: Number(name.slice(-1)),
    zone: 'eu-west-1a',
    arch: 'x86_64' as const,
    osImage: bottlerocketImage('1.26.0', 'aws-k8s-1.31'),
    bootID: `${name}-boot`,
    labels: { [MANAGED_LABEL]: 'true' },
    annotations: {},
    taints: [],
    providerID: providerID('eu-west-1a', name),
    kubeletVersion: 'v1.31.0',
    pods: 110,
  };
  await plane.client.create('/api/v1/nodes', nodeObject(facts, new Date().toISOString()));
}

async function createNodeHost(name: string): Promise<void> {
  const { metadata } = await plane.client.get<NodeObject>(`/api/v1/nodes/${name}`);
  const owner = { apiVersion: 'v1', kind: 'Node', name, uid: metadata.uid };
  await plane.client.create(kindPath(NODE_HOST), {
    apiVersion: API_VERSION,
    kind: 'NodeHost',
    metadata: { name, ownerReferences: [owner] },
    spec: {},
  });
}

/** The pod that the chart's DaemonSet put on a node. */
function agentPod(node: string): Promise<KubeObject> {
  const query = { fieldSelector: `spec.nodeName=${node}`, labelSelector: 'app.kubernetes.io/component=agent' };
  return eventually(async () => (await plane.client.list(`/api/v1/namespaces/${namespace}/pods`, query))[0]);
}

async function boundToken(node: string): Promise<string> {
  const { metadata } = await agentPod(node);
  return token({ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid } });
}

async function token(spec: object, account = 'lockkeeper-agent'): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [], ...spec } };
  const { status } = await plane.client.create<{ status: { token: string } }>(path, body);
  return status.token;
}

const writeStatus = (api: Api, name: string, version = '1.26.0') =>
  api.patch<NodeHostObject>(kindPath(NODE_HOST, name, 'status'), { status: { version } });

async function refusal(request: Promise<unknown>): Promise<{ status: number; message: string }> {
  try {
    await request;
  } catch (error) {
    if (error instanceof ApiError) return { status: error.status, message: error.message };
    throw error;
  }
  return { status: 200, message: 'it was taken' };
}

const codeOf = async (request: Promise<unknown>) => (await refusal(request)).status;

describe("an agent's own token", () => {
  test("writes the status of its own node's NodeHost", async () => {
    const { status } = await writeStatus(agent, OWN, '1.26.1');
    expect(status).toEqual({ version: '1.26.1' });
  });

  test('reads and watches NodeHosts', async () => {
    expect(await agent.list(kindPath(NODE_HOST), { fieldSelector: `metadata.name=${OWN}` })).toHaveLength(1);
    const abort = new AbortController();
    for await (const { type } of agent.watch(kindPath(NODE_HOST), { fieldSelector: `metadata.name=${OWN}` }, abort.signal)) {
      expect(type).toBe('ADDED');
      break;
    }
    abort.abort();
  });

  test("is refused another node's NodeHost", async () => {
    const { status, message } = await refusal(writeStatus(agent, OTHER));
    expect(status).toBe(422);
    expect(message).toContain(`the agent of node ${OWN} may not write the NodeHost of ${OTHER}`);
  });

  test('changes no spec and no metadata through the status', async () => {
    const path = kindPath(NODE_HOST, OWN);
    const before = await plane.client.get<NodeHostObject>(path);
    await agent.patch(kindPath(NODE_HOST, OWN, 'status'), {
      spec: { refreshInterval: '1s', order: { id: '1', action: 'Cancel' } },
      metadata: { labels: { a: 'b' }, annotations: { a: 'b' }, finalizers: ['example.com/a'], ownerReferences: null },
      status: { version: '1.26.2' },
    });
    const after = await plane.client.get<NodeHostObject>(path);
    expect(after.status?.version).toBe('1.26.2');
    expect(after.spec).toEqual(before.spec);
    for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences', 'generation'] as const) {
      expect({ [field]: after.metadata[field] }).toEqual({ [field]: before.metadata[field] });
    }
  });

  test.each<[what: string, method: string, path: string | (() => Promise<string>), body?: object]>([
    ["its own NodeHost's spec", 'PATCH', kindPath(NODE_HOST, OWN), { spec: { refreshInterval: '1s' } }],
    ["its own NodeHost's status, by PUT", 'PUT', kindPath(NODE_HOST, OWN, 'status'), nodeHostBody(OWN)],
    ['its own NodeHost, deleted', 'DELETE', kindPath(NODE_HOST, OWN)],
    ['all NodeHosts, deleted', 'DELETE', kindPath(NODE_HOST)],
    ['a new NodeHost', 'POST', kindPath(NODE_HOST), nodeHostBody('node-3')],
    ['a NodeUpdate', 'PATCH', kindPath(NODE_UPDATE, OWN), { metadata: { annotations: { a: 'b' } } }],
    ["a NodeUpdate's status", 'PATCH', kindPath(NODE_UPDATE, OWN, 'status'), { status: { phase: 'Idle' } }],
    ['a NodeUpdate, read', 'GET', kindPath(NODE_UPDATE, OWN)],
    ['an UpdatePolicy', 'PATCH', kindPath(UPDATE_POLICY, 'default'), { spec: { approval: 'Automatic' } }],
    ['its Node', 'PATCH', `/api/v1/nodes/${OWN}`, { spec: { unschedulable: true } }],
    ['its Node, read', 'GET', `/api/v1/nodes/${OWN}`],
    ['all Nodes', 'GET', '/api/v1/nodes'],
    ['all pods', 'GET', '/api/v1/pods'],
    ['all Secrets', 'GET', '/api/v1/secrets'],
    ['Secrets beside it', 'GET', `/api/v1/namespaces/${namespace}/secrets`],
    ['an eviction', 'POST', async () => `${await podPath()}/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: {} }],
    ['a pod, deleted', 'DELETE', podPath],
    ['a token of its own account', 'POST', `/api/v1/namespaces/${namespace}/serviceaccounts/lockkeeper-agent/token`, { spec: {} }],
    ['the Lease', 'GET', `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/lockkeeper`],
    ['an Event', 'POST', `/api/v1/namespaces/${namespace}/events`, { metadata: { name: 'a' } }],
    ['its own admission policy', 'DELETE', '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/lockkeeper-agent'],
  ])('has no right to %s: 403', async (_, ...[method, path, body]) => {
    const url = typeof path === 'string' ? path : await path();
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    expect(await codeOf(agent.request(method, url, { body, contentType }))).toBe(403);
  });
});

function nodeHostBody(name: string) {
  return { apiVersion: API_VERSION, kind: 'NodeHost', metadata: { name }, spec: {} };
}

async function podPath(): Promise<string> {
  const { metadata } = await agentPod(OTHER);
  return `/api/v1/namespaces/${namespace}/pods/${metadata.name}`;
}

test('a token of the same account that is bound to no pod is refused every NodeHost', async () => {
  for (const name of [OWN, OTHER]) {
    const { status, message } = await refusal(writeStatus(unbound, name));
    expect(status).toBe(422);
    expect(message).toContain("an agent's token must be bound to a pod on a node; this one is not");
  }
});

test('the controller gives orders, and never answers them', async () => {
  const order = { id: 'a', action: 'Cancel' };
  await controller.patch(kindPath(NODE_HOST, OWN), { spec: { order } });
  expect(await codeOf(writeStatus(controller, OWN))).toBe(403);
});

test.each([
  ['agent', () => agent],
  ['controller', () => controller],
] as const)(
  'a stolen token of the %s reaches what docs/stolen-token.md says, and nothing else',
  async (part, stolen) => {
    const documented: readonly Reached[] = STOLEN_TOKENS[part];
    const named = new Map(documented.flatMap(({ resource, named: name }) => (name === undefined ? [] : [[resource, name]])));
    const reach = await reachOf(plane.client, stolen(), { namespaces: [namespace, 'kube-system'], named });
    expect(withoutAnchors(reach.objects)).toEqual(
      listed(documented.map((one) => [one.named === undefined ? one.resource : `${one.resource} ${one.named}`, one.verbs])),
    );
    expect(reach.paths).toEqual(OPEN_PATHS);
    expect(reach.tried).toBeGreaterThan(1_000);
    expect(withoutAnchors(await rulesOf(stolen(), namespace))).toEqual(listed(documented.map(({ resource, verbs }) => [resource, verbs])));
    await expect(impersonating(stolen(), 'admin')).resolves.toBe(403);
  },
  30_000,
);

describe("where somebody gave the agents' account every right to our kinds", () => {
  beforeAll(async () => {
    const metadata = { name: 'too-much' };
    await plane.client.apply(
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata,
        rules: [{ apiGroups: [GROUP], resources: ['*'], verbs: ['*'] }],
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'too-much' },
        subjects: [{ kind: 'ServiceAccount', name: 'lockkeeper-agent', namespace }],
      },
    );
    await eventually(() => agent.list(kindPath(UPDATE_POLICY)));
  });

  test.each<[what: string, method: string, path: string, body?: object]>([
    ["its own NodeHost's spec", 'PATCH', kindPath(NODE_HOST, OWN), { spec: { refreshInterval: '1s' } }],
    ["its own NodeHost's owner", 'PATCH', kindPath(NODE_HOST, OWN), { metadata: { ownerReferences: null } }],
    ['its own NodeHost, deleted', 'DELETE', kindPath(NODE_HOST, OWN)],
    ['all NodeHosts, deleted', 'DELETE', kindPath(NODE_HOST)],
    ['a new NodeHost', 'POST', kindPath(NODE_HOST), nodeHostBody('node-3')],
    ["another node's status", 'PATCH', kindPath(NODE_HOST, OTHER, 'status'), { status: { version: '1.0.0' } }],
    ["its NodeUpdate's status", 'PATCH', kindPath(NODE_UPDATE, OWN, 'status'), { status: { phase: 'Idle' } }],
    ['a NodeUpdate, deleted', 'DELETE', kindPath(NODE_UPDATE, OTHER)],
    ["a policy's spec", 'PATCH', kindPath(UPDATE_POLICY, 'default'), { spec: { approval: 'Automatic' } }],
    ["a policy's lock", 'PATCH', kindPath(UPDATE_POLICY, 'default', 'status'), { status: { claims: [] } }],
  ])('the admission policy still refuses %s: 422', async (_, ...[method, path, body]) => {
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    expect(await codeOf(agent.request(method, path, { body, contentType }))).toBe(422);
    expect(await codeOf(unbound.request(method, path, { body, contentType }))).toBe(422);
  });

  test('and its own status is still its to write', async () => {
    expect((await writeStatus(agent, OWN, '1.26.3')).status?.version).toBe('1.26.3');
  });
});

test('a node that registers anew is another node: the old token is refused, a new one is not', async () => {
  const pod = await agentPod(OWN);
  await plane.client.delete(`/api/v1/nodes/${OWN}`);
  await registerNode(OWN);
  // The garbage collector would do the same, within a minute.
  await plane.client.delete(kindPath(NODE_HOST, OWN));
  await createNodeHost(OWN);
  expect((await agentPod(OWN)).metadata.uid).toBe(pod.metadata.uid);
  const { status, message } = await refusal(writeStatus(agent, OWN));
  expect(status).toBe(422);
  expect(message).toContain('the node was registered anew, and the token must be read again');
  const renewed = plane.client.as({ token: await boundToken(OWN) });
  expect((await writeStatus(renewed, OWN, '1.26.4')).status?.version).toBe('1.26.4');
});

/** Without what Kubernetes lets every account read from 1.37 on: certificates of authorities, which are public. */
function withoutAnchors(reached: Readonly<Record<string, readonly string[]>>): Readonly<Record<string, readonly string[]>> {
  const { 'clustertrustbundles.certificates.k8s.io': anchors = ['get', 'list', 'watch'], ...others } = reached;
  expect(anchors).toEqual(['get', 'list', 'watch']);
  return others;
}
