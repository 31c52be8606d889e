import { type Clock, onAbort } from './clock.ts';

/** `silent`: a watch said nothing for too long. `nothing`: one that should have begun with an object's state did not. */
export type Silence = 'silent' | 'nothing';

/** Ends a watch that says nothing for too long: a dead peer, or a server that forgot us. */
export interface WatchGuard {
  /** For the watch: aborted by the outer signal, and by silence. */
  readonly signal: AbortSignal;
  /** The server has accepted the watch: from now on it should speak. */
  opened(): void;
  heard(isBookmark: boolean): void;
  heardAnything(): boolean;
  /** The silence that ended the watch, if one did. */
  silence(): Silence | undefined;
  stop(): void;
}

// A server sends a bookmark a minute; one of 1.30 sends none before a kind's first event.
const silenceAfterBookmarkMs = 3 * 60_000;
const silenceWithoutBookmarkMs = 10 * 60_000;
const settleMs = 2_000;

/** `stream`: the watch begins with an object's state; it has two seconds for it. */
export function watchGuard(clock: Clock, outer: AbortSignal, stream: boolean): WatchGuard {
  const controller = new AbortController();
  const unlink = onAbort(outer, () => controller.abort(outer.reason));
  let silence: Silence | undefined;
  let anything = false;
  let bookmark = false;
  let cancel = (): void => {};
  const arm = (ms: number, kind: Silence): void => {
    cancel();
    cancel = clock.setTimeout(() => {
      silence = kind;
      controller.abort(new Error('the watch is silent'));
    }, ms);
  };
  return {
    signal: controller.signal,
    opened: () => (stream ? arm(settleMs, 'nothing') : arm(silenceWithoutBookmarkMs, 'silent')),
    heard(isBookmark) {
      anything = true;
      bookmark ||= isBookmark;
      arm(bookmark ? silenceAfterBookmarkMs : silenceWithoutBookmarkMs, 'silent');
    },
    heardAnything: () => anything,
    silence: () => silence,
    stop() {
      cancel();
      unlink();
    },
  };
}
