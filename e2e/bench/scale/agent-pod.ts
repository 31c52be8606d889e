import { setTimeout as sleep } from 'node:timers/promises';
import packageJson from '../../../package.json' with { type: 'json' };
import { createLog } from '../../../src/agent/log.ts';
import { runAgent } from '../../../src/agent/run-agent.ts';
import { systemClock } from '../../../src/kube/clock.ts';
import type { Credentials } from '../../../src/kube/credentials.ts';
import type { Api } from '../../bed/api.ts';
import type { PodObject } from '../../bed/pod-object.ts';
import { PodReporter } from '../../bed/pod-reporter.ts';

export interface AgentPodParts {
  /** As the bed, with the kubelet's part in mind. */
  readonly api: Api;
  readonly ip: string;
  /** Where agents reach the API server. */
  readonly server: URL;
  readonly ca: string;
  readonly socketPath: string;
  readonly bootID: () => string;
  readonly onError: (error: unknown) => void;
}

/** A day: nobody measures how the bed renews tokens. */
const tokenSeconds = 86_400;
const restartMs = 1_000;

/** The pod of one agent: the real agent's code in this process, and what its kubelet does for it. */
export class AgentPod {
  readonly #parts: AgentPodParts;
  readonly #pod: PodObject;
  readonly #reporter: PodReporter;
  readonly #gone = new AbortController();
  #token: Promise<string> | undefined;
  #run: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;
  #starts = 0;
  #failed = 0;

  constructor(pod: PodObject, parts: AgentPodParts) {
    this.#parts = parts;
    this.#pod = pod;
    this.#reporter = new PodReporter(pod, { api: parts.api, ip: parts.ip, signal: this.#gone.signal, onError: parts.onError });
  }

  get running(): boolean {
    return this.#run !== undefined;
  }

  /** How often the agent has ended by itself. */
  get failed(): number {
    return this.#failed;
  }

  /** The machine is up: the agent starts. */
  up(): void {
    if (this.#run !== undefined || this.#gone.signal.aborted) return;
    const stop = new AbortController();
    this.#run = { stop, ended: this.#keepRunning(stop.signal) };
    this.#reporter.become({ startedAt: new Date().toISOString(), ready: true, restarts: this.#starts });
    this.#starts += 1;
  }

  /** The machine is down: the agent ends. */
  async down(): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    run?.stop.abort(new Error('the machine is down'));
    await run?.ended;
    this.#reporter.become({ ready: false });
  }

  async end(): Promise<void> {
    this.#gone.abort();
    await this.down();
    await this.#reporter.settled();
  }

  async #keepRunning(signal: AbortSignal): Promise<void> {
    const { socketPath, bootID } = this.#parts;
    const node = this.#pod.spec.nodeName ?? '';
    const write = (line: string): void => void process.stdout.write(line);
    while (!signal.aborted) {
      try {
        await runAgent({
          node,
          version: packageJson.version,
          credentials: this.#credentials(),
          socketPath,
          hostNamesServer: true,
          readBootID: async () => bootID(),
          clock: systemClock,
          logger: createLog({ level: 'warn', clock: systemClock, write, base: { node } }),
          random: Math.random,
          signal,
        });
      } catch (error) {
        this.#failed += 1;
        process.stdout.write(`${JSON.stringify({ node, msg: 'the agent ended', error: String(error) })}\n`);
        await sleep(restartMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #credentials(): Credentials {
    const { ca, server } = this.#parts;
    return {
      server,
      tls: async () => ({ ca }),
      authorization: async () => {
        this.#token ??= this.#requestToken();
        try {
          return `Bearer ${await this.#token}`;
        } catch (error) {
          this.#token = undefined;
          throw error;
        }
      },
      refresh: () => {
        this.#token = undefined;
      },
    };
  }

  /** Bound to the pod, and so to its node, as a kubelet's is. */
  async #requestToken(): Promise<string> {
    const { namespace, name, uid } = this.#pod.metadata;
    const account = this.#pod.spec.serviceAccountName ?? 'default';
    const answer = await this.#parts.api.create<{ status: { token: string } }>(
      `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: tokenSeconds, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } },
      },
    );
    return answer.status.token;
  }
}
