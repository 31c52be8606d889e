import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { ServerEvent } from '../../wire.ts';

/** An answer with its body read. */
export interface Answered {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Ask {
  method?: string;
  /** With null a header that is sent otherwise is left out. */
  headers?: Readonly<Record<string, string | null>>;
  body?: string;
}

/** A stream of events that is being read. */
export interface ReadStream {
  events: ServerEvent[];
  /** Resolves with the first event from now on, or so far, that fits. */
  until<T extends ServerEvent>(fits: (event: ServerEvent) => event is T): Promise<T>;
  until(fits: (event: ServerEvent) => boolean): Promise<ServerEvent>;
  /** Reads no further, and keeps the connection. */
  pause(): void;
  resume(): void;
  /** Resolves when the server has ended it. */
  ended: Promise<void>;
  close(): void;
}

/** Somebody with the URL that the dashboard printed, who asks as a browser does. */
export interface Visitor {
  origin: string;
  token: string;
  ask(path: string, ask?: Ask): Promise<Answered>;
  events(): Promise<ReadStream>;
}

/** Opens the URL that a dashboard printed. */
export function visitorOf(url: string): Visitor {
  const { origin, hash, host } = new URL(url);
  const token = new URLSearchParams(hash.slice(1)).get('token') ?? '';
  const request = (path: string, { method = 'GET', headers = {}, body }: Ask): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const given = {
        host,
        authorization: `Bearer ${token}`,
        'sec-fetch-site': 'same-origin',
        ...(method === 'POST' && { origin, 'content-type': 'application/json' }),
        ...headers,
      };
      const sent = Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
      const asked = http.request(origin, { path, method, headers: sent, setHost: false, agent: false });
      asked.once('response', resolve).once('error', reject).end(body);
    });
  return {
    origin,
    token,
    async ask(path, ask = {}) {
      const response = await request(path, ask);
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') };
    },
    async events() {
      const response = await request('/api/events', {});
      if (response.statusCode !== 200) throw new Error(`the stream was answered with ${response.statusCode}`);
      return readStream(response);
    },
  };
}

function readStream(response: IncomingMessage): ReadStream {
  const events: ServerEvent[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  response.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) if (part.startsWith('data: ')) events.push(JSON.parse(part.slice('data: '.length)) as ServerEvent);
    for (const look of [...waiting]) look();
  });
  const ended = new Promise<void>((resolve) => response.once('close', resolve));
  response.on('error', () => {});
  return {
    events,
    until: (fits: (event: ServerEvent) => boolean) =>
      new Promise<never>((resolve) => {
        const look = (): void => {
          const found = events.find(fits);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found as never);
        };
        waiting.add(look);
        look();
      }),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    ended,
    close: () => void response.destroy(),
  };
}
