import { execFile, spawn } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Bed } from '../bed/bed.ts';
import { binaries } from '../bed/binaries.ts';
import { repository } from '../bed/config.ts';
import { kubeconfig } from '../bed/control-plane.ts';

/** What a program said, and how it ended. */
export interface Ran {
  code: number | string | undefined;
  stdout: string;
  stderr: string;
}

/** A program that goes on. */
export interface Running {
  /** What it has said so far. */
  stdout(): string;
  /** Interrupts it as Ctrl-C does; resolves with how it ended. */
  interrupt(): Promise<Ran>;
}

/** Somebody with `kubectl lockkeeper` and rights of their own, of which they have none to begin with. */
export interface Person {
  /** As the audit log has it. */
  readonly user: string;
  run(args: readonly string[], options?: { input?: string; env?: Readonly<Record<string, string>> }): Promise<Ran>;
  start(args: readonly string[]): Running;
  /** kubectl itself, with the program as its plugin. */
  kubectl(args: readonly string[]): Promise<Ran>;
  /** Binds a ClusterRole of the cluster to them. */
  allow(role: string): Promise<void>;
}

/** Adds a person to a bed. */
export async function personOn({ client, home }: Bed, name: string): Promise<Person> {
  const namespace = 'default';
  const user = `system:serviceaccount:${namespace}:${name}`;
  await client.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } });
  const { status } = await client.create<{ status: { token: string } }>(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
    spec: {},
  });
  const config = path.join(home.scratch, `${name}.kubeconfig`);
  await writeFile(config, kubeconfig({ ...client.access, token: status.token }), { mode: 0o600 });
  const plugins = path.join(home.scratch, `${name}-plugins`);
  await mkdir(plugins);
  const program = path.join(repository, 'dist', 'kubectl-lockkeeper.js');
  await symlink(program, path.join(plugins, 'kubectl-lockkeeper'));
  const { kubectl } = await binaries({ only: ['kubectl'] });
  const own = { HOME: home.scratch, KUBECONFIG: config, PATH: [plugins, path.dirname(process.execPath)].join(':') };
  const execute = (file: string, args: readonly string[], { input = '', env = {} }: Parameters<Person['run']>[1] = {}): Promise<Ran> =>
    new Promise((resolve) => {
      const child = execFile(file, args, { env: { ...own, ...env }, timeout: 60_000 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : (error.code ?? undefined), stdout, stderr }),
      );
      child.stdin?.end(input);
    });
  return {
    user,
    run: (args, options) => execute(process.execPath, [program, ...args], options),
    kubectl: (args) => execute(kubectl, args),
    start(args) {
      const child = spawn(process.execPath, [program, ...args], { env: own, stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
      const said = { stdout: '', stderr: '' };
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said.stdout += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said.stderr += text;
      });
      const ended = new Promise<Ran>((resolve) =>
        child.once('close', (code, signal) => resolve({ code: code ?? signal ?? undefined, ...said })),
      );
      return {
        stdout: () => said.stdout,
        interrupt() {
          child.kill('SIGINT');
          return ended;
        },
      };
    },
    async allow(role) {
      await client.apply({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: `${name}-${role}` },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'ServiceAccount', name, namespace }],
      });
    },
  };
}
