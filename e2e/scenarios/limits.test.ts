import { expect, test } from '@jest/globals';
import { API_VERSION } from '../../src/api/names.ts';
import type { UpdatePolicyStatus } from '../../src/api/update-policy.ts';
import { visitorOf } from '../../src/dashboard/server/testing/visitor.ts';
import { ApiError, type KubeObject } from '../bed/api.ts';
import { personOn } from './person.ts';
import { fleetOfTheTest } from './started-fleet.ts';

const start = fleetOfTheTest();

/** What etcd takes in one request, by its own default (`--max-request-bytes`). */
const ETCD_BYTES = 1_572_864;
const path = '/apis/lockkeeper.dev/v1alpha1';

const list = <T>(length: number, of: (index: number) => T): T[] => Array.from({ length }, (_, index) => of(index));
/** Of a length, and no two the same. */
const text = (length: number, index = 0, fill = 'x'): string => `${fill}${index}${fill.repeat(length)}`.slice(0, length);
const selector = (expressions: number, values: number, labels = 8) => ({
  matchLabels: Object.fromEntries(list(labels, (index) => [text(317, index), text(63, index)])),
  matchExpressions: list(expressions, (index) => ({
    key: text(317, index),
    operator: 'In',
    values: list(values, (value) => text(63, value)),
  })),
});
/** Longer ones CEL does not take. */
const duration = '999999h999999m999999s999999ms';
const at = `2026-12-20T00:00:00.${'1'.repeat(9)}+00:00`;
const condition = (type: string) => ({ type, status: 'True', reason: text(128), message: text(2048), lastTransitionTime: at });

/** Parts of a spec, each as full as its schema lets it be. */
const parts = {
  selector: { nodeSelector: selector(64, 256) },
  version: { version: { range: `>=1.0.0${' '.repeat(249)}`, minAge: duration, refreshInterval: duration }, patchDeadline: duration },
  schedule: {
    schedule: {
      windows: list(16, () => ({ cron: `${text(120, 0, '9')} * * * *`, duration, timeZone: text(64) })),
      exclusions: list(64, () => ({ from: at, to: `2126${at.slice(4)}`, reason: text(256, 0, '👍') })),
    },
  },
  groups: {
    rollout: {
      groups: list(32, (index) => ({ name: text(253, index), nodeSelector: selector(8, 64), soak: duration })),
      zoneKey: text(317),
    },
  },
  drain: {
    drain: {
      timeout: duration,
      leaveToReboot: list(8, () => ({ namespaces: list(16, (index) => text(63, index)), selector: selector(8, 16) })),
    },
  },
  hooks: {
    hooks: list(16, (index) => ({ at: 'Finally', cronJob: { namespace: text(63, index), name: text(253) }, timeout: duration })),
  },
  checks: {
    checks: list(8, () => ({ prometheus: { url: `http://${text(505)}`, query: text(2048, 0, '\u202e') } })),
  },
} as const;

/** Of one node, as full as can be. What a drain has evicted is that of a node of 500 pods: its schema has room for more than etcd takes. */
const nodeUpdateStatus = {
  next: 'Idle',
  reason: text(128),
  message: text(2048),
  bootIDBefore: text(128),
  drain: {
    startedAt: at,
    total: 1,
    remaining: 1,
    blocked: list(64, (index) => ({ pod: text(512, index), reason: text(128), budget: text(512), message: text(2048, 0, '\u009b') })),
    left: list(64, (index) => ({ pod: text(512, index), reason: text(128) })),
    evictedOnce: list(1, () => ({ controller: text(640), pods: list(512, (pod) => text(64, pod)) })),
  },
  hooks: list(16, () => ({ at: 'Finally', job: text(512), outcome: 'Failed', message: text(2048), log: text(640), deadline: at })),
  failures: list(16, (index) => ({
    target: text(64, index),
    at,
    reason: text(128),
    message: text(2048),
    bootID: text(128),
    readySince: at,
  })),
  tokens: { retry: text(2048), policyRetry: text(2048), skip: text(2048), reboot: text(2048), policyReboot: text(2048) },
  conditions: list(16, (index) => condition(text(128, index))),
  history: list(10, () => ({ from: text(64), to: text(64), startedAt: at, finishedAt: at, outcome: text(128) })),
};

test('with every field at its limit, each node is decided for, each status is written, and people see what is there', async () => {
  const fleet = await start({ nodes: 2 });
  const { bed, eventually, judge, phase, updated } = fleet;
  const { client } = bed;
  const apply = (name: string, spec: object) =>
    client.create(`${path}/updatepolicies`, { apiVersion: API_VERSION, kind: 'UpdatePolicy', metadata: { name }, spec });
  await Promise.all(['node-1', 'node-2'].map((name) => phase(name, 'Idle', 'UpToDate')));

  // Each part alone, by policies that would have the nodes if they went first, under names as long as names may be.
  const named = Object.entries(parts).map(([part, spec]) => ({
    name: `${part}-${'n'.repeat(240)}`,
    spec: { priority: -1_000_000, ...spec },
  }));
  const { nodeSelector: _, ...others } = Object.assign({}, ...named.map(({ spec }) => spec)) as Record<string, unknown>;
  const together = { name: `all-${'n'.repeat(240)}`, spec: { ...others, nodeSelector: {} } };
  const policies = [...named, together];
  for (const { name, spec } of policies) await apply(name, spec);
  // With the fullest selector too, it is more than the API server takes.
  const refused = await apply('more', { ...others, ...parts.selector }).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refused).toBeInstanceOf(ApiError);
  await client.patch(`${path}/nodeupdates/node-2/status`, { status: nodeUpdateStatus });

  fleet.release('1.26.1');
  await updated('1.26.1');
  for (const { name } of policies) {
    const object = await eventually(
      async () => {
        const read = await client.get<KubeObject & { status?: UpdatePolicyStatus }>(`${path}/updatepolicies/${name}`);
        return read.status?.observedGeneration === read.metadata.generation && read;
      },
      { describe: async () => (await client.get<{ status?: object }>(`${path}/updatepolicies/${name}`)).status },
    );
    expect(JSON.stringify(object).length).toBeLessThan(ETCD_BYTES);
    expect(object.status?.conditions?.find(({ type }) => type === 'Ready')?.message).not.toBe('');
  }

  const jane = await personOn(bed, 'jane');
  await jane.allow('lockkeeper-viewer');
  for (const command of [['status'], ['status', '-o', 'wide'], ['why', 'node-2'], ['history'], ['report']]) {
    const { code, stdout, stderr } = await jane.run(command);
    expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: '' });
    expect(stdout).toContain('node-2');
    expect(stdout.length).toBeLessThan(200_000);
    expect(stdout).not.toMatch(/[\u0080-\u009f\u202e]/);
  }
  const program = jane.start(['dashboard']);
  try {
    const url = () => /http:\S+/.exec(program.stdout())?.[0];
    await eventually(() => url() !== undefined, { describe: () => program.stdout() });
    const stream = await visitorOf(url() ?? '').events();
    await stream.until((event) => event.type === 'changes' && JSON.stringify(event).includes('node-2'));
  } finally {
    await program.interrupt();
  }
  await judge.invariants();
}, 180_000);
