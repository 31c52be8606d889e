import type { ServerEvent } from '../wire.ts';

/**
 * Reads the server's events until `signal` is aborted or the stream ends; the token goes as a header, which an EventSource cannot send.
 * Rejects where the server refuses.
 */
export async function readEvents(token: string, onEvent: (event: ServerEvent) => void, signal: AbortSignal): Promise<void> {
  const answer = await fetch('/api/events', { headers: { authorization: `Bearer ${token}` }, signal });
  if (!answer.ok || answer.body === null) throw new Error(`${answer.status}`);
  let rest = '';
  for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + text).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) if (event.startsWith('data: ')) onEvent(JSON.parse(event.slice('data: '.length)) as ServerEvent);
  }
}
