import type { SettingsStore } from './settings-store.ts';
import type { Delay, Timers } from './timers.ts';

/** What the updater reads from its own configuration file. A value is absent where the datastore has none. */
export interface UpdaterConfig {
  versionLock: string | undefined;
  ignoreWaves: boolean | undefined;
  seed: number | undefined;
}

/** The configuration files of updater and dispatcher, rendered some time after each commit, one after the other, in any order. */
export class RenderedConfig {
  readonly #settings: SettingsStore;
  readonly #random: () => number;
  #updater: UpdaterConfig = { versionLock: undefined, ignoreWaves: undefined, seed: undefined };
  #dispatcherLock: string | undefined;

  constructor(settings: SettingsStore, random: () => number) {
    this.#settings = settings;
    this.#random = random;
    this.renderAll();
  }

  get updater(): UpdaterConfig {
    return this.#updater;
  }

  /** The version lock as the dispatcher knows it, from a file of its own. */
  get dispatcherLock(): string | undefined {
    return this.#dispatcherLock;
  }

  renderAll(): void {
    this.#renderUpdater();
    this.#renderDispatcher();
  }

  renderAfter(delay: Delay, timers: Pick<Timers, 'after' | 'draw'>): void {
    const steps = [() => this.#renderUpdater(), () => this.#renderDispatcher()];
    if (this.#random() < 0.5) steps.reverse();
    const [first, second] = steps as [() => void, () => void];
    const wait = timers.draw(delay);
    timers.after(wait, () => {
      first();
      timers.after(wait / 20, second);
    });
  }

  #renderUpdater(): void {
    this.#updater = {
      versionLock: this.#settings.value('updates', 'version-lock') as string | undefined,
      ignoreWaves: this.#settings.value('updates', 'ignore-waves') as boolean | undefined,
      seed: this.#settings.value('updates', 'seed') as number | undefined,
    };
  }

  #renderDispatcher(): void {
    this.#dispatcherLock = this.#settings.value('updates', 'version-lock') as string | undefined;
  }
}
