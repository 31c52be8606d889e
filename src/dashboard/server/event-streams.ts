import type { ServerResponse } from 'node:http';
import type { Clock } from '../../kube/clock.ts';
import type { Changes, Snapshot } from '../wire.ts';

/** From one event to the next at least; what changes meanwhile is sent as one. The first change after a rest is sent at once. */
export const TOGETHER_MS = 50;
/** So often a comment is sent to those that hear nothing else; whoever has not read what came before by then is cut off. */
export const KEEP_ALIVE_MS = 15_000;
/** Tabs that may be open at once: a browser has six connections for one host, and with six streams nothing else got through. */
export const MAX_STREAMS = 5;
/** What one that does not read may be behind by, besides its snapshot. */
export const MAX_BACKLOG_BYTES = 8 * 1024 * 1024;

/** Where events come from. */
export interface EventSource {
  /** All that there is to show. */
  snapshot(): Omit<Snapshot, 'type' | 'seq'>;
  /** What has changed since the last call; undefined where nothing has. */
  takeChanges(): Omit<Changes, 'type' | 'seq'> | undefined;
}

/** The streams of server-sent events that are open. */
export interface EventStreams {
  /** Makes an answer a stream, until either side ends it; false where there are too many already, and nothing was answered. */
  open(response: ServerResponse): boolean;
  /** Something may have changed. */
  changed(): void;
  /** How many are open. */
  readonly size: number;
  /** Ends all of them. */
  close(): void;
}

interface Stream {
  response: ServerResponse;
  /** Bytes of the snapshot: it may lie in the backlog as a whole. */
  allowance: number;
  /** Has not taken what was written before the last keep-alive. */
  behind: boolean;
}

/** Tells every page that is open the same changes, each at its own pace; one that does not read is cut off, and begins anew when it returns. */
export function eventStreams(source: EventSource, clock: Clock): EventStreams {
  const streams = new Set<Stream>();
  let seq = 0;
  let closed = false;
  let flushedAt = Number.NEGATIVE_INFINITY;
  let cancelFlush: (() => void) | undefined;
  let cancelBeat: (() => void) | undefined;

  const cut = (stream: Stream): void => {
    streams.delete(stream);
    stream.response.destroy();
  };
  const write = (stream: Stream, text: string): void => {
    if (stream.response.write(text)) return;
    if (stream.response.writableLength > MAX_BACKLOG_BYTES + stream.allowance) cut(stream);
  };
  /** Takes what has changed, also where nobody listens, so that snapshot and sequence go together. */
  const flush = (): void => {
    cancelFlush?.();
    cancelFlush = undefined;
    flushedAt = clock.now();
    const changes = source.takeChanges();
    if (changes === undefined) return;
    seq += 1;
    if (streams.size === 0) return;
    const text = eventOf({ type: 'changes', seq, ...changes });
    for (const stream of streams) write(stream, text);
  };
  const beat = (): void => {
    for (const stream of streams) {
      if (stream.response.writableLength > 0 && stream.behind) cut(stream);
      else {
        stream.behind = stream.response.writableLength > 0;
        write(stream, ': still here\n\n');
      }
    }
    cancelBeat = streams.size === 0 ? undefined : clock.setTimeout(beat, KEEP_ALIVE_MS);
  };
  return {
    open(response) {
      if (streams.size >= MAX_STREAMS) return false;
      flush();
      const text = eventOf({ type: 'snapshot', seq, ...source.snapshot() });
      const stream: Stream = { response, allowance: Buffer.byteLength(text), behind: false };
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      response.once('close', () => streams.delete(stream));
      streams.add(stream);
      write(stream, text);
      cancelBeat ??= clock.setTimeout(beat, KEEP_ALIVE_MS);
      return true;
    },
    changed() {
      if (closed || cancelFlush !== undefined) return;
      // A clock that was set back makes nobody wait.
      const rest = Math.min(TOGETHER_MS, Math.max(0, flushedAt + TOGETHER_MS - clock.now()));
      cancelFlush = clock.setTimeout(flush, rest);
    },
    get size() {
      return streams.size;
    },
    close() {
      closed = true;
      cancelFlush?.();
      cancelBeat?.();
      for (const { response } of streams) response.end();
      streams.clear();
    },
  };
}

/** JSON has no line breaks of its own, so an event is one line. */
const eventOf = (event: Snapshot | Changes): string => `data: ${JSON.stringify(event)}\n\n`;
