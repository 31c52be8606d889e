import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Json = Readonly<Record<string, unknown>>;

/** One AWS call that came in, in the order in which they did. */
export interface Call {
  readonly number: number;
  /** Such as `ecs:StopTask`. */
  readonly action: string;
  readonly input: Json;
  /** The access key ID that it was signed with. */
  readonly who: string;
  /** When it came in, on this process's monotonic clock, in milliseconds. */
  readonly at: number;
  status?: number;
  output?: Json;
}

/** An error as AWS answers with it. */
export interface AwsFault {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export interface StandInOptions {
  /** moto's server. */
  readonly upstream: string;
  /** Answers in place of moto. */
  readonly answers: Readonly<Record<string, (input: Json) => Promise<Json | AwsFault>>>;
  /** Changes what moto answered. */
  readonly amends: Readonly<Record<string, (output: Json, input: Json) => Promise<Json>>>;
}

/** A peer that speaks AWS's JSON protocols: moto's server behind a record of all calls, and what moto does not do. */
export interface StandIn {
  readonly url: string;
  readonly calls: readonly Call[];
  /** Asked before each call is answered; what it gives is answered instead. */
  intercept: ((call: Call) => AwsFault | undefined | Promise<AwsFault | undefined>) | undefined;
  /** Waited for once a call has had its effect, before it is answered. */
  effected: ((call: Call) => Promise<void>) | undefined;
  close(): Promise<void>;
}

const SERVICES: Readonly<Record<string, string>> = {
  AmazonEC2ContainerServiceV20141113: 'ecs',
  AmazonSSM: 'ssm',
  DynamoDB_20120810: 'dynamodb',
};

export const isFault = (answer: Json | AwsFault): answer is AwsFault => typeof (answer as { code?: unknown }).code === 'string';

export async function startStandIn({ upstream, answers, amends }: StandInOptions): Promise<StandIn> {
  const calls: Call[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const [service = '', operation = ''] = String(request.headers['x-amz-target'] ?? '').split('.');
    const input = body === '' ? {} : (JSON.parse(body) as Json);
    const [, who = ''] = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '') ?? [];
    const call: Call = {
      number: calls.length + 1,
      action: `${SERVICES[service] ?? service}:${operation}`,
      input,
      who,
      at: performance.now(),
    };
    calls.push(call);
    const answer = (await standIn.intercept?.(call)) ?? (await answers[call.action]?.(input)) ?? (await forward(request, body));
    const output = isFault(answer) ? answer : ((await amends[call.action]?.(answer, input)) ?? answer);
    const fault = isFault(output) ? output : undefined;
    call.status = fault?.status ?? 200;
    call.output = output as Json;
    await standIn.effected?.(call);
    if (response.destroyed) return;
    response.writeHead(call.status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': String(call.number) });
    response.end(JSON.stringify(fault === undefined ? output : { __type: fault.code, message: fault.message }));
  };
  const forward = async (request: IncomingMessage, body: string): Promise<Json | AwsFault> => {
    const headers = Object.fromEntries(
      ['x-amz-target', 'content-type', 'authorization', 'x-amz-date'].map((name) => [name, String(request.headers[name] ?? '')]),
    );
    const answer = await fetch(upstream, { method: 'POST', headers, body });
    const output = JSON.parse((await answer.text()) || '{}') as Json & { __type?: string; message?: string; Message?: string };
    if (answer.ok) return output;
    const { __type = 'UnknownError', message = output.Message ?? '' } = output;
    return { status: answer.status, code: __type.slice(__type.indexOf('#') + 1), message };
  };
  const server: Server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const standIn: StandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    intercept: undefined,
    effected: undefined,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return standIn;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
