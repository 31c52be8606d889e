/**
 * How long news of a node wait for their answer: from a watch's event to the first request of the node's commands. Events that
 * ask for no command are forgotten with the decision that saw them; of several before one answer the first counts.
 */
export class AnswerTimes {
  readonly #monotonic: () => number;
  readonly #answered: (milliseconds: number) => void;
  readonly #waiting = new Map<string, number>();
  #hasNews = false;

  /** `monotonic` and what `answered` is told are in milliseconds. */
  constructor(monotonic: () => number, answered: (milliseconds: number) => void) {
    this.#monotonic = monotonic;
    this.#answered = answered;
  }

  /** Whether a watch has told of a node since the last decision. */
  get hasNews(): boolean {
    return this.#hasNews;
  }

  /** A watch has told of a node; what is told while the node is written to is mostly that write, and no news. */
  received(node: string, isWritten = false): void {
    if (!isWritten) this.#hasNews = true;
    if (!this.#waiting.has(node)) this.#waiting.set(node, this.#monotonic());
  }

  /** A decision that saw all that was received so far has commands for these nodes, and for no others. */
  decided(commanded: ReadonlySet<string>): void {
    this.#hasNews = false;
    for (const node of this.#waiting.keys()) if (!commanded.has(node)) this.#waiting.delete(node);
  }

  /** The node's next command is about to be sent. */
  sent(node: string): void {
    const since = this.#waiting.get(node);
    if (since === undefined) return;
    this.#waiting.delete(node);
    this.#answered(this.#monotonic() - since);
  }
}
