/**
 * Text of others, as long as a sentence or a field bears it, in characters as JavaScript counts them. Half of a pair is written as the API
 * server would write it, so that what is read back is what was decided.
 */
export const shortened = (text: string, length = 80): string =>
  text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`;

/** What a message of a condition, a summary and the like may have: `textSchema`. */
export const LONGEST_TEXT = 2048;
