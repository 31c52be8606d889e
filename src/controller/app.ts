import express, { type Express, type Response } from 'express';
import type { Registry } from 'prom-client';

/** What the HTTP endpoints tell. */
export interface AppDeps {
  registry: Registry;
  /** The process works: no pass is stuck. */
  healthy: () => boolean;
  /** What has not been read once; empty: this replica could lead. */
  waitsFor: () => readonly string[];
}

/** The controller's endpoints: `/metrics`, `/healthz`, `/readyz`. */
export function createApp({ registry, healthy, waitsFor }: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/healthz', (_request, response) => {
    answer(response, healthy(), 'a pass has made no progress for too long: see the log');
  });
  app.get('/readyz', (_request, response) => {
    const missing = waitsFor();
    const message = `not read yet: ${missing.join(', ')}; if this stays, see the log: are the CRDs installed, and may the service account list them?`;
    answer(response, missing.length === 0, message);
  });
  app.get('/metrics', async (_request, response) => {
    response.type(registry.contentType).send(await registry.metrics());
  });
  return app;
}

function answer(response: Response, ok: boolean, otherwise: string): void {
  response
    .status(ok ? 200 : 503)
    .type('text')
    .send(`${ok ? 'ok' : otherwise}\n`);
}
