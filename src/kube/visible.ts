/** Characters that are not shown, but acted upon: controls (C0, DEL, C1), formats (direction marks among them), line separators, lone surrogates. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** The same without those that lay out the text of a program: line feeds, with a carriage return or without, and tabs. */
const UNSEEN_IN_LINES = /(?!\n|\t|\r\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** As JSON and YAML write it between double quotes. */
const escaped = (character: string): string => [...Array(character.length).keys()].map((unit) => escapedUnit(character, unit)).join('');
const escapedUnit = (character: string, unit: number): string => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`;

/** Somebody else's text on one line, with nothing in it that a terminal would act upon: such characters show as `\u001b`. */
export const visible = (text: string): string => text.replace(UNSEEN, escaped);

/** The same for a text of several lines. JSON stays the same JSON by it. */
export const visibleLines = (text: string): string => text.replace(UNSEEN_IN_LINES, escaped);

/** The same for each string in plain data, names of its fields among them. */
export function visibleIn<T>(value: T): T {
  const walk = (part: unknown): unknown => {
    if (typeof part === 'string') return visible(part);
    if (Array.isArray(part)) return part.map(walk);
    if (typeof part !== 'object' || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([name, of]) => [visible(name), walk(of)]));
  };
  return walk(value) as T;
}
