/** Leaves out what is not set: thousands of nodes stay small. */
export function compact<T extends object>(all: { [Key in keyof T]-?: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as T;
}

/** The same; undefined where nothing is set. */
export function compactOrNothing<T extends object>(all: { [Key in keyof T]-?: T[Key] | undefined }): T | undefined {
  const set = compact<T>(all);
  return Object.keys(set).length === 0 ? undefined : set;
}
