import { kindPath, NODE_HOST } from '../api/kinds.ts';
import type { Answer, NodeHostStatus } from '../api/node-host.ts';
import { backoffMs } from '../kube/backoff.ts';
import type { KubeClient } from '../kube/client.ts';
import { type Clock, delay } from '../kube/clock.ts';
import { CredentialsError } from '../kube/credentials.ts';
import { ApiError, ApiProtocolError, ApiUnreachableError, isConflict, isNotFound } from '../kube/errors.ts';
import type { Logger } from '../kube/logger.ts';
import { type Change, Reflector } from '../kube/reflector.ts';
import { isSameOrder, type Letter, type LetterOrder, parseLetter } from './letter.ts';
import { mergePatchBetween, type Notebook, type StatusChanges, withChanges } from './notebook.ts';

/** What the letterbox needs of a Kubernetes client. */
export type LetterboxClient = Pick<KubeClient, 'get' | 'mergePatch' | 'listPages' | 'watch'>;

export interface LetterboxOptions {
  readonly client: LetterboxClient;
  /** The node's name, which is the NodeHost's. */
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Called after each change of the NodeHost, also one of our own. */
  readonly onChange: () => void;
  /** How long a write is tried before it fails. Default 2 minutes. */
  readonly patienceMs?: number;
}

/** There is no NodeHost to write to (any more); the watch tells when there is one. */
export class LetterboxGone extends Error {
  override readonly name = 'LetterboxGone';
}

const writeBackoff = { baseMs: 500, maxMs: 10_000, jitter: 0.5 };
const maxFenceTries = 5;
/** The order may be changed while an answer is written; the next try is made at once, so often. */
const maxConflicts = 5;

/** Our own NodeHost: one watch of it, and the writes to its status, of which we are the only author. */
export class Letterbox implements Notebook {
  readonly #options: LetterboxOptions;
  readonly #reflector: Reflector<Letter>;
  readonly #path: string;
  readonly #statusPath: string;
  #noted: StatusChanges = {};

  constructor(options: LetterboxOptions) {
    this.#options = options;
    this.#path = kindPath(NODE_HOST, options.name);
    this.#statusPath = kindPath(NODE_HOST, options.name, 'status');
    this.#reflector = new Reflector({
      client: options.client,
      path: kindPath(NODE_HOST),
      query: { fieldSelector: `metadata.name=${options.name}` },
      mode: 'stream',
      project: parseLetter,
      onChange: (change) => this.#changed(change),
      logger: options.logger,
      clock: options.clock,
      random: options.random,
    });
  }

  /** Watches until `signal` is aborted. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    return this.#reflector.run(signal);
  }

  /** undefined: there is none yet, or none any more. */
  get letter(): Letter | undefined {
    return this.#reflector.items.get(this.#options.name);
  }

  get status(): NodeHostStatus {
    return withChanges(this.letter?.status ?? {}, this.#noted);
  }

  note(changes: StatusChanges): void {
    this.#noted = { ...this.#noted, ...changes };
  }

  async write(changes: StatusChanges, signal: AbortSignal): Promise<void> {
    this.note(changes);
    const { clock, random, patienceMs = 120_000 } = this.#options;
    const deadline = clock.monotonic() + patienceMs;
    let conflicts = 0;
    for (let failures = 1; ; failures += 1) {
      if (this.letter === undefined) throw new LetterboxGone('there is no NodeHost of our name');
      try {
        // One that arrives long after it was sent must not undo what was written since.
        await this.#patch(this.letter, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (isNotFound(error)) throw new LetterboxGone('our NodeHost is gone', { cause: error });
        if (isConflict(error)) {
          conflicts += 1;
          await this.#read(signal).catch(() => signal.throwIfAborted());
          if (conflicts <= maxConflicts) continue;
        }
        const waitMs = backoffMs(writeBackoff, failures, random);
        if (!(isConflict(error) || mayPass(error)) || clock.monotonic() + waitMs >= deadline) throw error;
        this.#options.logger.warn({ error, waitMs: Math.round(waitMs) }, 'cannot write the status yet');
        await delay(clock, waitMs, signal);
        signal.throwIfAborted();
      }
    }
  }

  /**
   * The fence: writes an answer to an order, and all that was noted, only if the order still stands as it was seen.
   * Resolves with false where it does not; nothing was written then. After true it cannot be changed unseen: whoever
   * writes another order sees this answer.
   */
  async fence(order: LetterOrder, answer: Answer, signal: AbortSignal): Promise<boolean> {
    let letter = this.letter;
    for (let tries = 1; ; tries += 1) {
      if (letter === undefined || !isSameOrder(letter.order, order)) return false;
      // A write of ours that got through, and whose answer did not.
      if (tries > 1 && letter.status.answer?.id === answer.id && letter.status.answer.state === answer.state) return true;
      this.note({ answer });
      try {
        await this.#patch(letter, signal);
        return true;
      } catch (error) {
        this.#forgetNoted({ answer });
        signal.throwIfAborted();
        if (isNotFound(error)) return false;
        if (!(isConflict(error) || mayPass(error)) || tries >= maxFenceTries) throw error;
        if (!isConflict(error)) await delay(this.#options.clock, backoffMs(writeBackoff, tries, this.#options.random), signal);
        letter = await this.#read(signal);
      }
    }
  }

  /** Writes what was noted, under the resourceVersion that was seen. */
  async #patch(letter: Letter, signal: AbortSignal): Promise<void> {
    const sent = this.#noted;
    const status = mergePatchBetween(letter.status, withChanges(letter.status, sent));
    if (status !== undefined) {
      const patch = { metadata: { resourceVersion: letter.resourceVersion }, status };
      this.#reflector.observe(await this.#options.client.mergePatch(this.#statusPath, patch, { signal }));
    }
    this.#forgetNoted(sent);
  }

  /** Drops notes that are written, or taken back; what was noted since under the same name stays. */
  #forgetNoted(changes: StatusChanges): void {
    const done: Readonly<Record<string, unknown>> = changes;
    this.#noted = Object.fromEntries(Object.entries(this.#noted).filter(([name, value]) => done[name] !== value));
  }

  async #read(signal: AbortSignal): Promise<Letter | undefined> {
    try {
      const raw = await this.#options.client.get(this.#path, { signal });
      this.#reflector.observe(raw);
      return parseLetter(raw);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #changed(change: Change<Letter>): void {
    if (change.type === 'delete') this.#carryOver(change.previous);
    this.#options.onChange();
  }

  /** Our NodeHost is gone, and the node may get another: what we know of the host holds on, what we answered does not. */
  #carryOver({ status }: Letter): void {
    const { answer: _answer, ...known } = status;
    const { answer: _noted, ...noted } = this.#noted;
    this.#noted = { ...known, ...noted };
  }
}

/** The same write may succeed later. A refusal may come from a token of the node's former life (401, 403, 422), which is about to be replaced. */
function mayPass(error: unknown): boolean {
  if (error instanceof ApiError) return error.retryable || [401, 403, 422].includes(error.status);
  return error instanceof ApiUnreachableError || error instanceof ApiProtocolError || error instanceof CredentialsError;
}
