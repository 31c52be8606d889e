import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Api, type ApiAccess, createApi } from './api.ts';
import { binaries } from './binaries.ts';
import type { Child } from './children.ts';
import { bedEnvironment } from './config.ts';
import { eventually } from './eventually.ts';
import { type Home, openHome, tail } from './home.ts';
import { freePort } from './ports.ts';

/** Who acts, so that the audit log tells the bed from the tests and both from what is tested. */
const users = {
  /** The test itself. */
  admin: { name: 'admin', groups: 'system:masters' },
  /** The bed where it plays a kubelet. */
  bed: { name: 'bed', groups: 'system:masters' },
  kwok: { name: 'kwok', groups: 'system:masters' },
  'controller-manager': { name: 'system:kube-controller-manager', groups: '' },
  scheduler: { name: 'system:kube-scheduler', groups: '' },
} as const;

export type UserName = keyof typeof users;

export interface ControlPlane {
  readonly home: Home;
  /** For tests, as a member of system:masters. */
  readonly client: Api;
  readonly kubeconfig: string;
  /** The API server's own certificate authority, PEM. */
  readonly caFile: string;
  /** The key of its certificate, which is its own authority. */
  readonly keyFile: string;
  readonly auditLog: string;
  accessOf(user: UserName): ApiAccess;
  kubeconfigOf(user: UserName): string;
  /** Stops the API server (`SIGKILL` for a crash) and starts it on the same port with the same data. */
  restartApiServer(options?: { readonly signal?: 'SIGTERM' | 'SIGKILL' }): Promise<void>;
  /** Freezes the API server: connections stay open, and nothing is answered. Resolves when none of its threads runs any more. */
  pauseApiServer(): Promise<void>;
  resumeApiServer(): void;
  /** Has etcd forget all versions but the present one: a watch that is behind is told so. */
  compactStorage(): Promise<void>;
  /** Stops everything in the home, and removes its logs unless told to keep them. */
  stop(options?: { readonly keepLogs?: boolean }): Promise<void>;
}

export interface ControlPlaneOptions {
  readonly name?: string;
  readonly dir?: string;
  /** Feature gates of Kubernetes. */
  readonly features?: Readonly<Record<string, boolean>>;
  /** The controller manager's requests per second; raise it for thousands of nodes. */
  readonly controllerQps?: number;
  /** Has the scheduler look at a hundred nodes for each pod, and spread no Deployment by itself: thousands of nodes take it 30 ms a pod otherwise. */
  readonly hastyScheduler?: boolean;
  /** How long a node's kubelet may be silent before the node is no longer Ready, in seconds; Kubernetes' own 50 unless told. */
  readonly nodeGraceSeconds?: number;
  /** Go's own measure of how far a heap may grow until its garbage is collected, in percent of what lives in it; 400 unless told. */
  readonly heapGrowthPercent?: number;
  /** The API server's certificate, its own authority, and its key, PEM; made anew unless told. */
  readonly certificate?: { readonly cert: string; readonly key: string };
  /** A file with what the audit log records; all that scenarios judge by unless told. */
  readonly auditPolicy?: string;
  readonly home?: Home;
  /** Where the parts run; this process's own network unless told. */
  readonly network?: PlaneNetwork;
  /** Who else is let in, such as kubelets. */
  readonly users?: readonly TokenUser[];
}

/** A network of its own that the control plane stands in, and the way there from here. */
export interface PlaneNetwork {
  /** What stands before the command of a program that is to run there. */
  readonly enter: readonly string[];
  /** Under which its other members find the API server. */
  readonly address: string;
  /** A port that is free there, and that 127.0.0.1 leads to from here under the same number. */
  openPort(): Promise<number>;
  /** Whether somebody listens there. */
  accepts(port: number): Promise<boolean>;
}

export interface TokenUser {
  readonly token: string;
  readonly name: string;
  readonly groups: readonly string[];
}

/** The control plane did not get ready; the message ends with the log of the part that failed. */
export class ControlPlaneError extends Error {
  override readonly name = 'ControlPlaneError';
}

/** A part ended before it was ready, which somebody else's hold on its port causes: worth another try. */
class EndedEarly extends ControlPlaneError {}

type Programs = Readonly<Record<'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler', string>>;

const readyTimeoutMs = 60_000;
/** Asked to end, it closes its port at once and then waits a minute for open watches. */
const serverEndMs = 1500;
const onLoopback = [
  '--bind-address=127.0.0.1',
  '--advertise-address=127.0.0.1',
  // The service's endpoint may not be a loopback address; our programs are told where the server is.
  '--endpoint-reconciler-type=none',
];
/** Of the nodes it never looks at fewer than a hundred. */
const hasty = {
  percentageOfNodesToScore: 1,
  profiles: [{ schedulerName: 'default-scheduler', pluginConfig: [{ name: 'PodTopologySpread', args: { defaultingType: 'List' } }] }],
};
/** There is no name service that knows a node. */
const byAddress = ['--kubelet-preferred-address-types=InternalIP'];
const auditPolicy = fileURLToPath(new URL('audit-policy.yaml', import.meta.url));

