import type { Api } from './api.ts';
import { persist } from './persist.ts';
import { type PodObject, podPath } from './pod-object.ts';
import { type ProcessState, podStatus } from './pod-status.ts';

export interface PodReporterParts {
  readonly api: Api;
  readonly ip: string;
  readonly signal: AbortSignal;
  readonly onError: (error: unknown) => void;
}

/** Keeps a pod's status in the API what its process is, and the newest version of the pod that anybody has shown. */
export class PodReporter {
  readonly #parts: PodReporterParts;
  #pod: PodObject;
  #state: ProcessState = { startedAt: undefined, ready: false, restarts: 0 };
  #unwritten = false;
  #writing: Promise<void> | undefined;

  constructor(pod: PodObject, parts: PodReporterParts) {
    this.#pod = pod;
    this.#parts = parts;
  }

  get pod(): PodObject {
    return this.#pod;
  }

  get state(): ProcessState {
    return this.#state;
  }

  become(change: { [K in keyof ProcessState]?: ProcessState[K] | undefined }): void {
    this.#state = { ...this.#state, ...change } as ProcessState;
    this.report();
  }

  /**
   * Takes a version of the pod, and repeats the report where it shows another readiness: the node lifecycle controller
   * sets it too. Answers to our own writes overtake the watch, and the other way round: false where it is an older one.
   */
  adopt(pod: PodObject): boolean {
    if (Number(pod.metadata.resourceVersion) < Number(this.#pod.metadata.resourceVersion)) return false;
    this.#pod = pod;
    const seen = pod.status?.conditions?.find((condition) => condition.type === 'Ready')?.status === 'True';
    if (this.#state.startedAt !== undefined && seen !== this.#state.ready) this.report();
    return true;
  }

  /** Writes the state as it is by then; several changes may become one write. */
  report(): void {
    this.#unwritten = true;
    this.#writing ??= this.#write()
      .catch((error: unknown) => {
        if (!this.#parts.signal.aborted) this.#parts.onError(error);
      })
      .finally(() => {
        this.#writing = undefined;
      });
  }

  /** Settles when nothing is being written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { api, ip, signal } = this.#parts;
    const { uid } = this.#pod.metadata;
    while (this.#unwritten && !signal.aborted) {
      this.#unwritten = false;
      const write = async () => {
        const status = podStatus(this.#pod, this.#state, ip, new Date().toISOString());
        const body = { metadata: { uid }, status };
        this.adopt(await api.patch<PodObject>(`${podPath(this.#pod)}/status`, body, 'strategic'));
      };
      // A conflict is about the uid: another pod of that name.
      await persist(write, { signal, settledBy: [404, 409] });
    }
  }
}
