import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse as parseYAML } from 'yaml';
import { BY_HAND } from '../api/names.ts';
import { type ClusterBed, clusterBed } from '../controller/testing/bed.ts';
import { putGuard, putHost, putNode, putOwnPod, putPod, putPolicy } from '../controller/testing/objects.ts';
import { NEW, OLD } from '../core/testing/builders.ts';
import { run } from './run.ts';

/** Clears the screen, sets a title, colours, turns the reading direction, and begins a line that is none of ours. */
const EVIL = 'a\u001b[2J\u001b]0;t\u0007\u001b[31mRED\u009b1mBOLD\u202eback\u2066\u007f\b\r\nFORGED\u2028FORGED\u0085x';
/** As somebody may type it, or paste it. */
const EVIL_WORD = EVIL.replaceAll(/[\r\n]/g, '');
const ESCAPE = '\u001b';
/** All that a terminal acts upon, but what lays out a text. */
const ACTED_UPON = /(?!\n|\t|\r\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

let bed: ClusterBed;
let home: string;
let connect: string[];
let endWatch = (): void => {};
beforeAll(async () => {
  bed = await clusterBed();
  home = await mkdtemp(join(tmpdir(), 'lockkeeper-cli-'));
  const kubeconfig = join(home, 'kubeconfig');
  const config = {
    clusters: [{ name: 'c', cluster: { server: bed.server.href, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
  };
  await writeFile(kubeconfig, JSON.stringify(config));
  connect = ['--kubeconfig', kubeconfig, '--context', 'x'];
  putEvilFleet();
});
afterAll(async () => {
  endWatch();
  await bed.close();
  await rm(home, { recursive: true });
});

function putEvilFleet(): void {
  const { cluster } = bed;
  const at = '2026-03-01T12:00:00Z';
  const condition = (type: string) => ({ type, status: 'True', reason: EVIL, message: EVIL, lastTransitionTime: at });
  putGuard(cluster);
  const annotations = Object.fromEntries(Object.values(BY_HAND).map((name) => [name, EVIL]));
  const exclusions = [{ from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: EVIL }];
  putPolicy(cluster, 'default', { nodeSelector: {}, schedule: { always: true, exclusions } }, { annotations });
  const conditions = [...['Progressing', 'Halted', 'Paused', 'BadRelease'].map(condition), { ...condition('Ready'), status: 'False' }];
  cluster.patch('updatepolicies', 'default', { status: { observedGeneration: 1, summary: EVIL, conditions } });
  putPolicy(cluster, 'also');
  cluster.patch('updatepolicies', 'also', { status: { observedGeneration: 1, summary: EVIL, conditions: [condition('Progressing')] } });
  putOwnPod(cluster, 'lockkeeper-0', 'controller', 'elsewhere');
  cluster.patch('pods', 'lockkeeper-0', { spec: { containers: [{ image: EVIL }] } }, 'lockkeeper');
  for (const name of ['a', 'b']) {
    const node = putNode(cluster, name, { metadata: { annotations } });
    putHost(cluster, node, { agentVersion: EVIL, variant: EVIL, answer: { id: 'o', state: 'Failed', startedAt: at } });
    putOwnPod(cluster, `agent-${name}`, 'agent', name);
    putPod(cluster, `pod-${name}`, name, { metadata: { annotations: { 'karpenter.sh/do-not-disrupt': 'true' } } });
    cluster.put('nodeupdates', {
      metadata: { name, annotations, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid: node.metadata.uid }] },
      status: {
        policy: 'default',
        phase: 'Blocked',
        from: OLD,
        target: EVIL.slice(0, 64),
        reason: EVIL,
        message: EVIL,
        since: at,
        behindSince: at,
        conditions: [condition('Overdue')],
        history: [{ from: OLD, to: NEW, startedAt: at, finishedAt: at, outcome: EVIL }],
        failures: [{ target: NEW, at, reason: EVIL, message: EVIL, bootID: EVIL, readySince: EVIL }],
      },
    });
  }
}

async function ran(command: readonly string[], isTTY: boolean) {
  const said = { stdout: '', stderr: '' };
  const to = (stream: 'stdout' | 'stderr') => (text: string) => {
    said[stream] += text;
  };
  const code = await run([...command, ...connect], {
    stdin: Readable.from([]),
    stdout: { write: to('stdout'), isTTY },
    stderr: { write: to('stderr'), isTTY },
  });
  return { code, ...said };
}

function expectHarmless(text: string): void {
  expect(stripVTControlCharacters(text)).not.toMatch(ACTED_UPON);
  // What is stripped are colours of ours, and none of them is around what only the cluster says.
  for (const after of text.split(ESCAPE).slice(1)) expect(after).toMatch(/^\[\d+m(?!RED)/);
  expect(text).not.toMatch(/^FORGED/m);
}

test.each([
  [['status']],
  [['status', '-o', 'wide']],
  [['status', 'a']],
  [['why', 'a']],
  [['history']],
  [['report']],
  [['version']],
  [['plan']],
  [['pause', 'a', '--dry-run', 'client']],
  [['approve', '--all', '--dry-run', 'client']],
  [['retry', '--all', '--dry-run', 'client']],
  [['reboot', 'a', '--dry-run', 'client']],
  [['skip', '--all', '--dry-run', 'client']],
  [['pin', NEW, 'a', '--dry-run', 'client']],
  [['status', EVIL_WORD]],
  [['why', EVIL_WORD]],
  [[EVIL_WORD]],
])('%j prints nothing that a terminal acts upon', async (command) => {
  for (const isTTY of [false, true]) {
    const { stdout, stderr } = await ran(command, isTTY);
    expect(stdout + stderr).not.toBe('');
    expectHarmless(stdout);
    expectHarmless(stderr);
    if (!isTTY) expect(stdout).not.toContain(ESCAPE);
  }
});

test.each([[['status']], [['why', 'a']], [['history']], [['version']], [['plan']], [['report']]])(
  '%j as data says the same',
  async (command) => {
    const { stdout: json } = await ran([...command, '-o', 'json'], true);
    expect(json).not.toMatch(ACTED_UPON);
    const data: unknown = JSON.parse(json);
    if (command[0] !== 'plan') expect(JSON.stringify(data)).toContain('\u202eback');
    if (command[0] === 'plan' || command[0] === 'report') return;
    const { stdout: yaml } = await ran([...command, '-o', 'yaml'], true);
    expect(yaml).not.toMatch(ACTED_UPON);
    const asYAML: unknown = parseYAML(yaml);
    expect(withoutTime(asYAML)).toEqual(withoutTime(data));
  },
);

const withoutTime = (data: unknown): unknown => (typeof data === 'object' ? { ...data, at: '' } : data);

test('status --watch draws nothing but what is ours', async () => {
  let text = '';
  const drawn = Promise.withResolvers<void>();
  const ended = run(['status', '--watch', '-o', 'wide', ...connect], {
    stdin: Readable.from([]),
    stdout: {
      isTTY: true,
      rows: 50,
      write(more: string) {
        text += more;
        if (text.includes('FORGED')) drawn.resolve();
      },
    },
    stderr: { write() {} },
    onInterrupt(listener) {
      endWatch = listener;
      return () => {};
    },
  });
  await Promise.race([drawn.promise, ended]);
  endWatch();
  expect(await ended).toBe(0);
  expectHarmless(['2J', 'H', 'K', 'J'].reduce((left, control) => left.replaceAll(`${ESCAPE}[${control}`, ''), text));
});

test("an API server's words", async () => {
  bed.cluster.fault = () => ({ status: 403, message: EVIL });
  try {
    for (const command of [['status'], ['plan'], ['pause', 'a']]) {
      const { code, stdout, stderr } = await ran(command, true);
      expect(code).toBe(3);
      expect(stdout).toBe('');
      expect(stripVTControlCharacters(stderr)).not.toMatch(ACTED_UPON);
      expect(stderr).not.toContain(ESCAPE);
    }
  } finally {
    bed.cluster.fault = () => undefined;
  }
});
