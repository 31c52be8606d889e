/** Makes one call of an action on a resource, counted and within its deadline; what went wrong is told by the errors of `errors.ts`. */
export type Call = <T>(action: string, resource: string, send: (abort: { abortSignal: AbortSignal }) => Promise<T>) => Promise<T>;

const MAX_PAGES = 200;

/** Everything that a paged call has, within a bound. */
export async function pages<T, Next = string>(
  read: (next: Next | undefined) => Promise<{ items: T[]; next: Next | undefined }>,
): Promise<T[]> {
  const all: T[] = [];
  let next: Next | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await read(next);
    all.push(...answer.items);
    next = answer.next;
    if (next === undefined) break;
  }
  return all;
}

/** The items in pieces of at most `size`. */
export function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
