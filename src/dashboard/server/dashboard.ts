import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express, type NextFunction, type Request, type Response, type Router } from 'express';
import { fleetOf } from '../../cli/fleet.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Cluster, Problem } from '../wire.ts';
import { aboutUser } from './about-user.ts';
import { apiRouter } from './api.ts';
import { type EventStreams, eventStreams } from './event-streams.ts';
import { fleetSource } from './fleet-source.ts';
import { freshFleet } from './fresh-fleet.ts';
import { type Guarded, hostsOf, type Refusal, refusalOf } from './guards.ts';
import { SECURITY_HEADERS } from './headers.ts';
import type { PageAssets } from './page-assets.ts';
import { problemOf } from './problems.ts';
import { isTokenOf, newToken } from './token.ts';

/** Addresses that the dashboard may listen on: this machine's own, and no other. */
export const ADDRESSES = ['127.0.0.1', '::1'] as const;

const MAX_CONNECTIONS = 64;
const MAX_HEADER_BYTES = 16 * 1024;
const HEADERS_TIMEOUT_MS = 5_000;
/** For a whole request to arrive; answers may take longer. */
const REQUEST_TIMEOUT_MS = 10_000;
const LOOK_FOR_SLOW_MS = 2_500;

export interface DashboardDeps {
  client: KubeClient;
  clock: Clock;
  random: () => number;
  assets: PageAssets;
  /** What the kubeconfig says of the cluster. */
  cluster: Cluster;
  /** The file that this program runs, of which a further thread makes plans; absent where there is none. */
  program: URL | undefined;
  /** Lockkeeper's, where it is not found by its pods. */
  namespace: string | undefined;
  /** The program's own. */
  version: string;
  /** One of ADDRESSES. */
  address: (typeof ADDRESSES)[number];
  /** 0: a free one. */
  port: number;
}

/** A dashboard that listens. */
export interface Dashboard {
  /** With the token in its fragment, which goes over no wire. */
  readonly url: string;
  /** Ends all streams, watches and connections. */
  close(): Promise<void>;
}

/** Starts the dashboard's server; rejects where it cannot listen. */
export async function createDashboard(deps: DashboardDeps): Promise<Dashboard> {
  const { client, clock, random, version, address, port } = deps;
  const token = newToken();
  const stop = new AbortController();
  const guarded: { current: Guarded } = { current: { hosts: new Set(), isToken: isTokenOf(token) } };
  const changed = (): void => streams.changed();
  const about = aboutUser({ client, clock, cluster: deps.cluster, changed });
  const source = fleetSource({ client, clock, random, version, about, changed });
  const streams: EventStreams = eventStreams(source, clock);
  const api = apiRouter({
    client,
    clock,
    namespace: deps.namespace,
    program: deps.program,
    fleet: () => fleetOf(source.watched()),
    freshFleet: (targets) => freshFleet(client, source.watched(), targets),
    token: randomUUID,
  });
  const app = createApp({ assets: deps.assets, streams, api, guarded: () => guarded.current });
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: LOOK_FOR_SLOW_MS,
    },
    app,
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.listen({ host: address, port, exclusive: true });
  await once(server, 'listening');
  const { port: given } = server.address() as AddressInfo;
  guarded.current = { ...guarded.current, hosts: hostsOf(given) };
  const running = Promise.all([source.run(stop.signal), about.run(stop.signal)]);
  return {
    url: `http://${address === '::1' ? '[::1]' : address}:${given}/#token=${token}`,
    async close() {
      stop.abort();
      streams.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await Promise.all([running, closed]);
    },
  };
}

interface AppDeps {
  assets: PageAssets;
  streams: EventStreams;
  api: Router;
  guarded: () => Guarded;
}

function createApp({ assets, streams, api, guarded }: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.use((request, response, next) => {
    response.set(SECURITY_HEADERS);
    const refusal = refusalOf(request, guarded());
    if (refusal === undefined) next();
    else refuse(response, refusal);
  });
  app.get('/', (_request, response) => void response.type('html').send(assets.html));
  app.get('/page.js', (_request, response) => void response.type('text/javascript').send(assets.js));
  app.get('/page.css', (_request, response) => void response.type('css').send(assets.css));
  app.get('/favicon.ico', (_request, response) => void response.status(204).end());
  app.get('/api/events', (_request, response) => {
    if (!streams.open(response)) answer(response, 503, { code: 'TooMany', message: 'too many tabs show this dashboard: close one' });
  });
  app.use('/api', api);
  app.use((_request, response) => answer(response, 404, { code: 'NotFound', message: 'there is nothing here' }));
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    const { status, problem } = problemOf(error);
    if (response.headersSent) response.destroy();
    else answer(response, status, problem);
  });
  return app;
}

const answer = (response: Response, status: number, problem: Problem): void => void response.status(status).json(problem);

function refuse(response: Response, { status, problem, headers = {} }: Refusal): void {
  response.set(headers);
  // What else would come is not read.
  response.set('connection', 'close');
  answer(response, status, problem);
}
