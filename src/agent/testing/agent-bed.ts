import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HostOptions, type HostTimings, type Release, type Repository, SimulatedHost } from '../../../e2e/host/host.ts';
import { defaultWaves } from '../../../e2e/host/repository.ts';
import { asker } from '../../../e2e/host/test-host.ts';
import type { NodeHostStatus } from '../../api/node-host.ts';
import { systemClock } from '../../kube/clock.ts';
import { FakeApiServer, type FakeRequest } from '../../kube/testing/fake-api-server.ts';
import { eventually } from '../../kube/testing/fake-clock.ts';
import { type LogLine, recordingLogger, type TestCredentials, testClient, testCredentials } from '../../kube/testing/fixtures.ts';
import { Agent } from '../agent.ts';
import { HostClient } from '../host-client.ts';
import { type CrashPlan, crashing } from './crash.ts';

export const node = 'node-a';
export const variant = 'aws-k8s-1.31';
export const arch = 'x86_64';

export const release = (version: string, more: Partial<Release> = {}): Release => ({ version, variant, arch, ...more });
/** A release whose waves are all in the future. */
export const unopened = (version: string): Release => release(version, { waves: defaultWaves(new Date(Date.now() + 86_400_000)) });

/** Every action is over before its answer; settings are rendered as late as on a real host. */
const quick: HostTimings = {
  refreshMs: 0,
  prepareMs: 0,
  activateMs: 0,
  rebootCommandMs: 0,
  bootMs: 0,
  slowBootMs: 1,
  renderMs: [36, 88],
  clientTimeoutMs: 5_000,
};

export interface BedOptions {
  readonly version?: string;
  readonly releases?: Release[];
  readonly timings?: Partial<HostTimings>;
  readonly host?: Partial<HostOptions>;
  readonly refreshInterval?: string;
  readonly ignoreWaves?: boolean;
  readonly deadSocketMs?: number;
  /** Where agents look for the host's socket; that of the simulated host unless told. */
  readonly hostSocket?: string;
  /** How long agents try a host that does not answer. */
  readonly patienceMs?: number;
  /** Without a NodeHost to begin with. */
  readonly withoutLetter?: boolean;
}

export interface OrderFields {
  readonly id: string;
  readonly action: string;
  readonly version?: string;
  readonly ignoreWaves?: boolean;
  readonly bootID?: string;
}

export interface RunningAgent {
  /** Resolves when the agent has ended by itself or was stopped. */
  readonly ended: Promise<void>;
  readonly log: readonly LogLine[];
  /** Resolves when the planned crash has come. */
  readonly died: Promise<void>;
  /** Names of its requests to host and API server so far. */
  readonly requests: readonly string[];
  stop(): Promise<void>;
}

/** A simulated host, a small API server with the host's NodeHost, and agents to be started and killed between them. */
export class AgentBed {
  readonly kube = new FakeApiServer();
  readonly host: SimulatedHost;
  /** How often agents have looked at the boot ID. */
  bootIDReads = 0;
  /** Called for each request to the host, before it acts. */
  onHostRequest: (request: string) => void = () => {};
  readonly socketPath: string;
  readonly folder: string;
  readonly bootIDFile: string;
  readonly #agents = new Set<RunningAgent>();
  readonly #repository: Repository;
  readonly #options: BedOptions;
  #stopped = false;
  #credentials: TestCredentials | undefined;
  #before: { request: string; act: () => void } | undefined;

  constructor(options: BedOptions = {}) {
    this.#options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'agent-'));
    this.socketPath = join(this.folder, 'api.sock');
    this.bootIDFile = join(this.folder, 'boot_id');
    this.#repository = { releases: options.releases ?? ['1.25.0', '1.26.0', '1.26.1'].map((version) => release(version)) };
    this.host = new SimulatedHost({
      socketPath: this.socketPath,
      os: { version: options.version ?? '1.26.0', variant, arch },
      repository: this.#repository,
      timings: { ...quick, ...options.timings },
      bootIDFile: this.bootIDFile,
      seed: 1_000,
      ...options.host,
    });
  }

  get credentials(): TestCredentials {
    this.#credentials ??= testCredentials(this.kube.url);
    return this.#credentials;
  }

