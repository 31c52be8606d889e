const MAX_NAMED = 5;

/** Things by their names, as a message has them: the first few, and how many more there are. */
export function listed<T>(things: readonly T[], nameOf: (thing: T) => string = String): string {
  const more = things.length > MAX_NAMED ? ` and ${things.length - MAX_NAMED} more` : '';
  return `${things.slice(0, MAX_NAMED).map(nameOf).join(', ')}${more}`;
}
