import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { BlockedPod } from '../../src/api/node-update.ts';
import { type Budget, budgetOf, podOf } from '../../src/cluster/views.ts';
import { Drainer } from '../../src/controller/drainer.ts';
import { EvictionWebhooks } from '../../src/controller/eviction-webhooks.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/kube/clock.ts';
import { kubeconfigCredentials } from '../../src/kube/kubeconfig.ts';
import type { Logger } from '../../src/kube/logger.ts';
import type { KubeObject } from '../bed/api.ts';
import type { AuditEntry } from '../bed/audit.ts';
import { type Bed, startBed } from '../bed/bed.ts';
import type { PodObject } from '../bed/pod-object.ts';
import { type AdmissionWebhook, refuseEvictions } from '../bed/webhook.ts';

jest.setTimeout(60_000);

/** The real Drainer against the real API server, whose controller manager computes the budgets: every answer that it can be brought to give. */
let bed: Bed;
let client: KubeClient;
let drainer: Drainer;
let budgets: readonly Budget[] = [];
let webhook: (AdmissionWebhook & { down(): Promise<void> }) | undefined;
let outcomes: string[] = [];

const none = () => {};
const logger: Logger = { debug: none, info: none, warn: none, error: none };
const node = 'node-1';

beforeAll(async () => {
  bed = await startBed({ faultsFor: ['drainer'] });
  await bed.addMachine({ name: node, osImage: 'Debian GNU/Linux 12 (bookworm)' });
  const { host, port } = bed.faults;
  const kubeconfig = path.join(bed.home.scratch, 'drainer.kubeconfig');
  await writeFile(kubeconfig, (await readFile(bed.kubeconfig, 'utf8')).replace(bed.client.access.server, `https://${host}:${port}`));
  client = new KubeClient({ credentials: kubeconfigCredentials(kubeconfig), userAgent: 'drainer', clock: systemClock, logger });
});

afterEach(async () => {
  await drainer?.stop();
  await webhook?.close();
  webhook = undefined;
});

afterAll(async () => {
  client?.close();
  await bed?.stop();
});

/** Drains the pods as they are now, or as `change` says that they were seen. */
async function drain(pods: readonly string[], change: object = {}, budget: Partial<Budget> = {}): Promise<void> {
  outcomes = [];
  const clock = systemClock;
  const webhooks = new EvictionWebhooks(client, clock, logger);
  drainer = new Drainer({
    client,
    clock,
    random: () => 0,
    logger,
    budgets: () => budgets,
    webhooks: () => webhooks.list(),
    assertLeading: none,
    changed: none,
    onEviction: (outcome) => outcomes.push(outcome),
  });
  await seeBudgets(budget);
  const evict = await Promise.all(pods.map(async (key) => ({ ...podOf(await bed.client.get(podPath(key))), ...change })));
  drainer.want([{ node, claim: 'claim', evict }]);
}

/** What the drain knows of the budgets from now on, as their watch would tell it. */
async function seeBudgets(change: Partial<Budget> = {}): Promise<void> {
  budgets = (await bed.client.list('/apis/policy/v1/poddisruptionbudgets')).map((raw) => ({ ...budgetOf(raw), ...change }));
  for (const { namespace } of budgets) drainer.budgetChanged(namespace);
}

const blocked = (): readonly BlockedPod[] => drainer.blocked().get(node) ?? [];
const blockedBy = (reason: string): Promise<BlockedPod> =>
  bed.eventually(() => blocked().find((one) => one.reason === reason), { describe: () => ({ blocked: blocked(), outcomes }) });
const gone = (key: string) => bed.eventually(async () => (await bed.client.find(podPath(key))) === undefined);
const answers = async (key: string): Promise<number[]> => {
  const entries = await bed.audit.find({ verb: 'create', subresource: 'eviction', name: key.split('/')[1] ?? '', userAgent: 'drainer' });
  return entries.map(({ responseStatus }: AuditEntry) => responseStatus?.code ?? 0);
};

const podPath = (key: string) => `/api/v1/namespaces/${key.replace('/', '/pods/')}`;
const budgetsPath = (namespace: string) => `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`;

/** A running pod, in a namespace of its own name, with budgets that select it. */
async function aPod(name: string, specs: readonly object[] = [], pod: object = {}) {
  const labels = { app: name };
  await bed.client.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await bed.eventually(() => bed.client.find(`/api/v1/namespaces/${name}/serviceaccounts/default`));
  await bed.client.create(`/api/v1/namespaces/${name}/pods`, {
    metadata: { name, labels, ...pod },
    spec: { nodeName: node, terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: 'none' }] },
  });
  const key = `${name}/${name}`;
  const ready = JSON.stringify(pod).includes('bed.lockkeeper.dev/not-ready') ? 'False' : 'True';
  await bed.eventually(async () => {
    const { status } = await bed.client.get<PodObject>(podPath(key));
    return status?.phase === 'Running' && status.conditions?.some((one) => one.type === 'Ready' && one.status === ready);
  });
  for (const [index, spec] of specs.entries()) {
    const created = { metadata: { name: `${name}-${index}` }, spec: { selector: { matchLabels: labels }, ...spec } };
    await bed.client.create(budgetsPath(name), created);
  }
  const observed = async () => (await bed.client.list<Observed>(budgetsPath(name))).every(isObserved);
  await bed.eventually(observed);
  return key;
}