  async start(): Promise<this> {
    // The host records a request before it acts on it.
    const { requests } = this.host;
    const push = requests.push.bind(requests);
    requests.push = (...records) => {
      for (const { method, path } of records) this.#heard(`${method} ${path}`);
      return push(...records);
    };
    await this.host.start();
    await this.kube.start();
    if (!this.#options.withoutLetter) this.createLetter();
    return this;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const agent of this.#agents) await agent.stop();
    await this.kube.stop();
    await this.host.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  createLetter(order?: OrderFields): void {
    const { refreshInterval = '1h', ignoreWaves = false } = this.#options;
    this.kube.put(node, { spec: { refreshInterval, ignoreWaves, ...(order && { order }) } });
  }

  /** The controller writes an order. */
  order(order: OrderFields): void {
    const object = this.kube.objects.get(node);
    this.kube.put(node, { ...object, spec: { ...(object?.['spec'] as object), order } });
  }

  #heard(request: string): void {
    this.onHostRequest(request);
    if (this.#before?.request !== request) return;
    const { act } = this.#before;
    this.#before = undefined;
    act();
  }

  get status(): NodeHostStatus {
    return (this.kube.objects.get(node)?.['status'] ?? {}) as NodeHostStatus;
  }

  get bootID(): string {
    return this.host.bootID;
  }

  /** Writes to the NodeHost so far, oldest first. */
  get writes(): FakeRequest[] {
    return this.kube.requests.filter(({ method }) => method !== 'GET');
  }

  /** Answers in the order in which they were written. */
  get answers(): string[] {
    const states: string[] = [];
    for (const { body } of this.writes) {
      const state = (body as { status?: { answer?: { state?: string } } }).status?.answer?.state;
      if (state !== undefined) states.push(state);
    }
    return states;
  }

  /** How often the host was sent a request such as `POST /actions/reboot`. */
  asked(request: string): number {
    return this.host.requests.filter(({ method, path }) => `${method} ${path}` === request).length;
  }

  startAgent(crash?: CrashPlan): RunningAgent {
    const ending = new AbortController();
    const logger = recordingLogger();
    const client = testClient(this.kube, { credentials: this.credentials, requestTimeoutMs: 2_000 });
    const wires = crashing(
      new HostClient({
        socketPath: this.#options.hostSocket ?? this.socketPath,
        clock: systemClock,
        retryMs: 10,
        deadSocketMs: this.#options.deadSocketMs ?? 30_000,
        ...(this.#options.patienceMs !== undefined && { patienceMs: this.#options.patienceMs }),
      }),
      client,
      crash,
    );
    const agent = new Agent({
      node,
      version: '0.0.1',
      kube: wires.kube,
      host: wires.host,
      readBootID: async () => {
        this.bootIDReads += 1;
        return readFileSync(this.bootIDFile, 'utf8').trim();
      },
      clock: systemClock,
      logger,
      random: () => 0.5,
      timings: { pollFirstMs: 1, pollLastMs: 10, settleMs: 400, settlePollMs: 5, farewellMs: 2_000, rebootRetryMs: 20 },
    });
    const ended = agent.run(ending.signal).finally(() => client.close());
    ended.catch(() => {});
    const running: RunningAgent = {
      ended,
      log: logger.lines,
      died: wires.died,
      requests: wires.requests,
      stop: async () => {
        this.#agents.delete(running);
        ending.abort(new Error('stopped'));
        await ended.catch(() => {});
      },
    };
    this.#agents.add(running);
    return running;
  }

  until(condition: () => boolean, what: string, withinMs = 20_000): Promise<void> {
    return eventually(condition, what, withinMs).catch((error: unknown) => {
      throw new Error(`${what}: not so; the status is ${JSON.stringify(this.status)}`, { cause: error });
    });
  }

  answered(id: string, state: string): Promise<void> {
    return this.until(() => this.status.answer?.id === id && this.status.answer.state === state, `answer ${state} to ${id}`);
  }

  /** Orders, and waits for the answer. */
  async carryOut(order: OrderFields, state = 'Done'): Promise<void> {
    this.order(order);
    await this.answered(order.id, state);
  }

  /** What the repository offers; may be changed. */
  get releases(): Release[] {
    return this.#repository.releases;
  }

  /** Somebody else uses the host's API, and waits until what was begun is over. */
  async byHand(method: string, path: string): Promise<number> {
    const { status } = await this.ask(method, path);
    while ((await this.ask('GET', '/updates/status')).status === 423);
    return status;
  }

  ask(method: string, path: string): ReturnType<ReturnType<typeof asker>> {
    return asker(this.socketPath)(method, path);
  }

  /** Once, right before the host acts on such a request of an agent. */
  before(method: string, path: string, act: () => void): void {
    this.#before = { request: `${method} ${path}`, act };
  }

  /** The command that the next such request starts dies. */
  killNext(method: string, path: string): void {
    this.before(method, path, () => this.host.faults.arm('dispatcherKilled'));
  }
}
