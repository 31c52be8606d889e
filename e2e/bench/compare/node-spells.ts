/** What is looked at of a node, each time it changes. */
export interface NodeState {
  readonly unavailable: boolean;
  readonly osImage: string;
}

/** How long nodes were unavailable, and how many at once: from the first look at each, by the clock that is passed in. */
export class NodeSpells {
  readonly #states = new Map<string, NodeState>();
  readonly #since = new Map<string, number>();
  readonly #unavailableMs = new Map<string, number>();
  #most = 0;
  #first: number | undefined;
  #lastBack: number | undefined;

  /** @param at in ms */
  see(name: string, state: NodeState, at: number): void {
    this.#states.set(name, state);
    const since = this.#since.get(name);
    if (state.unavailable && since === undefined) {
      this.#since.set(name, at);
      this.#first ??= at;
      this.#most = Math.max(this.#most, this.#since.size);
    } else if (!state.unavailable && since !== undefined) {
      this.#since.delete(name);
      this.#unavailableMs.set(name, (this.#unavailableMs.get(name) ?? 0) + at - since);
      this.#lastBack = at;
    }
  }

  /** The node is no more. */
  forget(name: string): void {
    this.#states.delete(name);
    this.#since.delete(name);
  }

  /** What came before counts no more; a node that is unavailable now is so from now on. */
  reset(at: number): void {
    this.#unavailableMs.clear();
    for (const name of this.#since.keys()) this.#since.set(name, at);
    this.#most = this.#since.size;
    this.#first = this.#since.size > 0 ? at : undefined;
    this.#lastBack = undefined;
  }

  get unavailable(): readonly string[] {
    return [...this.#since.keys()];
  }

  get mostUnavailable(): number {
    return this.#most;
  }

  /** When the first node became unavailable, and the last one was back; in ms. */
  get firstUnavailableAt(): number | undefined {
    return this.#first;
  }

  get lastBackAt(): number | undefined {
    return this.#lastBack;
  }

  /** Whether the node is available and its kubelet says that it runs a version. */
  runs(name: string, version: string): boolean {
    const state = this.#states.get(name);
    return state !== undefined && !state.unavailable && state.osImage.startsWith(`Bottlerocket OS ${version} (`);
  }

  /** How long each node that has come back was unavailable altogether, in seconds. */
  get unavailableSeconds(): number[] {
    return [...this.#unavailableMs.values()].map((ms) => ms / 1000);
  }
}
