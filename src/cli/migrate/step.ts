import type { Right } from '../errors.ts';
import type { Found } from './found.ts';

/** One write of a migration. */
export interface Write {
  kind: 'write';
  /** `Deployment brupop-bottlerocket-aws/brupop-controller-deployment`. */
  object: string;
  /** What becomes of it: a line for each change, with what was there before. */
  changes: readonly string[];
  method: 'create' | 'mergePatch' | 'delete';
  path: string;
  body: object;
  right: Right;
  /** What is found once it is made. */
  leaves: Found;
}

/** What a migration does next, by what it finds: any call may be the first after another one was killed. */
export type Step =
  | Write
  /** Something that others do now. */
  | { kind: 'wait'; for: string; leaves: Found }
  /** Nothing can be done as it is; with what is found once it has passed, where that comes by itself. */
  | { kind: 'refuse'; message: string; leaves?: Found }
  | { kind: 'done' };

/** A step by what is found. */
export type Next = (found: Found) => Step;

/** More steps than any migration has. */
const MAX_STEPS = 200;

/** Every write that is left, in its order, as things stand. */
export function writesLeft(next: Next, found: Found): Write[] {
  const writes: Write[] = [];
  let now = found;
  for (let steps = 0; steps < MAX_STEPS; steps += 1) {
    const step = next(now);
    if (step.kind === 'done' || step.leaves === undefined) break;
    if (step.kind === 'write') writes.push(step);
    now = step.leaves;
  }
  return writes;
}
