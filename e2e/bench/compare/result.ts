/** How far a contestant came. */
export type Outcome =
  | { readonly state: 'Finished' }
  | { readonly state: 'DidNotFinish'; readonly why: string }
  /** It did not even begin. */
  | { readonly state: 'Failed'; readonly why: string };

/** What is known of one contestant: a column of the table. */
export interface Result {
  readonly name: string;
  readonly outcome: Outcome;
  /** By the names in figures.ts; null where there is none. */
  readonly figures: Readonly<Record<string, number | null>>;
  /** Requests of the rollout, by what they were. */
  readonly kinds: Readonly<Record<string, number>>;
  /** What its figures do not hold, or were taken with. */
  readonly notes: readonly string[];
}

/** A whole run. */
export interface Comparison {
  readonly machine: readonly string[];
  readonly command: string;
  readonly at: string;
  /** Nodes, pods, how many may be unavailable: one line each. */
  readonly setting: readonly string[];
  readonly results: readonly Result[];
}
