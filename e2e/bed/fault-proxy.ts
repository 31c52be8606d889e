import { once } from 'node:events';
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Agent, createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** A request as it came by, with its whole body. */
export interface SeenRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly userAgent: string;
  readonly body: string;
}

/**
 * What happens to a request that is caught:
 * - `hold`: it waits here until the test releases or drops it, whatever becomes of its sender meanwhile;
 * - `drop`: it is not sent on, and its connection is cut;
 * - `cut`: it is sent on and carried out, and the connection is cut in place of the answer;
 * - `expired`: a watch whose resourceVersion is too old: a stream of one ERROR event, with code 410;
 * - `delayMs`: it is sent on, and whatever is answered, events too, so much later;
 * - a number: it is not sent on, and answered with this status.
 */
export type FaultKind = 'hold' | 'drop' | 'cut' | 'expired' | { readonly delayMs: number } | number;

/** A fault that waits for its requests. */
export interface ArmedFault {
  readonly caught: readonly SeenRequest[];
  /** Resolves with the first request that is caught. */
  readonly first: Promise<SeenRequest>;
  /** Sends on what is held, also where its sender has hung up: a network may deliver late. Resolves with the answers' statuses. */
  release(): Promise<number[]>;
  /** Cuts the connections of what is held; it is never sent on. */
  drop(): void;
  /** Catches nothing more; what is held stays held. */
  lift(): void;
}

/** An HTTPS proxy in front of the API server that does to chosen requests what a network or a dying server does. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  /** Catches the next `times` requests (1 unless told) that match; all others pass. */
  arm(kind: FaultKind, matches: (request: SeenRequest) => boolean, times?: number): ArmedFault;
  /** Cuts the connections of the requests that are under way now and match; gives their number. */
  hangUp(matches: (request: SeenRequest) => boolean): number;
  /** Cuts all connections. */
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  readonly server: { readonly host: string; readonly port: number };
  /** By which the server is believed. */
  readonly ca: string;
  /** What the proxy shows to its clients: the server's own, so that they need no other authority. */
  readonly certificate: string;
  readonly key: string;
}

interface Held {
  send(): Promise<number>;
  cut(): void;
}

interface Armed extends ArmedFault {
  readonly kind: FaultKind;
  /** What is held is kept with it. */
  takes(request: SeenRequest, held: Held): boolean;
}

const hopByHop = ['connection', 'keep-alive', 'transfer-encoding'];

/** Opens a proxy that passes everything, until a fault is armed. */
export async function openFaultProxy({ server, ca, certificate, key }: FaultProxyOptions): Promise<FaultProxy> {
  const agent = new Agent({ keepAlive: true, ca });
  const armed = new Set<Armed>();
  const underWay = new Map<SeenRequest, () => void>();
  // Longer than any client keeps an idle connection, as the API server does it.
  const timeouts = { keepAliveTimeout: 120_000, requestTimeout: 0 };
  const listener = createServer({ key, cert: certificate, ...timeouts }, (request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  listener.unref();
  const { port } = listener.address() as AddressInfo;

  return {
    host: '127.0.0.1',
    port,
    arm(kind, matches, times = 1) {
      const fault = armedFault(kind, matches, times, () => armed.delete(fault));
      armed.add(fault);
      return fault;
    },
    hangUp(matches) {
      const found = [...underWay].filter(([seen]) => matches(seen));
      for (const [, cut] of found) cut();
      return found.length;
    },
    async close() {
      const closed = once(listener, 'close');
      listener.close();
      listener.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray());
    const { method = 'GET', url: path = '/', headers } = request;
    const seen = { method, path, userAgent: headers['user-agent'] ?? '', body: body.toString('utf8') };
    underWay.set(seen, cut);
    response.once('close', () => underWay.delete(seen));
    const kind = [...armed].find((one) => one.takes(seen, { send, cut }))?.kind;
    if (kind === undefined) await pass();
    else if (typeof kind === 'object') await passLate(kind.delayMs);
    else if (kind === 'expired') expire(response);
    else if (kind === 'drop') cut();
    else if (kind === 'cut') await send().finally(cut);
    else if (kind !== 'hold') refuse(response, kind);

    function cut(): void {
      request.socket.destroy();
    }

    async function send(): Promise<number> {
      const answer = await answerTo(onward());
      const whole = Buffer.concat(await answer.toArray());
      const status = answer.statusCode ?? 0;
      // Nobody may be there to take it any more: then this does nothing.
      if (kind === 'hold') response.writeHead(status, endToEnd(answer.headers)).end(whole);
      return status;
    }

    /** As it comes: a watch has no end. */
    async function pass(): Promise<void> {
      const answer = await begun();
      response.writeHead(answer.statusCode ?? 0, endToEnd(answer.headers)).flushHeaders();
      await pipeline(answer, response);
    }

    /** All of it so much later, events too. */
    async function passLate(delayMs: number): Promise<void> {
      const answer = await begun();
      const { statusCode = 0 } = answer;
      const later = (step: () => void) => setTimeout(step, delayMs).unref();
      later(() => response.writeHead(statusCode, endToEnd(answer.headers)).flushHeaders());
      for await (const piece of answer) later(() => response.write(piece));
      later(() => response.end());
    }

    function begun(): Promise<IncomingMessage> {
      const sent = onward();
      response.once('close', () => sent.destroy());
      return answerTo(sent);
    }

    function onward(): ClientRequest {
      const sent = httpsRequest({ ...server, agent, method, path, headers: endToEnd(headers) });
      return sent.end(body);
    }
  }
}

/** A watch from a version that the server no longer has. */
function expire(response: ServerResponse): void {
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Expired', message: 'too old resource version', code: 410 };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
}

async function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  const [answer] = await once(sent, 'response');
  return answer as IncomingMessage;
}

function armedFault(kind: FaultKind, matches: (request: SeenRequest) => boolean, times: number, onLifted: () => void): Armed {
  const first = Promise.withResolvers<SeenRequest>();
  const caught: SeenRequest[] = [];
  const held: Held[] = [];
  return {
    kind,
    caught,
    first: first.promise,
    takes(request, one) {
      if (!matches(request)) return false;
      caught.push(request);
      if (kind === 'hold') held.push(one);
      first.resolve(request);
      if (caught.length >= times) onLifted();
      return true;
    },
    release: () => Promise.all(held.splice(0).map(({ send }) => send())),
    drop() {
      for (const { cut } of held.splice(0)) cut();
    },
    lift: onLifted,
  };
}

function refuse(response: ServerResponse, code: number): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message: 'refused by the fault proxy', code }));
}

function endToEnd(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.includes(name)));
}