type Observed = KubeObject & { status?: { observedGeneration?: number; currentHealthy?: number; conditions?: { reason: string }[] } };
const isObserved = ({ metadata, status }: Observed) =>
  status?.observedGeneration === metadata.generation || status?.conditions?.[0]?.reason === 'SyncFailed';

describe('the real Eviction API', () => {
  test('takes an eviction: the pod goes', async () => {
    const key = await aPod('taken');
    await drain([key]);
    await gone(key);
    expect(await answers(key)).toEqual([201]);
  });

  test('says that a pod is gone, or that another stands under its name, and nobody is harmed', async () => {
    const other = await aPod('other');
    const missing = await aPod('missing');
    await drain([missing], { name: 'never-there' });
    await bed.eventually(() => outcomes.includes('gone'));
    await drainer.stop();
    await drain([other], { uid: 'e9b2f5a0-0000-0000-0000-000000000000' });
    await bed.eventually(() => outcomes.includes('gone'));
    expect(blocked()).toEqual([]);
    expect((await answers(other))[0]).toBe(409);
    expect((await bed.client.get<PodObject>(podPath(other))).metadata.deletionTimestamp).toBeUndefined();
  });

  test('names the budget with its numbers, and the eviction goes through once it is open', async () => {
    const key = await aPod('budgeted', [{ minAvailable: 1 }]);
    // The news that it is full have not come yet.
    await drain([key], {}, { disruptionsAllowed: 1 });
    expect(await blockedBy('DisruptionBudget')).toMatchObject({
      pod: key,
      budget: 'budgeted/budgeted-0',
      message: expect.stringMatching(/1 healthy, 1 needed; The disruption budget budgeted-0 needs 1 healthy pods and has 1 currently/),
    });
    await bed.client.patch(`${budgetsPath('budgeted')}/budgeted-0`, { spec: { minAvailable: 0 } });
    await gone(key);
    expect((await answers(key)).at(-1)).toBe(201);
    expect(blocked()).toEqual([]);
  });

  test('is not asked while the budget is known to be full, and takes the eviction as soon as it is known to be open', async () => {
    const key = await aPod('full', [{ minAvailable: 1 }]);
    await drain([key]);
    expect(await blockedBy('DisruptionBudget')).toMatchObject({
      budget: 'full/full-0',
      message: expect.stringMatching(/1 healthy, 1 needed$/),
    });
    await bed.client.patch(`${budgetsPath('full')}/full-0`, { spec: { minAvailable: 0 } });
    await bed.eventually(async () => isObserved(await bed.client.get(`${budgetsPath('full')}/full-0`)));
    await seeBudgets();
    await gone(key);
    expect(await answers(key)).toEqual([201]);
    expect(blocked()).toEqual([]);
  });

  test('says that a budget of pods whose controller has no scale can never be computed', async () => {
    await bed.client.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'unsynced' } });
    const owner = await bed.client.create('/api/v1/namespaces/unsynced/configmaps', { metadata: { name: 'owner' } });
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid, controller: true }];
    const key = await aPod('unsynced', [{ maxUnavailable: 1 }], { ownerReferences });
    await drain([key]);
    expect(await blockedBy('DisruptionBudget')).toMatchObject({
      budget: 'unsynced/unsynced-0',
      message: expect.stringMatching(/cannot be computed \(.*scale/),
    });
  });

  test('keeps a crashing pod behind its budget, and says which policy would let it go; with that policy it goes', async () => {
    const key = await aPod('crashing', [{ minAvailable: 1 }], { annotations: { 'bed.lockkeeper.dev/not-ready': 'true' } });
    // A budget that still counts the pod as healthy lets it go, as it should.
    await bed.eventually(
      async () => (await bed.client.get<Observed>(`${budgetsPath('crashing')}/crashing-0`)).status?.currentHealthy === 0,
    );
    await drain([key]);
    const { message } = await blockedBy('DisruptionBudget');
    expect(message).toMatch(/0 healthy, 1 needed.*unhealthyPodEvictionPolicy were AlwaysAllow \(it is IfHealthyBudget\)/);
    await bed.client.patch(`${budgetsPath('crashing')}/crashing-0`, { spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' } });
    await gone(key);
  });

  test('refuses for two budgets with a 500, and lets the pod go once it has one', async () => {
    const key = await aPod('doubled', [{ minAvailable: 0 }, { minAvailable: 0 }]);
    await drain([key]);
    const { budget } = await blockedBy('MoreThanOneBudget');
    expect(budget).toBe('doubled/doubled-0, doubled/doubled-1');
    expect(await answers(key)).toEqual([500]);
    await bed.client.delete(`${budgetsPath('doubled')}/doubled-1`);
    await gone(key);
  });

  test('asks for ten seconds while a budget has not been looked at', async () => {
    const key = await aPod('stale', [{ minAvailable: 1 }]);
    const manager = bed.home.children.running.find(({ name }) => name === 'kube-controller-manager');
    try {
      await manager?.freeze();
      await bed.client.patch(`${budgetsPath('stale')}/stale-0`, { spec: { minAvailable: 0 } });
      const mark = Date.now();
      await drain([key]);
      expect(await blockedBy('DisruptionBudget')).toMatchObject({ message: expect.stringMatching(/still being processed/) });
      manager?.signal('SIGCONT');
      await bed.eventually(async () => isObserved(await bed.client.get(`${budgetsPath('stale')}/stale-0`)));
      await gone(key);
      expect(await answers(key)).toEqual([429, 201]);
      expect(Date.now() - mark).toBeGreaterThan(9_900);
    } finally {
      manager?.signal('SIGCONT');
    }
  });

  test('refuses while a namespace ends: a pod that does not end yet is tried again, one that does is waited for', async () => {
    const key = await aPod('ending', [], { finalizers: ['example.com/keeps'] });
    const seen = podOf(await bed.client.get(podPath(key)));
    await bed.client.delete('/api/v1/namespaces/ending');
    await bed.eventually(async () => (await bed.client.get<PodObject>(podPath(key))).metadata.deletionTimestamp !== undefined);
    await drain([key], seen);
    await blockedBy('NamespaceTerminating');
    drainer.want([{ node, claim: 'claim', evict: [{ ...seen, terminating: true }] }]);
    await bed.eventually(() => outcomes.includes('terminating'));
    expect(blocked()).toEqual([]);
    await bed.client.patch(podPath(key), { metadata: { finalizers: null } });
    await gone(key);
  });

  test.each([{}, { code: 403, reason: 'Forbidden' }, { code: 404 }, { code: 409, reason: 'Conflict' }, { code: 429 }, { code: 422 }])(
    'passes on a webhook’s refusal with %j: the pod is blocked by it, with its words',
    async (answer) => {
      const name = `hooked-${answer.code ?? 'plain'}`;
      const key = await aPod(name);
      webhook = await refuseEvictions(bed, 'no.example.com', name);
      webhook.answer = { ...answer, message: 'not on a Monday' };
      await refused(name);
      await drain([key]);
      expect(await blockedBy('BlockedByWebhook')).toEqual({
        pod: key,
        reason: 'BlockedByWebhook',
        message: expect.stringMatching(/not on a Monday.*no\.example\.com of ValidatingWebhookConfiguration\/no\.example\.com/),
      });
      expect((await answers(key))[0]).toBe(answer.code ?? 400);
      webhook.answer = undefined;
      await gone(key);
    },
  );

  test('refuses with a 500 while a webhook is down, and the pod goes once that is taken away', async () => {
    const key = await aPod('unhooked');
    webhook = await refuseEvictions(bed, 'down.example.com', 'unhooked');
    webhook.answer = { message: 'no' };
    await refused('unhooked');
    await webhook.down();
    await drain([key]);
    expect(await blockedBy('BlockedByWebhook')).toMatchObject({ message: expect.stringMatching(/down\.example\.com/) });
    expect((await answers(key))[0]).toBe(500);
    await webhook.close();
    await gone(key);
  });
});

