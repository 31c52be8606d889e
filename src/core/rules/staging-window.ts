import { hurries, pass, type Rule } from './rule.ts';
import { whyClosed } from './window.ts';

/** Holds a download while the policy's schedule is closed, where the policy does not let nodes download then. */
export const stagingWindow: Rule = (candidate) =>
  candidate.facts.view.spec.staging.outsideWindow || hurries(candidate) ? pass : whyClosed(candidate.facts);
