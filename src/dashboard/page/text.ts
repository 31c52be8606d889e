/**
 * Somebody else's text made fit to be looked at: control characters and those that turn the direction of what follows are shown as
 * a replacement character, so that no name can pass for another. Line breaks and tabs stay.
 */
export const visible = (text: string): string =>
  text.replace(/[^\P{Cc}\n\t]|[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu, '\ufffd');

/** A node's name without the domain that all names of a cloud share: `ip-10-0-1-2.eu-west-1.compute.internal` → `ip-10-0-1-2`. */
export function shortName(name: string): string {
  const [first = name] = name.split('.');
  return /^\d+$/.test(first) ? name : first;
}

/** A count with its noun: `1 node`, `2 nodes`. */
export const counted = (count: number, noun: string): string => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;

const HIDDEN = /\\u00[0189]|\\u007|\\[bf]|[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

/** Reads JSON of which every text can be looked at. */
export const parsed = (json: string): unknown =>
  HIDDEN.test(json) ? JSON.parse(json, (_, value: unknown) => (typeof value === 'string' ? visible(value) : value)) : JSON.parse(json);
