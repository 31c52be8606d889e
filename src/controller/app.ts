import express, { type Express } from 'express';
import type { Registry } from 'prom-client';

/** What the HTTP endpoints tell. */
export interface AppDeps {
  registry: Registry;
  /** The process works: a pass is not stuck, the caches are alive. */
  healthy: () => boolean;
  /** Caches have been filled once. */
  ready: () => boolean;
}

/** The controller's endpoints: `/metrics`, `/healthz`, `/readyz`. */
export function createApp({ registry, healthy, ready }: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/healthz', (_request, response) => {
    response
      .status(healthy() ? 200 : 503)
      .type('text')
      .send(healthy() ? 'ok\n' : 'a pass has not ended for too long\n');
  });
  app.get('/readyz', (_request, response) => {
    response
      .status(ready() ? 200 : 503)
      .type('text')
      .send(ready() ? 'ok\n' : 'the caches are being filled\n');
  });
  app.get('/metrics', async (_request, response) => {
    response.type(registry.contentType).send(await registry.metrics());
  });
  return app;
}