describe('answers that a proxy gives', () => {
  const isEviction = ({ path: asked }: { path: string }) => asked.endsWith('/eviction');

  test.each<[string, number, string]>([
    ['throttled', 429, 'Throttled'],
    ['unavailable', 503, 'ServerError'],
    ['late', 504, 'ServerError'],
    ['internal', 500, 'ServerError'],
  ])('%s (%i): blocked for now, and tried again', async (name, code, reason) => {
    const key = await aPod(name);
    const fault = bed.faults.arm(code, isEviction);
    await drain([key]);
    await blockedBy(reason);
    expect(fault.caught).toHaveLength(1);
    await gone(key);
    expect(await answers(key)).toEqual([201]);
  });

  test('none at all, to an eviction that was carried out: the pod is gone, and not blocked', async () => {
    const key = await aPod('cut-off');
    bed.faults.arm('cut', isEviction);
    await drain([key]);
    await gone(key);
    await bed.eventually(() => outcomes.includes('gone'));
    expect(outcomes).toEqual(['unanswered', 'gone']);
    expect(blocked()).toEqual([]);
  });
});

/** Waits until the API server asks the webhook: it learns of one a moment later. */
async function refused(namespace: string): Promise<void> {
  const eviction = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: namespace, namespace },
    deleteOptions: { dryRun: ['All'] },
  };
  await bed.eventually(async () => {
    if (webhook !== undefined && webhook.asked > 0) return true;
    await bed.client.create(`${podPath(`${namespace}/${namespace}`)}/eviction`, eviction).catch(none);
    return false;
  });
}
