import { kindPath, NODE_UPDATE, UPDATE_POLICY } from '../../api/kinds.ts';
import { type Fleet, type FleetObjects, fleetOf, readFleet } from '../../cli/fleet.ts';
import { nodeUpdateOf, policyOf } from '../../cluster/views.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import type { ActionRequest } from '../wire.ts';

/** The fleet as it is watched; `live` where that is what there is. */
export interface WatchedFleet extends FleetObjects {
  live: boolean;
}

/**
 * The fleet to decide an action on: what is watched, with the objects that are written read anew, so that nothing is decided on what
 * was so a moment ago; all of it read where the watches lag.
 */
export async function freshFleet(
  client: Pick<KubeClient, 'get' | 'listPages'>,
  watched: WatchedFleet,
  targets: ActionRequest['targets'],
): Promise<Fleet> {
  if (!watched.live) return readFleet(client);
  const policies = new Map(watched.policies);
  const updates = new Map(watched.updates);
  await Promise.all(
    targets.map(async ({ kind, name }) => {
      if (kind === 'policy') put(policies, name, await read(client, kindPath(UPDATE_POLICY, name), policyOf));
      else put(updates, name, await read(client, kindPath(NODE_UPDATE, name), nodeUpdateOf));
    }),
  );
  return fleetOf({ ...watched, policies, updates });
}

function put<T>(items: Map<string, T>, name: string, item: T | undefined): void {
  if (item === undefined) items.delete(name);
  else items.set(name, item);
}

async function read<T>(client: Pick<KubeClient, 'get'>, path: string, project: (raw: unknown) => T): Promise<T | undefined> {
  try {
    return project(await client.get(path));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
