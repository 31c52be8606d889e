import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { COMPONENT_LABEL } from '../../src/api/names.ts';
import type { KubeObject } from '../bed/api.ts';
import type { Machine } from '../bed/machine.ts';
import type { PodObject } from '../bed/pod-object.ts';
import { chart as ourChart } from './helm.ts';
import { places } from './places.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();
const crdPath = (name: string) => `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
const policies = 'updatepolicies.lockkeeper.dev';
/** A field of UpdatePolicy's spec that the older chart does not know. */
const newField = 'patchDeadline';

interface Crd extends KubeObject {
  spec: { versions: { name: string; schema: { openAPIV3Schema: { properties: { spec: { properties: Record<string, unknown> } } } } }[] };
  status: { storedVersions: string[] };
}

let folder: string;
let older: string;
let newer: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockkeeper-older-'));
  older = await olderChart();
  newer = await newerChart();
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Our chart as its last version may have been: another image, and CRDs without a field. */
async function olderChart(): Promise<string> {
  const to = join(folder, 'older');
  await cp(ourChart, to, { recursive: true });
  await edit<{ version: string; appVersion: string }>(join(to, 'Chart.yaml'), (chart) =>
    Object.assign(chart, { version: '0.0.9', appVersion: '0.0.9' }),
  );
  await edit<Crd>(join(to, 'crds', `${policies}.yaml`), (crd) => delete specFields(crd)[newField]);
  return to;
}

/** Our chart, but for its agents, which are left as they are: a rollout of agents takes its time, too. */
async function newerChart(): Promise<string> {
  const to = join(folder, 'newer');
  await cp(ourChart, to, { recursive: true });
  const file = join(to, 'templates', 'agent.yaml');
  const text = await readFile(file, 'utf8');
  const strategy = /type: RollingUpdate\n.*\n.*maxUnavailable:.*\n/;
  expect(text).toMatch(strategy);
  await writeFile(file, text.replace(strategy, 'type: OnDelete\n'));
  return to;
}

async function edit<T>(file: string, change: (content: T) => unknown): Promise<void> {
  const content = parse(await readFile(file, 'utf8')) as T;
  change(content);
  await writeFile(file, stringify(content));
}

const specFields = ({ spec }: Crd) => spec.versions[0]?.schema.openAPIV3Schema.properties.spec.properties ?? {};
const imageOf = ({ spec }: PodObject) => spec.containers[0]?.image;

test('helm upgrade in the middle of a rollout brings the CRDs along, and what was begun goes on, with agents of the version before', async () => {
  const fleet = await start({ nodes: 3, replicas: 2, chart: older });
  const { bed, judge, machines, updated } = fleet;
  const [first] = machines as [Machine];
  const draining = await places.draining(fleet, first);
  await fleet.releaseInOrder('1.26.1');
  await draining.reached();
  expect(specFields(await bed.client.get<Crd>(crdPath(policies)))).not.toHaveProperty(newField);

  const mark = await bed.audit.mark();
  const values = JSON.parse(await bed.helm('get', 'values', 'lockkeeper', '--namespace', 'lockkeeper', '--output', 'json')) as object;
  const defaultPolicy = { create: true, spec: { approval: 'Manual', nodeSelector: { matchLabels: { none: 'such' } }, [newField]: '24h' } };
  await bed.installChart({ chart: newer, values: { ...values, defaultPolicy } });

  // By the hook's own account, before anything else of the upgrade: the policy of the same upgrade has what they bring.
  const applied = await bed.audit.find({ verb: ['patch', 'create', 'update', 'delete'], resource: 'customresourcedefinitions' }, mark);
  expect(applied.map(({ user, objectRef }) => `${user.username} ${objectRef?.name}`).sort()).toEqual(
    ['nodehosts', 'nodeupdates', 'updatepolicies'].map((kind) => `system:serviceaccount:lockkeeper:lockkeeper-crds ${kind}.lockkeeper.dev`),
  );
  expect(await bed.client.get('/apis/lockkeeper.dev/v1alpha1/updatepolicies/default')).toMatchObject({ spec: { [newField]: '24h' } });
  for (const path of ['/apis/rbac.authorization.k8s.io/v1/clusterroles', '/api/v1/namespaces/lockkeeper/serviceaccounts'])
    expect((await bed.client.list<KubeObject>(path)).map(({ metadata }) => metadata.name)).not.toContain('lockkeeper-crds');

  await draining.release();
  await updated('1.26.1');
  await judge.onceEach(machines);
  const pods = await bed.client.list<PodObject>('/api/v1/namespaces/lockkeeper/pods');
  const images = (component: string) => pods.filter(({ metadata }) => metadata.labels?.[COMPONENT_LABEL] === component).map(imageOf);
  expect([images('controller'), images('agent')]).toEqual([Array(2).fill('lockkeeper:0.1.0'), Array(3).fill('lockkeeper:0.0.9')]);
  await bed.helm('test', 'lockkeeper', '--namespace', 'lockkeeper');
  await judge.invariants();
}, 180_000);
