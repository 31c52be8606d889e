import type { Clock } from './clock.ts';
import { CredentialsError } from './credentials.ts';
import { readText } from './read-text.ts';

/** A small file that others renew. */
export interface CachedFile {
  /** The content, read again when it is older than the maximum. Where that fails, the last one known; CredentialsError when there is none. */
  read(): Promise<string>;
  /** The next `read` looks at the file. */
  refresh(): void;
}

/** Reads `path` at most once per `maxAgeMs`. */
export function cachedFile(path: string, clock: Clock, maxAgeMs = 60_000): CachedFile {
  let content: string | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  return {
    async read() {
      if (content !== undefined && clock.monotonic() - readAt < maxAgeMs) return content;
      const startedAt = clock.monotonic();
      try {
        content = await readText(path);
        readAt = startedAt;
      } catch (cause) {
        if (content === undefined) throw new CredentialsError(`cannot read ${path}`, { cause, retryable: true });
      }
      return content;
    },
    refresh() {
      readAt = Number.NEGATIVE_INFINITY;
    },
  };
}
