import { knownBadFor } from '../bad-releases.ts';
import { pass, type Rule } from './rule.ts';

/** Holds a node while its target is marked bad for its policy. */
export const knownBad: Rule = ({ facts, node, version, reboot }) => (reboot === true ? pass : knownBadFor(facts, node, version));
