import type { Bed } from '../../bed/bed.ts';
import type { Part } from './foreign-pods.ts';

/** What a run does, the same for every contestant. */
export interface CompareOptions {
  readonly nodes: number;
  /** Pods of the workload, on average. */
  readonly podsPerNode: number;
  /** What each contestant is told. */
  readonly maxUnavailable: number;
  /** How long idle traffic is counted, in ms. */
  readonly idleMs: number;
  /** How long the rollout may take, in ms. */
  readonly timeoutMs: number;
}

export interface StageContext {
  readonly bed: Bed;
  readonly options: CompareOptions;
  readonly signal: AbortSignal;
  say(text: string): void;
  /** What the bed itself has got wrong: nothing that is measured counts any more. */
  readonly onError: (error: unknown) => void;
}

/** The release that nodes run, and the one that they are to run. */
export const from = '1.26.0';
export const to = '1.26.1';
/** Of the machines that are updated. */
export const workLabel = 'bench.lockkeeper.dev/work';
/** Of two machines that run another OS, for whatever must not move. */
export const infraLabel = 'bench.lockkeeper.dev/infra';

/** One of those that are compared: ourselves, or what a file describes. */
export interface Contestant {
  readonly name: string;
  /** What its figures do not hold, for under the table. */
  readonly caveats: readonly string[];
  /** What its nodes register with. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Puts it on a bed that has its nodes and pods; settles when it is ready. @throws ContestantError */
  enter(stage: StageContext): Promise<Entered>;
}

/** A contestant on its bed. */
export interface Entered {
  /** Of whose service accounts requests are counted. */
  readonly namespaces: readonly string[];
  readonly agentPods: ReadonlySet<string>;
  /** Process groups that run now. */
  groups(part: Part): number[];
  /** How often its programs have ended by themselves. */
  readonly restarts: number;
  /** What is to be done once the release is there. @throws ContestantError */
  begin(): Promise<void>;
  /** Where its own words are, when it did not finish. */
  lastWords(): Promise<string>;
  stop(): Promise<void>;
}

/** A contestant cannot be measured, by its own fault; the message says why and holds its last words. */
export class ContestantError extends Error {
  override readonly name = 'ContestantError';
}
