import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, ApiError, ApiUnreachable } from './api.ts';
import type { Child, Children, Ending } from './children.ts';
import { type Gate, type GateState, openGate } from './gate.ts';
import { persist } from './persist.ts';
import { commandOf } from './pod-command.ts';
import { type PodObject, podPath } from './pod-object.ts';
import { PodReporter } from './pod-reporter.ts';
import { mountVolumes, type PodVolumes, serviceAccountMount } from './pod-volumes.ts';
import { freePort } from './ports.ts';
import { watchReadiness } from './readiness.ts';

/** The machine that a pod runs on, as its kubelet knows it. */
export interface PodMachine {
  readonly ip: string;
  readonly socketPath: string;
  readonly bootIDFile: string;
}

export interface PodProcessParts {
  readonly api: Api;
  readonly children: Children;
  readonly machine: PodMachine;
  readonly server: { readonly host: string; readonly port: number };
  /** Stands for the image's /app. */
  readonly app: string;
  /** Stands for the image's `node`. */
  readonly node: string;
  /** For its volumes. */
  readonly folder: string;
  readonly log: string;
  /** What should not happen: the bed is wrong, not what it tests. */
  readonly onError: (error: unknown) => void;
  /** Whether the machine is up when the pod is seen first. */
  readonly up: boolean;
  /** Whether it reaches the API server's service address at first. */
  readonly gate: GateState;
}

const backoffMs = { least: 200, most: 5000, forgottenAfter: 1000 };

/** A pod of ours as a real process of this machine, with what a kubelet does for it. */
export class PodProcess {
  readonly log: string;
  /** How its program has ended so far, oldest first. */
  readonly endings: Ending[] = [];
  readonly #parts: PodProcessParts;
  readonly #gone = new AbortController();
  readonly #reporter: PodReporter;
  #child: Child | undefined;
  #volumes: PodVolumes | undefined;
  #gate: Gate | undefined;
  #cut: GateState;
  #ports = new Map<number, number>();
  #up: boolean;
  #held = false;
  #deleting = false;
  #changed = Promise.withResolvers<void>();
  readonly #finished: Promise<void>;

  constructor(pod: PodObject, parts: PodProcessParts) {
    this.#parts = parts;
    const { api, machine, onError } = parts;
    this.#reporter = new PodReporter(pod, { api, ip: machine.ip, signal: this.#gone.signal, onError });
    this.#up = parts.up;
    this.#cut = parts.gate;
    this.log = parts.log;
    this.#finished = this.#live();
  }

  get name(): string {
    return this.pod.metadata.name;
  }

  get uid(): string {
    return this.pod.metadata.uid ?? '';
  }

  get node(): string {
    return this.pod.spec.nodeName ?? '';
  }

  /** `agent` or `controller`, or what else its label says. */
  get component(): string {
    return this.pod.metadata.labels?.['app.kubernetes.io/component'] ?? '';
  }

  /** The pod as the API server showed it last. */
  get pod(): PodObject {
    return this.#reporter.pod;
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#child?.running ? this.#child.pid : undefined;
  }

  get restarts(): number {
    return this.#reporter.state.restarts;
  }

  get ready(): boolean {
    return this.#reporter.state.ready;
  }

  /** The root of what it serves, by the name of the container's port; its first one unless named. */
  url(port?: string): string {
    const ports = this.#container.ports ?? [];
    const wanted = port === undefined ? ports[0] : ports.find((one) => one.name === port);
    const real = wanted === undefined ? undefined : this.#ports.get(wanted.containerPort);
    if (real === undefined) throw new Error(`${this.name} serves no port ${port ?? ''} (yet)`);
    return `http://127.0.0.1:${real}`;
  }

  get metricsUrl(): string {
    return `${this.url('metrics')}/metrics`;
  }

  /** Bytes between it and the API server so far, over all its lives. */
  get traffic(): Gate['passed'] {
    return this.#gate?.passed ?? { toServer: 0, fromServer: 0 };
  }

