const longestWords = 1_000;

/**
 * Somebody else's text made fit for a status or a log: one line, no control or invisible direction characters,
 * at most 1,000 characters. Of a longer text the end is kept, where programs say what went wrong.
 */
export function plainWords(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\s]+/gu, ' ').trim();
  return line.length <= longestWords ? line : `…${line.slice(1 - longestWords)}`;
}
