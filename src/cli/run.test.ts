import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as z from 'zod/mini';
import { planSchema } from '../api/plan.ts';
import { type ClusterBed, clusterBed } from '../controller/testing/bed.ts';
import { putGuard, putHost, putNode, putOwnPod, putPolicy } from '../controller/testing/objects.ts';
import { NEW, OLD } from '../core/testing/builders.ts';
import { run } from './run.ts';

let bed: ClusterBed;
let home: string;
let env: { restore(): void };
/** Ends what goes on until then. */
let interrupt = (): void => {};
beforeEach(async () => {
  bed = await clusterBed();
  home = await mkdtemp(join(tmpdir(), 'lockkeeper-cli-'));
  env = jest.replaceProperty(process, 'env', { HOME: home });
});
afterEach(async () => {
  interrupt();
  env.restore();
  await bed.close();
  await rm(home, { recursive: true });
});

async function ran(args: readonly string[], { input = '', isTTY = false } = {}) {
  const said = { stdout: '', stderr: '' };
  const write = (stream: 'stdout' | 'stderr') => (text: string) => {
    said[stream] += text;
  };
  const code = await run(args, {
    stdin: Object.assign(Readable.from([Buffer.from(input)]), { isTTY }),
    stdout: { write: write('stdout'), isTTY },
    stderr: { write: write('stderr') },
  });
  return { code, ...said };
}

