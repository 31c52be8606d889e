import * as z from 'zod/mini';
import type { Verb } from '../../cli/by-hand/change.ts';
import { approve, pin, unapprove, unpin } from '../../cli/by-hand/choosing.ts';
import { clearBadRelease, reboot, retry, skip } from '../../cli/by-hand/once.ts';
import { pause, resume } from '../../cli/by-hand/pausing.ts';
import { type Decided, decideVerb, writeChange } from '../../cli/by-hand/run.ts';
import type { Fleet } from '../../cli/fleet.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type ActionAnswer, type ActionRequest, type ActionResult, VERBS } from '../wire.ts';
import { ProblemError, problemOf } from './problems.ts';

const MAX_TARGETS = 100;
const nameSchema = z.string().check(z.minLength(1), z.maxLength(253));
const requestSchema = z.strictObject({
  verb: z.enum(VERBS),
  targets: z.array(z.strictObject({ kind: z.enum(['policy', 'node']), name: nameSchema })).check(z.minLength(1), z.maxLength(MAX_TARGETS)),
  version: z.optional(z.string().check(z.maxLength(64))),
  now: z.optional(z.boolean()),
  force: z.optional(z.boolean()),
  preview: z.optional(z.boolean()),
  confirmed: z.optional(z.boolean()),
});

const OF: Readonly<Record<(typeof VERBS)[number], Verb>> = {
  pause,
  resume,
  approve,
  unapprove,
  retry,
  skip,
  pin,
  unpin,
  reboot,
  'clear-bad-release': clearBadRelease,
};

export interface ActionDeps {
  client: Pick<KubeClient, 'get' | 'mergePatch'>;
  /** The fleet, with these objects as they are now. */
  fleet: (targets: ActionRequest['targets']) => Promise<Fleet>;
  /** A new one with each call. */
  token: () => string;
}

/**
 * Does what a person asked for on the page, by the code of the command of that name: all is decided before anything is written. Rejects
 * with a ProblemError where it is not understood or was not agreed to, and with what was written so far where it was cut short.
 */
export async function act(asked: unknown, { client, fleet, token }: ActionDeps): Promise<ActionAnswer> {
  const read = z.safeParse(requestSchema, asked);
  if (!read.success) throw new ProblemError(400, { code: 'Invalid', message: `this is no action: ${z.prettifyError(read.error)}` });
  const { verb, targets, version, now, force, preview, confirmed } = read.data;
  const names = targets.map(({ kind, name }) => `${kind}/${name}`);
  const decided = await decideVerb(OF[verb], await fleet(targets), { names, version, now, force }, { client, token: token() });
  const results = decided.map(resultOf);
  if (preview === true) return { results };
  const asks = results.flatMap((result) => result.asks ?? []);
  if (asks.length > 0 && confirmed !== true)
    throw new ProblemError(409, { code: 'ConfirmationNeeded', message: 'this stops pods, and must be agreed to', asks });
  const done: ActionResult[] = [];
  for (const [index, { change }] of decided.entries()) {
    try {
      if (Object.keys(change.annotations).length > 0) await writeChange(client, change, false);
    } catch (error) {
      const { status, problem } = problemOf(error);
      throw new ProblemError(status, { ...problem, ...(done.length > 0 && { results: done }) });
    }
    done.push(...results.slice(index, index + 1));
  }
  return { results };
}

function resultOf({ target, title, change: { annotations, did, next, asks } }: Decided): ActionResult {
  const idle = Object.keys(annotations).length === 0;
  return {
    kind: target.kind,
    name: target.kind === 'policy' ? target.policy.name : target.node.name,
    written: annotations,
    did: idle ? did : `${title} ${did}`,
    ...(next !== undefined && { next }),
    ...(asks !== undefined && { asks }),
  };
}
