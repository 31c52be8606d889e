/** Orders two resourceVersions (decimal integers of any length): negative, 0 or positive. */
export function compareResourceVersions(a: string, b: string): number {
  // No leading zeros, so a longer one is a greater one; no BigInt for each object that is kept.
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

export const isResourceVersion = (value: string): boolean => /^[1-9]\d*$|^0$/.test(value);
