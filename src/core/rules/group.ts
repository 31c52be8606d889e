import { pass, type Rule } from './rule.ts';

/** Holds the nodes of later groups until the group whose turn it is has finished and soaked. */
export const group: Rule = ({ turn, member }) => (turn?.hold === undefined || member.group <= turn.group ? pass : turn.hold);
