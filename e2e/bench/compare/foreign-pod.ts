import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApi } from '../../bed/api.ts';
import type { Bed } from '../../bed/bed.ts';
import { type Child, SpawnError } from '../../bed/children.ts';
import { kubeconfig } from '../../bed/control-plane.ts';
import type { PodObject } from '../../bed/pod-object.ts';
import { freePort } from '../../bed/ports.ts';
import type { ProgramSpec } from './contender.ts';
import { fill, placeholdersIn, type Values } from './placeholders.ts';

export interface ForeignPodParts {
  readonly bed: Bed;
  readonly program: ProgramSpec;
  /** Those that do not depend on the pod. */
  readonly values: Values;
  /** Where its command runs. */
  readonly cwd: string;
  /** For its own files. */
  readonly folder: string;
  /** The folder that stands for its host's root. */
  readonly root: string;
  /** In which its command finds kubectl, helm and this Node. */
  readonly path: string;
  readonly onEnd: (end: ProgramEnd) => void;
  readonly onError: (error: unknown) => void;
}

/** A program has ended by itself. */
export interface ProgramEnd {
  readonly program: string;
  readonly log: string;
  readonly how: string;
}

const backoffMs = { least: 200, most: 10_000 };
/** A program that has run so long begins with the least wait again. */
const forgottenAfterMs = 10_000;
const tokenSeconds = 86_400;

/** A contender's command as a process of this machine, for one pod that kwok plays; it has the pod's own token, and so its rights. */
export class ForeignPod {
  readonly #pod: PodObject;
  readonly #parts: ForeignPodParts;
  readonly #gone = new AbortController();
  #child: Child | undefined;
  #up: boolean;
  #changed = Promise.withResolvers<void>();
  readonly #finished: Promise<void>;

  constructor(pod: PodObject, up: boolean, parts: ForeignPodParts) {
    this.#pod = pod;
    this.#up = up;
    this.#parts = parts;
    this.#finished = this.#live();
  }

  get name(): string {
    return this.#pod.metadata.name;
  }

  get node(): string {
    return this.#pod.spec.nodeName ?? '';
  }

  /** Of its process group; undefined while it does not run. */
  get pid(): number | undefined {
    return this.#child?.running ? this.#child.pid : undefined;
  }

  /** The power is off. */
  down(): void {
    this.#up = false;
    void this.#child?.stop(0);
  }

  up(): void {
    this.#up = true;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** The pod is gone, or the bed ends. */
  async end(graceMs: number): Promise<void> {
    this.#gone.abort();
    this.up();
    await this.#child?.stop(graceMs);
    await this.#finished;
  }

  async #live(): Promise<void> {
    const { signal } = this.#gone;
    try {
      const values = await this.#prepare();
      let wait = backoffMs.least;
      while (!signal.aborted) {
        if (!this.#up) {
          await this.#changed.promise;
          continue;
        }
        const startedAt = performance.now();
        const how = await this.#once(values);
        if (signal.aborted || !this.#up) continue;
        this.#parts.onEnd({ program: this.#parts.program.name, log: this.#log, how });
        if (performance.now() - startedAt > forgottenAfterMs) wait = backoffMs.least;
        await sleep(wait, undefined, { signal });
        wait = Math.min(wait * 2, backoffMs.most);
      }
    } catch (error) {
      if (!signal.aborted) this.#parts.onError(error);
    }
  }

  get #log(): string {
    return this.#parts.bed.home.log(`other-${this.name}`);
  }

  /** Runs it to its end; says how it ended. */
  async #once(values: Values): Promise<string> {
    const { bed, program, cwd, folder, root, path: searched } = this.#parts;
    const [command = '', ...args] = program.command.map((text) => fill(text, values));
    const own = Object.entries(program.env).map(([name, text]) => [name, fill(text, values)] as const);
    const server = new URL(bed.client.access.server);
    const env = {
      PATH: `${path.join(root, 'bin')}:${searched}`,
      HOME: folder,
      KUBECONFIG: values.get('kubeconfig') ?? '',
      KUBERNETES_SERVICE_HOST: server.hostname,
      KUBERNETES_SERVICE_PORT: server.port,
      ...Object.fromEntries(own),
    };
    try {
      this.#child = await bed.home.children.spawn({ name: this.name, command, args, env, cwd, log: this.#log });
    } catch (error) {
      if (error instanceof SpawnError) return `${error.message}: ${error.cause instanceof Error ? error.cause.message : ''}`;
      throw error;
    }
    // What was asked for while it started counts too.
    if (!this.#up || this.#gone.signal.aborted) await this.#child.stop(0);
    const { code, signal } = await this.#child.ended;
    return signal === null ? `ended with ${code}` : `was ended by ${signal}`;
  }

  /** The files of a service account, as a kubelet would mount them, and what else its command names. */
  async #prepare(): Promise<Values> {
    const { bed, program, folder, root, values } = this.#parts;
    const { access } = bed.client;
    await mkdir(folder, { recursive: true });
    const file = (name: string) => path.join(folder, name);
    const token = await this.#token();
    await writeFile(file('token'), token, { mode: 0o600 });
    await writeFile(file('ca.crt'), access.ca ?? '');
    await writeFile(file('namespace'), this.#pod.metadata.namespace ?? '');
    await writeFile(file('kubeconfig'), kubeconfig({ ...access, token }), { mode: 0o600 });
    const machine = bed.machine(this.node);
    const all = new Map([
      ...values,
      ['kubeconfig', file('kubeconfig')],
      ['node', this.node],
      ['pod', this.name],
      ['socket', machine.socketPath],
      ['root', root],
      ['bootIdFile', machine.bootIDFile],
      ['serviceAccountDir', folder],
    ]);
    for (const name of [...program.command, ...Object.values(program.env)].flatMap(placeholdersIn)) {
      if (all.has(name)) continue;
      const [kind, of = ''] = name.split(':');
      if (kind === 'port') all.set(name, String(await freePort()));
      if (kind === 'token') {
        await writeFile(file(`token-${of}`), await this.#token(of), { mode: 0o600 });
        all.set(name, file(`token-${of}`));
      }
    }
    return all;
  }

  /** Bound to the pod, as a kubelet's is: the API server knows the node by it. */
  async #token(audience?: string): Promise<string> {
    const { name, namespace, uid } = this.#pod.metadata;
    const account = this.#pod.spec.serviceAccountName ?? 'default';
    const api = createApi(this.#parts.bed.client.access, 'bed');
    try {
      const { status } = await api.create<{ status: { token: string } }>(
        `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
        {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: {
            expirationSeconds: tokenSeconds,
            boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
            ...(audience !== undefined && { audiences: [audience] }),
          },
        },
      );
      return status.token;
    } finally {
      api.close();
    }
  }
}
