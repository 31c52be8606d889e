import { type Clock, delay } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import type { HostCommand, UpdateStatus } from './host-answers.ts';
import type { HostClient, UpdateAction } from './host-client.ts';
import { HostBusy, HostCommandDied, HostCommandOvertaken, HostUnreachable } from './host-errors.ts';
import type { Notebook } from './notebook.ts';
import type { OrderFailed } from './order-failed.ts';
import { proofAfter, proofHolds, proofOf } from './proof.ts';
import { plainWords } from './words.ts';

/** Deadlines and rhythms of what the agent does on its host, in milliseconds. */
export interface HostTimings {
  /** How long each action may hold the lock. */
  readonly actionMs: Readonly<Record<UpdateAction, number>>;
  /** Between two looks at the lock: doubles from the first to the last. */
  readonly pollFirstMs: number;
  readonly pollLastMs: number;
  /** How long changed settings may take until a refresh follows them. */
  readonly settleMs: number;
  readonly settlePollMs: number;
  /** How long a program that is told to end may take to put the settings back. */
  readonly farewellMs: number;
  /** Between two tries of a reboot that the host refused. */
  readonly rebootRetryMs: number;
}

export const defaultHostTimings: HostTimings = {
  actionMs: { refresh: 180_000, prepare: 3_600_000, activate: 30_000, deactivate: 30_000 },
  pollFirstMs: 50,
  pollLastMs: 3_000,
  settleMs: 20_000,
  settlePollMs: 250,
  farewellMs: 10_000,
  rebootRetryMs: 30_000,
};

export interface UpdateHostOptions {
  readonly host: HostClient;
  readonly notebook: Notebook;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timings?: Partial<HostTimings>;
}

/** An action that ended, well or not, with the status it left. */
export interface ActionResult {
  readonly status: UpdateStatus;
  readonly command: HostCommand;
}

/** The host's update actions, one at a time, each run to its end, with the proof of what is staged kept along. */
export class UpdateHost {
  readonly client: HostClient;
  readonly notebook: Notebook;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timings: HostTimings;
  /** When the host last had news for us, on the monotonic clock. */
  refreshedAt: number | undefined;
  /** The host's news are those that it has with its waves ignored: what it sees without is not reported. */
  pastWaves = false;

  constructor(options: UpdateHostOptions) {
    this.client = options.host;
    this.notebook = options.notebook;
    this.clock = options.clock;
    this.logger = options.logger;
    this.timings = { ...defaultHostTimings, ...options.timings };
  }

  /** The update status as soon as no action runs. HostBusy where one still runs after `waitMs`. */
  async settledStatus(signal: AbortSignal, waitMs: number): Promise<UpdateStatus | undefined> {
    const deadline = this.clock.monotonic() + waitMs;
    for (let pollMs = this.timings.pollFirstMs; ; pollMs = Math.min(pollMs * 2, this.timings.pollLastMs)) {
      try {
        return await this.client.updateStatus(signal);
      } catch (error) {
        if (!(error instanceof HostBusy) || this.clock.monotonic() + pollMs >= deadline) throw error;
      }
      await delay(this.clock, pollMs, signal);
      signal.throwIfAborted();
    }
  }

  /**
   * Runs one action to its end and notes what it does to the proof. Resolves also where it failed; rejects with a
   * HostError where it did not run, or where nobody can tell how it ended.
   */
  async run(action: UpdateAction, signal: AbortSignal): Promise<ActionResult> {
    // A prepare clears the other partition first, and leaves no trace where it is killed: the old proof must go before.
    if (action === 'prepare' && this.notebook.status.staged) await this.notebook.write({ staged: null }, signal);
    const before = await this.#start(action, signal);
    // The first answer other than 423 is final: a command that is not to be seen there is dead.
    const status = await this.settledStatus(signal, this.timings.actionMs[action]);
    const command = status?.command;
    if (status === undefined || command === undefined || command.timestamp === before?.command?.timestamp) {
      throw new HostCommandDied(`${action}: accepted, and then there was no trace of it`);
    }
    if (command.type !== action) {
      this.notebook.note({ staged: null });
      throw new HostCommandOvertaken(`${action}: somebody else's ${plainWords(command.type)} came in between`);
    }
    this.notebook.note({ staged: proofAfter(this.notebook.status.staged, before, status) ?? null });
    this.logger.info({ action, succeeded: command.succeeded, state: status.state, said: plainWords(command.stderr) }, 'host action ended');
    return { status, command };
  }

  /** Asks for news. Resolves also where the refresh failed. `wavesIgnored`: the host ignores its waves now. */
  async refresh(signal: AbortSignal, wavesIgnored = false): Promise<ActionResult> {
    const result = await this.run('refresh', signal);
    // With settings of ours in force the host sees versions that are not open to it yet.
    const isNews = this.pastWaves ? wavesIgnored : this.notebook.status.savedSettings === undefined;
    if (result.command.succeeded && isNews) {
      this.notebook.note({ available: reportable(result.status.available) });
      this.refreshedAt = this.clock.monotonic();
    }
    return result;
  }

  /** Notes why the host gives no news; the same trouble again is none. */
  noteTrouble({ code, message }: OrderFailed): void {
    const { refreshError: before } = this.notebook.status;
    if (before?.code === code && before.message === message) return;
    this.notebook.note({ refreshError: { code, message, at: new Date(this.clock.now()).toISOString() } });
  }

  /** Drops a proof that holds no longer, and takes one that the host still shows and nobody wrote down. */
  reviewProof(status: UpdateStatus | undefined): void {
    const { staged } = this.notebook.status;
    if (staged && proofHolds(staged, status)) return;
    this.notebook.note({ staged: proofOf(status) ?? null });
  }

  /** Whether that very version is staged, by the host's own proof. */
  isProven(version: string, status: UpdateStatus | undefined): boolean {
    const { staged } = this.notebook.status;
    return staged?.version === version && proofHolds(staged, status);
  }

  async #start(action: UpdateAction, signal: AbortSignal): Promise<UpdateStatus | undefined> {
    // A prepare of an earlier life of ours may still be running.
    const deadline = this.clock.monotonic() + Math.max(this.timings.actionMs[action], this.timings.actionMs.refresh);
    for (;;) {
      const before = await this.settledStatus(signal, deadline - this.clock.monotonic());
      try {
        await this.client.start(action, signal);
        return before;
      } catch (error) {
        // Whether it was carried out shows in the status.
        if (error instanceof HostUnreachable && error.sent) return before;
        if (!(error instanceof HostBusy) || this.clock.monotonic() >= deadline) throw error;
      }
      await delay(this.clock, this.timings.pollFirstMs, signal);
    }
  }
}

const mostVersions = 64;
const longestVersion = 64;

function reportable(versions: readonly string[]): string[] {
  return versions.filter((version) => version.length <= longestVersion).slice(0, mostVersions);
}
