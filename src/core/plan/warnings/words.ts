/** How many names a message has at most. */
const MAX_NAMED = 10;

/** Names as people read them, not all of a long list. */
export const listed = (names: readonly string[]): string =>
  names.length > MAX_NAMED ? `${names.slice(0, MAX_NAMED).join(', ')} and ${names.length - MAX_NAMED} more` : names.join(', ');

/** `1 node is`, `2 nodes are`. */
export const nodesAre = (names: readonly string[], one: string, many: string): string =>
  names.length === 1 ? `1 node ${one}` : `${names.length} nodes ${many}`;