/** Starts etcd, API server, controller manager and scheduler as plain processes on free loopback ports, and waits until they serve. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const only = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;
  const programs = await binaries({ only });
  const home = options.home ?? (await openHome(options));
  try {
    return await start(home, programs, options);
  } catch (error) {
    if (options.home === undefined) await home.close({ keepLogs: true });
    throw error;
  }
}

async function start(home: Home, programs: Programs, options: ControlPlaneOptions): Promise<ControlPlane> {
  const file = (name: string) => path.join(home.scratch, name);
  const tokens = new Map<UserName, string>();
  for (const user of Object.keys(users) as UserName[]) tokens.set(user, randomBytes(24).toString('hex'));
  await mkdir(file('certs'));
  if (options.certificate !== undefined) {
    await writeFile(file('certs/apiserver.crt'), options.certificate.cert);
    await writeFile(file('certs/apiserver.key'), options.certificate.key, { mode: 0o600 });
  }
  await writeFile(file('tokens.csv'), tokenFile(tokens, options.users ?? []), { mode: 0o600 });
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  await writeFile(file('service-account.key'), privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
  await writeFile(file('service-account.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  const gates = Object.entries(options.features ?? {}).map(([gate, on]) => `${gate}=${on}`);
  const features = gates.length === 0 ? [] : [`--feature-gates=${gates.join(',')}`];
  const auditLog = path.join(home.out, 'audit.log');
  const caFile = file('certs/apiserver.crt');

  const { network } = options;
  // Where it stands in a network of its own, its certificate names `localhost` and its address there, but not 127.0.0.1.
  const serverOn = (port: number) => `https://${network === undefined ? '127.0.0.1' : 'localhost'}:${port}`;

  const { etcdUrl } = await withRetries(startEtcd);
  let { apiServer, port } = await withRetries(async () => startApiServer(await (network?.openPort() ?? freePort())));
  const server = serverOn(port);
  const ca = await readFile(caFile, 'utf8');
  const accessOf = (user: UserName): ApiAccess => ({ server, ca, token: tokens.get(user) });
  const kubeconfigOf = (user: UserName) => path.join(user === 'admin' ? home.out : home.scratch, `${user}.kubeconfig`);
  for (const user of tokens.keys()) await writeFile(kubeconfigOf(user), kubeconfig(accessOf(user)), { mode: 0o600 });
  const client = createApi(accessOf('admin'));

  await startManagers();
  await eventually(() => client.find('/api/v1/namespaces/default/serviceaccounts/default'), { timeoutMs: readyTimeoutMs });

  return {
    home,
    client,
    kubeconfig: kubeconfigOf('admin'),
    caFile,
    keyFile: file('certs/apiserver.key'),
    auditLog,
    accessOf,
    kubeconfigOf,
    async restartApiServer({ signal = 'SIGTERM' } = {}) {
      apiServer.signal('SIGCONT');
      await apiServer.stop(signal === 'SIGKILL' ? 0 : serverEndMs);
      ({ apiServer } = await withRetries(() => startApiServer(port)));
    },
    async pauseApiServer() {
      await apiServer.freeze();
    },
    resumeApiServer: () => apiServer.signal('SIGCONT'),
    async compactStorage() {
      const { header } = await askEtcd<{ header: { revision: string } }>('kv/range', {
        key: Buffer.from('/').toString('base64'),
        limit: 1,
      });
      await askEtcd('kv/compaction', { revision: header.revision, physical: true });
    },
    async stop({ keepLogs = false } = {}) {
      client.close();
      // Its data is thrown away, so nothing is lost by not being asked twice; but never etcd first.
      await apiServer.stop(0);
      await home.close({ keepLogs });
    },
  };

  async function startEtcd() {
    const [clientPort, peerPort] = [await freePort(), await freePort()];
    const etcdUrl = `http://127.0.0.1:${clientPort}`;
    const data = file(`etcd-${clientPort}`);
    const child = await spawn('etcd', [
      `--data-dir=${data}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
      '--unsafe-no-fsync',
      '--quota-backend-bytes=8589934592',
      '--log-level=error',
    ]);
    await untilReady(child, () => (network?.accepts ?? accepts)(clientPort));
    return { etcdUrl };
  }

  async function askEtcd<T>(call: string, body: object): Promise<T> {
    const answer = await fetch(`${etcdUrl}/v3/${call}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    if (!answer.ok) throw new ControlPlaneError(`etcd answers ${answer.status} to ${call}: ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async function startApiServer(on: number) {
    const child = await spawn('kube-apiserver', [
      `--etcd-servers=${etcdUrl}`,
      ...(network === undefined ? onLoopback : ['--bind-address=0.0.0.0', `--advertise-address=${network.address}`, ...byAddress]),
      `--secure-port=${on}`,
      `--cert-dir=${file('certs')}`,
      `--service-account-key-file=${file('service-account.pub')}`,
      `--service-account-signing-key-file=${file('service-account.key')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--token-auth-file=${file('tokens.csv')}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--service-cluster-ip-range=10.96.0.0/16',
      '--allow-privileged=true',
      '--profiling=false',
      `--audit-policy-file=${options.auditPolicy ?? auditPolicy}`,
      `--audit-log-path=${auditLog}`,
      '--audit-log-format=json',
      '--audit-log-mode=blocking',
      '--audit-log-maxsize=10000',
      ...features,
    ]);
    const probe = () => ready(on);
    await untilReady(child, probe);
    return { apiServer: child, port: on };
  }

  async function ready(on: number): Promise<boolean> {
    const probe = createApi({ server: serverOn(on), ca: await readFile(caFile, 'utf8'), token: tokens.get('admin') });
    try {
      return (await probe.request('GET', '/readyz', { timeoutMs: 5000 })) === 'ok';
    } finally {
      probe.close();
    }
  }

  async function startManagers(): Promise<void> {
    const qps = options.controllerQps ?? 100;
    await spawn('kube-controller-manager', [
      `--kubeconfig=${kubeconfigOf('controller-manager')}`,
      `--service-account-private-key-file=${file('service-account.key')}`,
      `--root-ca-file=${caFile}`,
      '--use-service-account-credentials',
      '--leader-elect=false',
      '--secure-port=0',
      `--controllers=*,-nodeipam${knowsClouds() ? ',-cloud-node-lifecycle,-service-lb-controller' : ''}`,
      `--kube-api-qps=${qps}`,
      `--kube-api-burst=${qps * 2}`,
      ...(options.nodeGraceSeconds === undefined ? [] : [`--node-monitor-grace-period=${options.nodeGraceSeconds}s`]),
      ...features,
    ]);
    await writeFile(
      file('scheduler.json'),
      JSON.stringify({
        apiVersion: 'kubescheduler.config.k8s.io/v1',
        kind: 'KubeSchedulerConfiguration',
        clientConnection: { kubeconfig: kubeconfigOf('scheduler'), qps, burst: qps * 2 },
        leaderElection: { leaderElect: false },
        ...(options.hastyScheduler === true && hasty),
      }),
    );
    await spawn('kube-scheduler', [`--config=${file('scheduler.json')}`, '--secure-port=0', ...features]);
  }

  function spawn(name: keyof Programs, args: readonly string[]): Promise<Child> {
    const [command = programs[name], ...before] = [...(network?.enter ?? []), programs[name]];
    return home.children.spawn({
      name,
      command,
      args: [...before, ...args],
      log: home.log(name),
      cwd: home.scratch,
      // Tests have more memory than time: a fifth of the API server's start is collecting garbage otherwise.
      env: { HOME: home.scratch, GOGC: String(options.heapGrowthPercent ?? 400) },
    });
  }
}

async function untilReady(child: Child, probe: () => Promise<boolean>): Promise<void> {
  const given = new AbortController();
  void child.ended.then(() => given.abort());
  try {
    await eventually(probe, { timeoutMs: readyTimeoutMs, intervalMs: 25, signal: given.signal });
  } catch (cause) {
    const Failure = child.running ? ControlPlaneError : EndedEarly;
    const how = child.running ? `was not ready within ${readyTimeoutMs / 1000} s` : 'ended before it was ready';
    await child.stop(0);
    throw new Failure(`${child.name} ${how}; ${child.log} ends with\n${await tail(child.log)}`, { cause });
  }
}

async function withRetries<T>(attempt: () => Promise<T>, attempts = 4): Promise<T> {
  for (let made = 1; ; made++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof EndedEarly) || made === attempts) throw error;
    }
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function tokenFile(tokens: ReadonlyMap<UserName, string>, others: readonly TokenUser[]): string {
  const lines = [...tokens].map(([user, token]) => {
    const { name, groups } = users[user];
    return groups === '' ? `${token},${name},${user}` : `${token},${name},${user},"${groups}"`;
  });
  const further = others.map(({ token, name, groups }) => `${token},${name},${name},"${groups.join(',')}"`);
  return `${[...lines, ...further].join('\n')}\n`;
}

/** What a kubeconfig file holds for one user of one API server. */
export function kubeconfig(access: ApiAccess): string {
  // JSON is YAML.
  const ca = Buffer.from(access.ca ?? '').toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'bed', cluster: { server: access.server, 'certificate-authority-data': ca } }],
    users: [{ name: 'bed', user: { token: access.token } }],
    contexts: [{ name: 'bed', context: { cluster: 'bed', user: 'bed' } }],
    'current-context': 'bed',
  });
}

/** From 1.37 on the controller manager has no controllers for clouds, and ends where it is to leave them out. */
const knowsClouds = (): boolean => Number(bedEnvironment().kubernetes?.split('.')[1] ?? 0) < 37;
