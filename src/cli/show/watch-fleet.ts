import { kindPath, NODE_UPDATE, UPDATE_POLICY } from '../../api/kinds.ts';
import { nodeUpdateOf, policyOf } from '../../cluster/views.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError } from '../../kube/errors.ts';
import type { Logger } from '../../kube/logger.ts';
import { Reflector } from '../../kube/reflector.ts';
import { MissingRightsError } from '../errors.ts';
import { type Fleet, fleetOf, VIEWER } from '../fleet.ts';

/** Changes that come within this are shown as one. */
const TOGETHER_MS = 100;

/**
 * Calls `show` with the fleet once it is known, and after each change, until `signal` is aborted. Connections that are cut are renewed
 * by themselves. Rejects with a MissingRightsError where watching is not allowed, or with what `show` throws.
 */
export async function watchFleet(
  client: Pick<KubeClient, 'listPages' | 'watch'>,
  show: (fleet: Fleet) => void,
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const all = AbortSignal.any([signal, stop.signal]);
  let failed: unknown;
  const fail = (error: unknown): void => {
    failed ??= error;
    stop.abort();
  };
  let timer: NodeJS.Timeout | undefined;
  const changed = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (!all.aborted && policies.synced && updates.synced) tell();
    }, TOGETHER_MS);
  };
  const tell = (): void => {
    try {
      show(fleetOf({ policies: policies.items, updates: updates.items, hosts: new Map(), unreadable: [] }));
    } catch (error) {
      fail(error);
    }
  };
  const options = (resource: string) => ({
    client,
    random: Math.random,
    onChange: changed,
    logger: loggerOf(resource, fail, warn),
    retry: { baseMs: 1_000, maxMs: 10_000, jitter: 0.5 },
  });
  const policies = new Reflector({ ...options(UPDATE_POLICY.plural), path: kindPath(UPDATE_POLICY), project: policyOf });
  const updates = new Reflector({ ...options(NODE_UPDATE.plural), path: kindPath(NODE_UPDATE), project: nodeUpdateOf });
  const running = Promise.all([policies.run(all), updates.run(all)]);
  try {
    await Promise.all([policies.waitForSync(all), updates.waitForSync(all)]);
    tell();
  } catch (error) {
    if (!all.aborted) throw error;
  } finally {
    await running;
    clearTimeout(timer);
  }
  if (failed !== undefined) throw failed;
}

/** What a watch says of itself, for a person: a right that is missing ends it, all else is told and goes on. */
function loggerOf(resource: string, fail: (error: unknown) => void, warn: (message: string) => void): Logger {
  const warned = (fields: object, message: string): void => {
    const error = 'error' in fields ? fields.error : undefined;
    if (error instanceof ApiError && error.status === 403)
      fail(new MissingRightsError([{ verb: 'watch', resource: `${resource}.lockkeeper.dev` }], VIEWER));
    else if (error instanceof ApiError && error.status === 401) fail(error);
    else warn(`${resource}: ${message}${error instanceof Error ? `: ${error.message}` : ''}`);
  };
  return { debug() {}, info() {}, warn: warned, error: warned };
}
