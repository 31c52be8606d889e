import type { Check } from '../api/check.ts';
import { checkName } from '../core/checks.ts';
import type { ChecksRequest } from '../core/command.ts';
import type { ChecksView } from '../core/world.ts';
import { type Clock, delay } from '../kube/clock.ts';
import { forEachBounded } from './bounded.ts';
import { CheckRunner, type CheckRunnerDeps } from './check-runner.ts';

/** What looking at checks needs. */
export interface ChecksDeps {
  client: CheckRunnerDeps['client'];
  clock: Clock;
  random: () => number;
  /** Milliseconds since the epoch by the API server's clock. */
  now: () => number;
  /** Wait between two looks, in milliseconds; jittered. */
  intervalMs: number;
  changed: () => void;
}

/** One check may take so long, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** Checks of one policy that are looked at at once. */
const CONCURRENCY = 4;

interface Look {
  request: ChecksRequest;
  view: ChecksView | undefined;
  stop: AbortController;
}

/** Looks at the checks of the policies that wait for them, again and again, and at no others. */
export class Checks {
  readonly #deps: ChecksDeps;
  readonly #runner: CheckRunner;
  readonly #looks = new Map<string, Look>();
  readonly #running = new Set<Promise<void>>();

  constructor(deps: ChecksDeps) {
    this.#deps = deps;
    this.#runner = new CheckRunner(deps);
  }

  /** Looks at these, and at no others. What was seen of one that is not wanted any more is forgotten: when it is again, it is looked at anew. */
  want(requests: readonly ChecksRequest[]): void {
    const wanted = new Map(requests.map((request) => [request.policy, request]));
    for (const [policy, { request, stop }] of this.#looks) {
      if (wanted.get(policy)?.generation === request.generation) continue;
      stop.abort();
      this.#looks.delete(policy);
    }
    for (const [policy, request] of wanted) if (!this.#looks.has(policy)) this.#begin(policy, request);
  }

  /** What the checks that have been looked at came to, by their policy's uid. */
  snapshot(): Map<string, ChecksView> {
    const seen = new Map<string, ChecksView>();
    for (const [policy, { view }] of this.#looks) if (view !== undefined) seen.set(policy, view);
    return seen;
  }

  /** Looks at nothing any more; resolves when the last look has ended. */
  async stop(): Promise<void> {
    this.want([]);
    await Promise.all(this.#running);
  }

  #begin(policy: string, request: ChecksRequest): void {
    const look: Look = { request, view: undefined, stop: new AbortController() };
    this.#looks.set(policy, look);
    const run = this.#run(look).then(() => {
      this.#running.delete(run);
    });
    this.#running.add(run);
  }

  async #run(look: Look): Promise<void> {
    const { clock, random, now, intervalMs, changed } = this.#deps;
    const { signal } = look.stop;
    while (!signal.aborted) {
      // What was true when the look began is as old as its beginning.
      const at = now();
      const failed = await this.#failed(look.request.checks, signal);
      if (signal.aborted) return;
      look.view = { generation: look.request.generation, at, ...(failed !== undefined && { failed }) };
      changed();
      await delay(clock, intervalMs * (0.8 + 0.4 * random()), signal);
    }
  }

  /** The first check that does not hold, and what it saw. */
  async #failed(checks: readonly Check[], signal: AbortSignal): Promise<string | undefined> {
    const failures = new Map<Check, string>();
    await forEachBounded(checks, CONCURRENCY, async (check) => {
      const saw = await this.#runner.look(check, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
      if (saw !== undefined) failures.set(check, saw);
    });
    const first = checks.find((check) => failures.has(check));
    if (first === undefined) return undefined;
    const more = failures.size > 1 ? ` (${failures.size} of ${checks.length} checks fail)` : '';
    return `${checkName(first)}: ${failures.get(first)}${more}`;
  }
}
