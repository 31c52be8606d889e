import type { JobRef } from '../core/command.ts';
import type { JobView } from '../core/world.ts';
import { Reflector } from '../kube/reflector.ts';
import { jobOf } from './hook-job.ts';
import type { ReflectorDeps } from './reflectors.ts';

interface View {
  reflector: Reflector<JobView>;
  /** How the Job ended, kept where it was removed since. */
  ended: JobView | undefined;
  refused: JobView | undefined;
  stop: AbortController;
}

/** Jobs of the hooks that run now, each listed and watched by its name; nothing is watched while no hook runs. */
export class HookJobs {
  readonly #deps: ReflectorDeps;
  readonly #changed: () => void;
  readonly #views = new Map<string, View>();
  readonly #running = new Set<Promise<void>>();

  constructor(deps: ReflectorDeps, changed: () => void) {
    this.#deps = deps;
    this.#changed = changed;
  }

  /** Looks at these Jobs, and at no others. */
  want(jobs: readonly JobRef[]): void {
    const wanted = new Map(jobs.map((job) => [keyOf(job), job]));
    for (const [key, { stop }] of this.#views) {
      if (wanted.has(key)) continue;
      stop.abort();
      this.#views.delete(key);
    }
    for (const [key, job] of wanted) if (!this.#views.has(key)) this.#open(key, job);
  }

  /** What the Jobs that were looked at have come to, by `namespace/name`. */
  snapshot(): Map<string, JobView> {
    const jobs = new Map<string, JobView>();
    for (const [key, { reflector, ended, refused }] of this.#views) {
      const view = ended ?? reflector.items.get(key) ?? refused;
      if (view !== undefined) jobs.set(key, view);
      else if (reflector.synced) jobs.set(key, { state: 'Absent' });
    }
    return jobs;
  }

  /** Takes a Job that a read or a write of ours was answered with. */
  observe(job: JobRef, raw: unknown): void {
    this.#views.get(keyOf(job))?.reflector.observe(raw);
  }

  /** A Job cannot be made, for a reason that a person must look at. */
  refuse(job: JobRef, message: string): void {
    const view = this.#views.get(keyOf(job));
    if (view === undefined) return;
    view.refused = { state: 'Refused', message };
    this.#changed();
  }

  /** Looks at nothing any more; resolves when the last watch has ended. */
  async stop(): Promise<void> {
    this.want([]);
    await Promise.all(this.#running);
  }

  #open(key: string, job: JobRef): void {
    const stop = new AbortController();
    const reflector = new Reflector<JobView>({
      ...this.#deps,
      path: jobsPath(job.namespace),
      query: { fieldSelector: `metadata.name=${job.name}` },
      project: (raw) => jobOf(raw, job),
      onChange: ({ value }) => {
        if (value?.state === 'Succeeded' || value?.state === 'Failed') view.ended = value;
        if (reflector.synced) this.#changed();
      },
    });
    const view: View = { reflector, ended: undefined, refused: undefined, stop };
    this.#views.set(key, view);
    const synced = reflector.waitForSync(stop.signal).then(this.#changed, () => {});
    const run = Promise.all([reflector.run(stop.signal), synced]).then(() => {
      this.#running.delete(run);
    });
    this.#running.add(run);
  }
}

/** Where the Jobs of a namespace lie. */
export const jobsPath = (namespace: string): string => `/apis/batch/v1/namespaces/${encodeURIComponent(namespace)}/jobs`;

const keyOf = ({ namespace, name }: JobRef): string => `${namespace}/${name}`;
