/** One measured value, as `bench/latest.json` has it. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Such as `<= 1`; null: for information. */
  readonly goal: string | null;
  readonly holds: boolean;
}

/** What a figure was made of: lines of text under a heading. */
export interface Note {
  readonly title: string;
  readonly lines: readonly string[];
}

export interface Outcome {
  readonly figures: readonly Figure[];
  readonly notes: readonly Note[];
}

/** What every family of figures gets. */
export interface BenchContext {
  /** The folder that stands for the image's /app. */
  readonly app: string;
  /** Aborted where a person ends the run. */
  readonly signal: AbortSignal;
  /** How long idle traffic is counted. */
  readonly idleSeconds: number;
  /** Tells a person what is being done. */
  say(text: string): void;
}

/** A family that this machine cannot measure; the message says why. It is no failure, and the record says so. */
export class CannotRunHere extends Error {
  override readonly name = 'CannotRunHere';
}

/** Figures that are measured together, on one bed. */
export interface Family {
  readonly name: string;
  readonly figures: readonly string[];
  /** @throws CannotRunHere */
  run(context: BenchContext): Promise<Outcome>;
}

/** A figure that must not be above its goal. What is printed is what is judged. */
export function atMost(limit: number, name: string, unit: string, value: number, digits: number): Figure {
  const rounded = round(value, digits);
  return { name, value: rounded, unit, goal: `<= ${limit}`, holds: rounded <= limit };
}

/** A figure without a goal. */
export function forInformation(name: string, unit: string, value: number, digits: number): Figure {
  return { name, value: round(value, digits), unit, goal: null, holds: true };
}

/** The value in the middle, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [low, high] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  if (low === undefined || high === undefined) throw new RangeError('there is no median of nothing');
  return (low + high) / 2;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
