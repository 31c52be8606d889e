import * as z from 'zod/mini';
import { NODE_UPDATE, UPDATE_POLICY } from '../../api/kinds.ts';
import { GROUP } from '../../api/names.ts';
import { OPERATOR } from '../../cli/by-hand/run.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type Clock, delay } from '../../kube/clock.ts';
import type { Access, Cluster, ForbiddenActions, TargetKind } from '../wire.ts';

/** Rights may be given while the page is open. */
const ASK_AGAIN_MS = 60_000;
const TRY_AGAIN_MS = 5_000;

const reviewSchema = z.object({ status: z.object({ allowed: z.boolean() }) });
const selfSchema = z.object({ status: z.object({ userInfo: z.object({ username: z.string() }) }) });
const versionSchema = z.object({ gitVersion: z.string() });

/** What an action on each kind of target writes. */
const WRITES: readonly { on: TargetKind; plural: string }[] = [
  { on: 'policy', plural: UPDATE_POLICY.plural },
  { on: 'node', plural: NODE_UPDATE.plural },
];

export interface AboutUserDeps {
  client: Pick<KubeClient, 'get' | 'create'>;
  clock: Clock;
  /** What the kubeconfig says. */
  cluster: Cluster;
  changed: () => void;
}

/** Who the user is to the API server, and which actions they may not take. */
export interface AboutUser {
  cluster(): Cluster;
  forbidden(): Access['forbidden'];
  /** Asks until the signal is aborted; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Asks the API server by its own reviews, which every user may make of themselves. What it does not answer is taken to be allowed: the
 * action itself is answered in any case.
 */
export function aboutUser({ client, clock, cluster, changed }: AboutUserDeps): AboutUser {
  let known = cluster;
  let forbidden: readonly ForbiddenActions[] = [];
  const mayPatch = async (plural: string, signal: AbortSignal): Promise<boolean> => {
    const spec = { resourceAttributes: { verb: 'patch', group: GROUP, resource: plural } };
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec };
    const answer = await client.create('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', body, { signal });
    return z.parse(reviewSchema, answer).status.allowed;
  };
  const ask = async (signal: AbortSignal): Promise<void> => {
    const denied = await Promise.all(
      WRITES.map(async ({ on, plural }): Promise<ForbiddenActions[]> => {
        if (await mayPatch(plural, signal)) return [];
        return [{ on, right: { verb: 'patch', resource: `${plural}.${GROUP}` }, role: OPERATOR }];
      }),
    );
    forbidden = denied.flat();
    known = { ...known, ...(await userOf(client, signal)), ...(await versionOf(client, signal)) };
  };
  return {
    cluster: () => known,
    forbidden: () => forbidden,
    async run(signal) {
      while (!signal.aborted) {
        const answered = await ask(signal).then(
          () => true,
          () => false,
        );
        changed();
        await delay(clock, answered ? ASK_AGAIN_MS : TRY_AGAIN_MS, signal);
      }
    },
  };
}

/** Older API servers do not tell; the page does without. */
async function userOf(client: AboutUserDeps['client'], signal: AbortSignal): Promise<Pick<Cluster, 'user'>> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const answer = await client.create('/apis/authentication.k8s.io/v1/selfsubjectreviews', body, { signal }).catch(() => undefined);
  const read = z.safeParse(selfSchema, answer);
  return read.success ? { user: read.data.status.userInfo.username } : {};
}

async function versionOf(client: AboutUserDeps['client'], signal: AbortSignal): Promise<Pick<Cluster, 'kubernetes'>> {
  const read = z.safeParse(versionSchema, await client.get('/version', { signal }).catch(() => undefined));
  return read.success ? { kubernetes: read.data.gitVersion } : {};
}
