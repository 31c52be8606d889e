import { batch } from '@preact/signals';
import type { ServerEvent } from '../wire.ts';
import { type Api, ProblemError } from './api.ts';
import { eventLines } from './event-lines.ts';
import { applied } from './fleet.ts';
import { fleet, link, now } from './state.ts';
import { parsed } from './text.ts';

/** The server says something at least every 15 s: after so long without a word the stream is taken for dead. */
const SILENCE_MS = 45_000;
const RETRY_MS = [250, 1_000, 2_000, 5_000] as const;

/** Follows the server's events until `signal` is aborted, and opens the stream anew whenever it ends. */
export async function follow(api: Api, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      await readOnce(api, signal, () => {
        failures = 0;
      });
      lost();
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ProblemError && (error.problem.code === 'Unauthorized' || error.problem.code === 'Forbidden')) {
        link.value = { state: 'refused', since: Date.now(), message: error.message };
        return;
      }
      lost(error instanceof ProblemError ? error.message : undefined);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]));
    failures += 1;
  }
}

async function readOnce(api: Api, signal: AbortSignal, onEvent: () => void): Promise<void> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const take = eventLines();
    for await (const text of await api.events(AbortSignal.any([signal, silence.signal]))) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      for (const data of take(text)) {
        told(parsed(data) as ServerEvent);
        onEvent();
      }
    }
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

/** How far this browser's clock is behind the API server's. */
let offset = 0;

function told(event: ServerEvent): void {
  batch(() => {
    fleet.value = applied(fleet.value, event);
    if (link.value.state !== 'open') link.value = { state: 'open', since: Date.now() };
    offset = event.at - Date.now();
    tick();
  });
}

/** Lets what says how long ago something was grow old; to the second, so that nothing is drawn anew for less. */
export function tick(): void {
  const second = Math.floor((Date.now() + offset) / 1_000) * 1_000;
  if (now.value !== second) now.value = second;
}

function lost(message?: string): void {
  const since = link.value.state === 'lost' ? link.value.since : Date.now();
  link.value = { state: 'lost', since, ...(message !== undefined && { message }) };
}
