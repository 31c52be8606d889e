import express, { type Request, type Response, Router } from 'express';
import type { Fleet } from '../../cli/fleet.ts';
import { readWorld } from '../../cli/read-world.ts';
import { nodeWhy } from '../../cli/show/why.ts';
import { asIfChecked } from '../../core/plan/plan.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { ActionRequest, TargetKind, WhyAnswer } from '../wire.ts';
import { act } from './actions.ts';
import { historyAnswer } from './history.ts';
import { answerPlan } from './plan-answer.ts';
import { ProblemError } from './problems.ts';

const MAX_BODY_BYTES = 16 * 1024;
/** Each reads all of the cluster that a decision looks at. */
const MAX_WHYS = 2;
/** Each takes a core for as long as a minute. */
const MAX_PLANS = 1;

export interface ApiDeps {
  client: KubeClient;
  clock: Clock;
  /** Lockkeeper's namespace, where it is not found by its pods. */
  namespace: string | undefined;
  /** The file that this program runs, of which a further thread makes plans. */
  program: URL | undefined;
  /** What is watched of the fleet. */
  fleet: () => Fleet;
  /** The fleet with these objects as they are now. */
  freshFleet: (targets: ActionRequest['targets']) => Promise<Fleet>;
  /** A new one with each call. */
  token: () => string;
}

/** What the page asks for besides its events; rejections become answers by the error handler. */
export function apiRouter({ client, clock, namespace, program, fleet, freshFleet, token }: ApiDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const whys = atMost(MAX_WHYS);
  router.get('/nodes/:name/why', async (request: Request<{ name: string }>, response) => {
    const { name } = request.params;
    const { world } = await whys(() => readWorld(client, namespace, abortedWith(response)));
    const at = clock.now() + client.clockOffsetMs;
    const { apiVersion: _, kind: __, ...why } = nodeWhy(asIfChecked(world, at), name, at);
    response.json({ ...why, at } satisfies WhyAnswer);
  });
  const plans = atMost(MAX_PLANS);
  router.post('/plan', async (_request, response) => {
    const signal = abortedWith(response);
    await plans(() => answerPlan(response, signal, { client, clock, namespace, program }));
  });
  router.get('/history', (request, response) => {
    response.json(historyAnswer(fleet(), targetOf(request)));
  });
  router.post('/actions', express.json({ limit: MAX_BODY_BYTES }), async (request, response) => {
    response.json(await act(request.body, { client, fleet: freshFleet, token }));
  });
  return router;
}

function targetOf({ query }: Request): { kind: TargetKind; name: string } | undefined {
  for (const kind of ['policy', 'node'] as const) {
    const name = query[kind];
    if (typeof name === 'string') return { kind, name };
  }
  return undefined;
}

/** Aborted when whoever asked has gone. */
function abortedWith(response: Response): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}

/** Runs what costs much only so often at once, and refuses the rest. */
function atMost(limit: number): <T>(run: () => Promise<T>) => Promise<T> {
  let running = 0;
  return async (run) => {
    if (running >= limit)
      throw new ProblemError(429, { code: 'TooMany', message: 'the same is being asked already: try again when that is answered' });
    running += 1;
    try {
      return await run();
    } finally {
      running -= 1;
    }
  };
}