test.each([
  [['--help'], 0, /plan \[options\]/, /^$/],
  [['plan', '--help'], 0, /Exit codes: 0 .*Examples:/s, /^$/],
  [['--version'], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
  [['version', '--client'], 0, /^Client: \d+\.\d+\.\d+\n$/, /^$/],
  [['resume', '--help'], 0, /Two cases, and one call does one of them/, /^$/],
  [['reboot', '--help'], 0, /where both have it\)\. It writes one annotation/, /^$/],
  [['clear-bad-release', '--help'], 0, /A name is a policy; without one/, /^$/],
  [['unapprove', '--help'], 0, /It removes annotations/, /^$/],
  [['version', '--help'], 0, /\n\nThis program's version/, /^$/],
  [['dashboard', '--help'], 0, /listen on this port \(default: a free one\)\n[\s\S]*docs\/dashboard\.md[\s\S]*ssh -t -L/, /^$/],
  [['dashboard', '--port', '70000'], 2, /^$/, /a port is a number from 0 to 65535/],
  [['dashboard', '--address', '0.0.0.0'], 2, /^$/, /Allowed choices are 127\.0\.0\.1, ::1/],
  [['completion', 'bash'], 0, /complete -F _kubectl_lockkeeper/, /^$/],
  [['completion', 'csh'], 2, /^$/, /no script for csh/],
  [['reboot'], 2, /^$/, /missing required argument/],
  [['release'], 2, /^$/, /required option '--all'/],
  [['release', '--all', '--timeout=soon'], 2, /^$/, /must be a duration/],
  [['pause', '--as-user-extra', 'g'], 2, /^$/, /must be KEY=VALUE/],
  [['plan', '--what'], 2, /^$/, /unknown option '--what'/],
  [['plan', '-o', 'xml'], 2, /^$/, /Allowed choices are json/],
  [['plan'], 2, /^$/, /^error: there is no kubeconfig/],
  [['plan', '--kubeconfig', '/nowhere'], 2, /^$/, /^error: cannot read the kubeconfig \/nowhere/],
  [['plan', '-f', '/nowhere.yaml'], 2, /^$/, /^error: cannot read \/nowhere.yaml/],
  [['plan', '-f', '-'], 2, /^$/, /^error: stdin \(a\): kind: must be UpdatePolicy/],
] as const)('%j exits with %i', async (args, code, stdout, stderr) => {
  expect(await ran(args, { input: 'apiVersion: lockkeeper.dev/v1alpha1\nkind: Lock\nmetadata: {name: a}\n' })).toEqual({
    code,
    stdout: expect.stringMatching(stdout),
    stderr: expect.stringMatching(stderr),
  });
});

describe('with a kubeconfig', () => {
  /** A kubeconfig of the cluster in this process, or of another server. */
  async function kubeconfig(server = bed.server.href, command = ['plan']): Promise<string[]> {
    const file = join(home, 'kubeconfig');
    const config = {
      clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    };
    await writeFile(file, JSON.stringify(config));
    return [...command, '--kubeconfig', file, '--context', 'x'];
  }

  function putFleet(): void {
    putGuard(bed.cluster);
    putPolicy(bed.cluster, 'default', { approval: 'Manual' });
    putOwnPod(bed.cluster, 'lockkeeper-0', 'controller', 'elsewhere');
    for (const name of ['a', 'b']) {
      putHost(bed.cluster, putNode(bed.cluster, name));
      putOwnPod(bed.cluster, `agent-${name}`, 'agent', name);
    }
  }

  test('prints a plan as its schema has it, and as text', async () => {
    putFleet();
    const json = await ran([...(await kubeconfig()), '-o', 'json']);
    expect(json).toMatchObject({ code: 0, stderr: '' });
    const plan = z.parse(planSchema, JSON.parse(json.stdout));
    expect(plan.policies).toMatchObject([{ name: 'default', source: 'InCluster', nodes: 2 }]);
    expect(plan.assumptions).toContainEqual({ name: 'Approved', policy: 'default', message: `${NEW} is approved now` });
    expect(plan.warnings).toEqual([]);
    const text = await ran(await kubeconfig());
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(/^UpdatePolicy default: 0 of 2 nodes up to date/);
  });

  test('plans a policy that is not there', async () => {
    putFleet();
    const input = `apiVersion: lockkeeper.dev/v1alpha1\nkind: UpdatePolicy\nmetadata: {name: fast}\nspec: {priority: 1, version: {pin: ${OLD}}}\n`;
    const { stdout } = await ran([...(await kubeconfig()), '-f', '-', '-o', 'json'], { input });
    expect(z.parse(planSchema, JSON.parse(stdout)).policies).toMatchObject([
      { name: 'default', nodes: 0 },
      { name: 'fast', source: 'New', nodes: 2, upToDate: 2 },
    ]);
  });

  test.each([
    [['status'], /^POLICY {3}NOW /],
    [['status', '-o', 'yaml'], /^apiVersion: status\.lockkeeper\.dev\/v1alpha1\nkind: Status\n/],
    [['history'], /^No update has ended yet/],
    [['report', '-o', 'csv'], /^node,policy,variant,[\s\S]*\r\na,,aws-k8s-1\.31,amd64,1\.26\.0,,,,Unmanaged,,/],
    [['version'], /^Client: .*\nController: .*lockkeeper-0[\s\S]*Agents: 0\.1\.0 on 2 nodes\nKubernetes: v1\.36\.3\n$/],
    [['why', 'a'], /^node a \(/],
  ])('%j', async (command, words) => {
    putFleet();
    bed.cluster.patch('pods', 'lockkeeper-0', { spec: { containers: [{ image: 'lockkeeper:0.1.0' }] } }, 'lockkeeper');
    const said = await ran(await kubeconfig(undefined, command));
    expect(said).toEqual({ code: 0, stdout: expect.stringMatching(words), stderr: '' });
    expect(bed.cluster.writes()).toEqual([]);
  });

  test('a command that writes wants a terminal or --yes where pods are stopped', async () => {
    putFleet();
    expect(await ran(await kubeconfig(undefined, ['reboot', 'default']))).toMatchObject({
      code: 0,
      stdout: 'UpdatePolicy default has no node: nothing to do\n',
    });
    bed.cluster.put('nodeupdates', { metadata: { name: 'a' }, status: { policy: 'default', phase: 'Idle', from: OLD, target: OLD } });
    expect(await ran(await kubeconfig(undefined, ['reboot', 'a']))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('say --yes'),
    });
    expect(await ran(await kubeconfig(undefined, ['reboot', 'a', '--yes']))).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^node a to reboot once: /),
    });
  });

  describe('release', () => {
    const managed = { 'lockkeeper.dev/managed': 'true' };

    test('lists every write, the Lease first, asks, and gives the nodes back', async () => {
      putFleet();
      for (const name of ['a', 'b']) bed.cluster.patch('nodes', name, { metadata: { labels: managed } });
      const { code, stdout, stderr } = await ran(await kubeconfig(undefined, ['release', '--all', '--yes']));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const lines = stdout.split('\n');
      expect(lines[0]).toMatch(/^to do: Lease lockkeeper\/lockkeeper: taken/);
      expect(lines.filter((line) => line.startsWith('to do: Node '))).toEqual(
        ['a', 'b'].map((name) => `to do: Node ${name}: remove label lockkeeper.dev/managed`),
      );
      expect(stdout).toMatch(/a: released\n[\s\S]*all nodes are released\n$/);
      expect(bed.cluster.writes().filter((write) => write.includes(' nodes/'))).toEqual(['PATCH nodes/a', 'PATCH nodes/b']);
      for (const name of ['a', 'b']) expect(bed.cluster.get('nodes', name)?.metadata['labels']).not.toHaveProperty(Object.keys(managed));
    });

    test.each([
      ['where nobody can be asked', [], {}, 2, /see what it would do with --dry-run=client, then say --yes/],
      ['where the user does not agree', [], { input: 'n\n', isTTY: true }, 1, /nothing was changed/],
      ['as a client dry run', ['--dry-run=client'], {}, 0, /^$/],
    ])('writes nothing %s', async (_, flags, how, code, words) => {
      putFleet();
      bed.cluster.patch('nodes', 'a', { metadata: { labels: managed } });
      const said = await ran(await kubeconfig(undefined, ['release', '--all', ...flags]), how);
      expect(said).toMatchObject({ code, stderr: expect.stringMatching(words) });
      if (code !== 2) expect(said.stdout).toContain('Node a: remove label lockkeeper.dev/managed\n');
      expect(bed.cluster.asked.filter(({ method, path }) => method !== 'GET' && !path.includes('accessreviews'))).toEqual([]);
    });

    test('names each right that is missing before it writes', async () => {
      putFleet();
      bed.cluster.allows = ({ verb, resource, namespace }) => verb !== 'patch' || (resource === 'leases' && namespace !== 'lockkeeper');
      const said = await ran(await kubeconfig(undefined, ['release', '--all', '--yes']));
      expect(said).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('have an administrator') });
      expect(said.stderr).toMatch(
        / {2}patch nodes \(cluster-wide\)\n[\s\S]* {2}patch leases\.coordination\.k8s\.io lockkeeper \(in lockkeeper\)/,
      );
      expect(bed.cluster.writes()).toEqual([]);
    });
  });

  test('status --watch shows each change, and ends well when it is interrupted', async () => {
    putFleet();
    bed.cluster.put('nodeupdates', { metadata: { name: 'a' }, status: { policy: 'default', phase: 'Idle', from: OLD, target: OLD } });
    let text = '';
    const seen = Promise.withResolvers<void>();
    const ended = run(await kubeconfig(undefined, ['status', '--watch']), {
      stdin: Readable.from([]),
      stdout: {
        write(more: string) {
          text += more;
          if (/^a +default +Idle/m.test(text) && !text.includes('Draining'))
            bed.cluster.patch('nodeupdates', 'a', { status: { phase: 'Draining', reason: 'Draining' } });
          if (/^a +default +Draining/m.test(text)) seen.resolve();
        },
      },
      stderr: { write() {} },
      onInterrupt(listener) {
        interrupt = listener;
        return () => {};
      },
    });
    await seen.promise;
    interrupt();
    expect(await ended).toBe(0);
  });

  test('who may list and not watch is told so', async () => {
    putFleet();
    bed.cluster.fault = ({ query }) => (query.get('watch') === 'true' ? { status: 403 } : undefined);
    expect(await ran(await kubeconfig(undefined, ['status', '--watch']))).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/watch (nodeupdates|updatepolicies)\.lockkeeper\.dev/),
    });
  });

  test.each([
    ['a right is missing', 403, 3, /^error: you lack rights in this cluster:\n {2}list nodes \(cluster-wide\)/],
    ['nobody knows the user', 401, 1, /^error: the API server does not know you: log in again/],
    ['the server is broken', 500, 1, /^error: .*500/],
  ])('%s', async (_, status, code, stderr) => {
    bed.cluster.fault = () => ({ status });
    expect(await ran(await kubeconfig())).toEqual({ code, stdout: '', stderr: expect.stringMatching(stderr) });
  });

  test('a server that is not there', async () => {
    const said = await ran(await kubeconfig('http://127.0.0.1:1'));
    expect(said).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^error: cannot reach the API server: .*--context/s) });
  });
});
