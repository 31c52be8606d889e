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
beforeEach(async () => {
  bed = await clusterBed();
  home = await mkdtemp(join(tmpdir(), 'lockkeeper-cli-'));
  env = jest.replaceProperty(process, 'env', { HOME: home });
});
afterEach(async () => {
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
    stdin: Readable.from([Buffer.from(input)]),
    stdout: { write: write('stdout'), isTTY },
    stderr: { write: write('stderr') },
  });
  return { code, ...said };
}

test.each([
  [['--help'], 0, /plan \[options\]/, /^$/],
  [['plan', '--help'], 0, /Exit codes: 0 .*Examples:/s, /^$/],
  [['--version'], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
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
  async function kubeconfig(server = bed.server.href): Promise<string[]> {
    const file = join(home, 'kubeconfig');
    const config = {
      clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    };
    await writeFile(file, JSON.stringify(config));
    return ['plan', '--kubeconfig', file, '--context', 'x'];
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
