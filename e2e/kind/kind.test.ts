import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { eventually } from '../bed/eventually.ts';
import { configFile, hostFiles, type KindOptions, kindConfig, workerName, writeClusterFiles } from './cluster-files.ts';
import { type CommandLine, createCluster, deleteCluster, loadImage, openAuditLog, powerOff, powerOn } from './commands.ts';
import { kindRelease, startKindHost } from './kind-host.ts';
import { missingForKind } from './requirements.ts';

let options: KindOptions;
beforeEach(async () => {
  options = { name: 'lk', folder: await mkdtemp(path.join(tmpdir(), 'kind-')), workers: 2 };
});
afterEach(() => rm(options.folder, { recursive: true, force: true }));

describe('what a cluster is made of', () => {
  test('each worker gets its own host’s socket, boot ID and OS at the paths of the OS', async () => {
    await writeClusterFiles(options);
    const config = parse(await readFile(configFile(options), 'utf8'));
    expect(config).toEqual(kindConfig(options));
    expect(config.nodes.map(({ role }: { role: string }) => role)).toEqual(['control-plane', 'worker', 'worker']);
    for (const index of [0, 1]) {
      const files = hostFiles(options, index);
      expect(config.nodes[index + 1].extraMounts).toEqual(
        expect.arrayContaining([
          { hostPath: files.socket, containerPath: '/run/api.sock' },
          { hostPath: files.osRelease, containerPath: '/usr/lib/os-release' },
          { hostPath: files.folder, containerPath: '/lockkeeper' },
        ]),
      );
      expect((await stat(files.folder)).isDirectory()).toBe(true);
    }
    expect(parse(config.nodes[0].kubeadmConfigPatches[0])).toMatchObject({
      apiServer: { extraArgs: { 'audit-log-path': '/var/log/lockkeeper/audit.log' } },
    });
  });

  test('the script that a kubelet waits for is one that a shell understands, and asks for the bundle at run time', async () => {
    await writeClusterFiles(options);
    const script = path.join(options.folder, 'boot.sh');
    execFileSync('/bin/sh', ['-n', script]);
    expect(await readFile(script, 'utf8')).toContain('"$' + '{bundle:?}/rootfs/proc/sys/kernel/random/boot_id"');
    expect(await readFile(path.join(options.folder, 'boot.conf'), 'utf8')).toBe('[Service]\nExecStartPre=/bin/sh /lockkeeper-boot.sh\n');
  });

  test('by these commands', () => {
    const { folder } = options;
    expect([workerName(options, 0), workerName(options, 1)]).toEqual(['lk-worker', 'lk-worker2']);
    expect(
      [
        createCluster(options, '/k'),
        loadImage(options, '/a.tar'),
        openAuditLog(options),
        powerOff('lk-worker'),
        powerOn('lk-worker'),
        deleteCluster(options),
      ].map((line) => line.join(' ')),
    ).toEqual([
      `kind create cluster --name lk --config ${folder}/kind.yaml --kubeconfig /k --wait 180s`,
      'kind load image-archive /a.tar --name lk',
      'docker exec lk-control-plane chmod -R a+rX /var/log/lockkeeper',
      'docker kill lk-worker',
      'docker start lk-worker',
      'kind delete cluster --name lk',
    ]);
  });
});

test('a reboot of a host kills its container, and starts it when the next OS and the socket are there', async () => {
  await writeClusterFiles(options);
  const files = hostFiles(options, 0);
  const ran: string[] = [];
  const run = async (line: CommandLine) => {
    const found = line[1] === 'start' ? /PRETTY_NAME="(.*)"/.exec(await readFile(files.osRelease, 'utf8'))?.[1] : '';
    const socket = await stat(files.socket).then(
      (file) => file.isSocket() && (file.mode & 0o777).toString(8),
      () => 'no socket',
    );
    ran.push(`${line.join(' ')}: ${socket} ${found}`);
    return '';
  };
  const repository = { releases: [kindRelease('1.26.0')] };
  const machine = await startKindHost({ options, index: 0, repository, version: '1.26.0', run });
  try {
    const before = await readFile(files.bootID, 'utf8');
    await machine.host.reboot();
    await eventually(() => ran.length === 2);
    await machine.settled();
    expect(ran).toEqual(['docker kill lk-worker: no socket ', 'docker start lk-worker: 666 Bottlerocket OS 1.26.0 (aws-k8s-1.31)']);
    expect(await readFile(files.bootID, 'utf8')).not.toBe(before);
    expect(machine.rebootCount()).toBe(1);
  } finally {
    await machine.host.stop();
    await machine.settled();
  }
});

describe('what is missing', () => {
  const absent = Object.assign(new Error('spawn'), { code: 'ENOENT' });

  test.each<[string, Record<string, unknown>, RegExp[]]>([
    ['nothing', {}, []],
    [
      'Docker and kind',
      { docker: new Error('docker', { cause: absent }), kind: absent },
      [/^Docker is needed/, /^kind is needed: go install/],
    ],
    ['the engine', { docker: new Error('Cannot connect to the Docker daemon') }, [/engine does not answer/]],
  ])('%s', async (_what, failures, expected) => {
    const missing = await missingForKind(async ([program]) => {
      if (program in failures) throw failures[program];
      return '';
    });
    expect(missing).toEqual(expected.map((words) => expect.stringMatching(words)));
  });

  test('ends `make e2e BED=kind` with a message and 1, where something is', async () => {
    const nothing = await mkdtemp(path.join(options.folder, 'path-'));
    await writeFile(path.join(nothing, 'docker'), '#!/bin/sh\necho no daemon >&2\nexit 1\n', { mode: 0o755 });
    const check = path.join(import.meta.dirname, 'check.ts');
    try {
      execFileSync(process.execPath, [check], { env: { PATH: nothing }, stdio: 'pipe' });
      throw new Error('it found what is not there');
    } catch (error) {
      expect(error).toMatchObject({ status: 1 });
      const { stderr } = error as { stderr: Buffer };
      expect(stderr.toString()).toMatch(/engine does not answer.*\n.*kind is needed/);
    }
  });
});