  /** The service-account token that it holds now. */
  async token(): Promise<string> {
    const folder = this.#volumes?.mounts.get(serviceAccountMount);
    if (folder === undefined) throw new Error(`${this.name} has no service-account token (yet)`);
    return readFile(path.join(folder, 'token'), 'utf8');
  }

  /** Sends a signal; what it ends is started again, as its restart policy says. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child?.signal(signal);
  }

  pause(): void {
    this.kill('SIGSTOP');
  }

  resume(): void {
    this.kill('SIGCONT');
  }

  /** Kills it and does not start it again until `release`. */
  async hold(): Promise<void> {
    this.#held = true;
    this.#wake();
    await this.#child?.stop(0);
  }

  release(): void {
    this.#held = false;
    this.#wake();
  }

  /** Cuts it off from the API server's service address, or joins it again. */
  cut(state: GateState): void {
    this.#cut = state;
    this.#gate?.set(state);
  }

  /** A newer version of the pod. */
  update(pod: PodObject): void {
    if (!this.#reporter.adopt(pod)) return;
    if (pod.metadata.deletionTimestamp !== undefined && !this.#deleting) {
      this.#deleting = true;
      this.#wake();
      void this.#child?.stop((pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000);
    }
  }

  /** The power is off. */
  async machineDown(): Promise<void> {
    this.#up = false;
    this.#wake();
    await this.#child?.stop(0);
    this.#reporter.become({ ready: false });
  }

  machineUp(): void {
    this.#up = true;
    this.#wake();
    this.#reporter.report();
  }

  async renewTokens(): Promise<void> {
    await persist(async () => this.#volumes?.renew(), { signal: this.#gone.signal });
  }

  /** The pod is gone from the API, or the bed ends. */
  async end(): Promise<void> {
    this.#gone.abort();
    this.#wake();
    await this.#child?.stop(0);
    await this.#finished;
    await this.#reporter.settled();
    await this.#gate?.close();
  }

  get #container() {
    const [container, ...others] = this.pod.spec.containers;
    if (container === undefined || others.length > 0) throw new Error(`${this.name}: the bed runs pods of one container`);
    return container;
  }

  async #live(): Promise<void> {
    try {
      if (await this.#until(() => this.#up)) await this.#prepare();
      let wait = backoffMs.least;
      while (await this.#until(() => this.#up && !this.#held)) {
        const startedAt = performance.now();
        const exitCode = await this.#once();
        if (this.#deleting || this.#gone.signal.aborted) break;
        if (this.#up && !this.#held && this.#isOver(exitCode)) break;
        const waiting = this.#up && !this.#held ? 'CrashLoopBackOff' : 'ContainerCreating';
        this.#reporter.become({ ready: false, restarts: this.#reporter.state.restarts + 1, waiting });
        if (performance.now() - startedAt > backoffMs.forgottenAfter || !this.#up || this.#held) wait = backoffMs.least;
        else wait = Math.min(wait * 2, backoffMs.most);
        await sleep(wait, undefined, { signal: this.#gone.signal });
      }
      if (this.#deleting) await this.#finalize();
    } catch (error) {
      if (!this.#gone.signal.aborted) this.#parts.onError(error);
    }
  }

  /** Tries until it succeeds, or the pod goes: a service account or a config map may come later than the pod. */
  async #prepare(): Promise<void> {
    const { api, folder, machine, server } = this.#parts;
    const hostPaths = new Map([['/run/api.sock', machine.socketPath]]);
    await mkdir(folder, { recursive: true });
    this.#gate = await openGate(server);
    this.#gate.set(this.#cut);
    for (const { containerPort } of this.#container.ports ?? []) this.#ports.set(containerPort, await freePort());
    while (this.#volumes === undefined && !this.#deleting) {
      try {
        this.#volumes = await mountVolumes(api, this.pod, folder, hostPaths);
      } catch (error) {
        if (!(error instanceof ApiError || error instanceof ApiUnreachable)) throw error;
        this.#reporter.become({ waiting: 'CreateContainerConfigError' });
        await sleep(500, undefined, { signal: this.#gone.signal });
      }
    }
    void this.#keepTokens();
  }

  /** Runs the program once, to its end. */
  async #once(): Promise<number> {
    const { app, children, log, machine, node } = this.#parts;
    const mounts = this.#volumes?.mounts ?? new Map<string, string>();
    const container = this.#container;
    const onHost = mounts.has('/run/api.sock');
    const names = (flag: string) => container.args?.some((arg) => arg === flag || arg.startsWith(`${flag}=`)) ?? false;
    const extraArgs = onHost ? [`--boot-id-file=${machine.bootIDFile}`] : [];
    if (onHost && !names('--socket')) extraArgs.unshift(`--socket=${machine.socketPath}`);
    const extraEnv = {
      HOME: this.#parts.folder,
      KUBERNETES_SERVICE_HOST: this.#gate?.host ?? '',
      KUBERNETES_SERVICE_PORT: String(this.#gate?.port ?? ''),
      LOCKKEEPER_SERVICE_ACCOUNT_DIR: mounts.get(serviceAccountMount) ?? '',
    };
    const ports = this.#ports;
    const command = commandOf({ pod: this.pod, container, mounts, app, node, ports, hostIP: machine.ip, extraArgs, extraEnv });
    const child = await children.spawn({ name: this.name, ...command, log, cwd: this.#parts.folder });
    this.#child = child;
    // What was asked for while it started counts too.
    if (!this.#up || this.#held || this.#deleting || this.#gone.signal.aborted) await child.stop(0);
    this.#reporter.become({ startedAt: new Date().toISOString(), waiting: undefined, ready: false });
    const probe = container.readinessProbe?.httpGet;
    const probing = watchReadiness(child, {
      url: probe === undefined ? undefined : `${this.#probedPort(probe.port)}${probe.path ?? '/'}`,
      everyMs: (container.readinessProbe?.periodSeconds ?? 10) * 1000,
      signal: this.#gone.signal,
      onChange: (ready) => this.#reporter.become({ ready: ready && this.#up }),
    });
    const ending = await child.ended;
    this.endings.push(ending);
    await probing;
    return ending.code ?? 137;
  }

  #probedPort(port: string | number): string {
    return typeof port === 'string' ? this.url(port) : `http://127.0.0.1:${this.#ports.get(port) ?? port}`;
  }

  /** Whether a program that has ended stays so; what the power or a test has ended does not count. */
  #isOver(exitCode: number): boolean {
    const { restartPolicy = 'Always' } = this.pod.spec;
    if (restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && exitCode !== 0)) return false;
    this.#reporter.become({ ready: false, ended: { exitCode, finishedAt: new Date().toISOString() } });
    return true;
  }

  async #keepTokens(): Promise<void> {
    while (!this.#gone.signal.aborted) {
      const wait = Math.min(Math.max((this.#volumes?.renewAt ?? 0) - Date.now(), 1000), 3_600_000);
      await sleep(wait, undefined, { signal: this.#gone.signal, ref: false }).catch(() => undefined);
      if (this.#up && Date.now() >= (this.#volumes?.renewAt ?? 0)) await this.renewTokens().catch(() => undefined);
    }
  }

  /** The process has ended: now the pod may go, where its kubelet is there to say so. */
  async #finalize(): Promise<void> {
    while (!this.#up && !this.#gone.signal.aborted) await this.#changed.promise;
    const end = () => this.#parts.api.delete(podPath(this.pod), { gracePeriodSeconds: 0, preconditions: { uid: this.uid } });
    await persist(end, { signal: this.#gone.signal, settledBy: [404, 409] });
  }

  /** False where the pod is being deleted or gone. */
  async #until(condition: () => boolean): Promise<boolean> {
    const over = () => this.#gone.signal.aborted || (this.#deleting && !this.#child?.running);
    while (!condition() && !over()) await this.#changed.promise;
    return !over();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
