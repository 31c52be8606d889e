import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { NOTIFICATION_TYPES } from '../../api/notifications.ts';
import type { UpdatePolicyStatus } from '../../api/update-policy.ts';
import type { Decision } from '../../core/command.ts';
import { ago, aPolicy, aWorld, HOUR, MINUTE, NOW } from '../../core/testing/builders.ts';
import type { World } from '../../core/world.ts';
import { NotLeadingError } from '../../kube/elector.ts';
import { eventually, FakeClock } from '../../kube/testing/fake-clock.ts';
import { Notifier } from './notifier.ts';
import { type HttpReceiver, startReceiver } from './testing/http-receiver.ts';

let clock: FakeClock;
let folder: string;
let receivers: HttpReceiver[];
let notifiers: Notifier[];
let leading: boolean;
let changes: number;
let outcomes: string[];

beforeEach(async () => {
  clock = new FakeClock();
  folder = await mkdtemp(join(tmpdir(), 'webhooks-'));
  receivers = [await startReceiver(), await startReceiver()];
  notifiers = [];
  leading = true;
  changes = 0;
  outcomes = [];
});
afterEach(async () => {
  await Promise.all(notifiers.map((notifier) => notifier.stop()));
  await Promise.all(receivers.map((receiver) => receiver.close()));
  await rm(folder, { recursive: true });
});

function aNotifier(...names: string[]): Notifier {
  const quiet = () => {};
  const notifier = new Notifier({
    config: {
      webhooks: names.map((name) => ({ name, format: 'generic', types: new Set(NOTIFICATION_TYPES) })),
      folder,
      cluster: 'test',
      windowNoticeMs: HOUR,
      proxy: {},
    },
    clock,
    random: () => 0,
    now: () => NOW,
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    assertLeading: () => {
      if (!leading) throw new NotLeadingError();
    },
    changed: () => {
      changes += 1;
    },
    onOutcome: (webhook, outcome) => outcomes.push(`${webhook} ${outcome}`),
    onWaiting: quiet,
  });
  notifiers.push(notifier);
  return notifier;
}

async function secret(name: string, url: string): Promise<void> {
  await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, name, 'url'), url);
}

const id = `RolloutHalted/uid-default@${ago(MINUTE)}`;
const halted: UpdatePolicyStatus = {
  conditions: [{ type: 'Halted', status: 'True', reason: 'R', message: 'halted', lastTransitionTime: ago(MINUTE) }],
};
const world = (status: UpdatePolicyStatus = halted): World => aWorld({ policies: [aPolicy({ status })] });
const decision: Decision = {
  policies: [{ policy: 'default', status: halted }],
  nodes: [],
  drains: [],
  lookAt: [],
  jobs: [],
  checks: [],
  handOver: false,
};
const notified = ({ policies }: Decision) => policies[0]?.status.notified;

test('what is so is sent to each webhook once, and written down; the next controller says no word of it', async () => {
  await secret('ops', `${receivers[0]?.url}/a`);
  await secret('chat', `${receivers[1]?.url}/b`);
  const notifier = aNotifier('ops', 'chat');
  expect(notifier.review(world(), decision, NOW)).toEqual(decision);
  notifier.review(world(), decision, NOW);
  await eventually(() => changes === 2);
  const reviewed = notifier.review(world(), decision, NOW);
  expect(notified(reviewed)).toEqual([{ id, at: ago(0), webhooks: expect.arrayContaining(['ops', 'chat']) }]);

  const next = aNotifier('ops', 'chat');
  const persisted = world(reviewed.policies[0]?.status);
  for (const one of [notifier, next]) expect(notified(one.review(persisted, decision, NOW))).toEqual(notified(reviewed));
  await Promise.all([notifier.stop(), next.stop()]);
  expect(receivers.map(({ got }) => got.map(({ path, body }) => [path, JSON.parse(body).id]))).toEqual([[['/a', id]], [['/b', id]]]);
  expect(outcomes.sort()).toEqual(['chat sent', 'ops sent']);
});

test('a Secret that comes late, and one that is rotated, are read by the next attempt', async () => {
  const [old, fresh] = receivers as [HttpReceiver, HttpReceiver];
  const notifier = aNotifier('ops');
  notifier.review(world(), decision, NOW);
  await eventually(() => outcomes.length === 1);
  old.answer = (response) => response.writeHead(403).end();
  await secret('ops', `${old.url}/old`);
  clock.advance(1_000);
  await eventually(() => outcomes.length === 2);
  await secret('ops', `${fresh.url}/new`);
  clock.advance(2_000);
  await eventually(() => changes === 1);
  expect([old.got.map(({ path }) => path), fresh.got.map(({ path }) => path)]).toEqual([['/old'], ['/new']]);
  expect(outcomes).toEqual(['ops failed', 'ops failed', 'ops sent']);
});

test('a controller that leads no longer sends nothing, and a dead receiver holds up no other', async () => {
  const [dead, alive] = receivers as [HttpReceiver, HttpReceiver];
  dead.answer = () => {};
  await secret('ops', dead.url);
  await secret('chat', alive.url);
  const notifier = aNotifier('ops', 'chat');
  notifier.review(world(), decision, NOW);
  await eventually(() => alive.got.length === 1 && dead.got.length === 1);
  await notifier.stop();
  leading = false;
  const frozen = aNotifier('chat');
  frozen.review(world(), decision, NOW);
  await eventually(() => outcomes.includes('chat failed'));
  expect(alive.got).toHaveLength(1);
});
