import { type Clock, onAbort } from '../kube/clock.ts';

/** A bell for one sleeper: what rings while nobody sleeps is heard at the next sleep. */
export class Wake {
  readonly #clock: Clock;
  #rung = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves when the bell rings, after `ms` (undefined: never by itself), or when `signal` is aborted. */
  async sleep(ms: number | undefined, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        const cancel = ms === undefined ? () => {} : this.#clock.setTimeout(resolve, ms);
        const unlink = onAbort(signal, resolve);
        this.#wake = () => {
          cancel();
          unlink();
          resolve();
        };
      });
      this.#wake?.();
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}
