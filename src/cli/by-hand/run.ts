import { kindPath, type NODE_UPDATE, type UPDATE_POLICY } from '../../api/kinds.ts';
import { nodeOf } from '../../cluster/views.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError, isNotFound } from '../../kube/errors.ts';
import { visible } from '../../kube/visible.ts';
import { MissingRightsError, RefusedError, type Right, UsageError } from '../errors.ts';
import { type Fleet, readFleet } from '../fleet.ts';
import { type Change, titleOf, type Verb } from './change.ts';
import { type Target, targetsOf } from './targets.ts';

/** The chart's ClusterRole that may do all of this. */
export const OPERATOR = 'lockkeeper-operator';
/**
 * The field manager that the API server remembers, and the controller names in its Events. Flux takes away what was written to its
 * objects under any name that begins with `kubectl` (fluxcd/pkg, ssa): a pause would end by itself.
 */
const FIELD_MANAGER = 'lockkeeper-cli';

/** What a command that writes was told. */
export interface WriteOptions {
  names: readonly string[];
  all?: boolean | undefined;
  version?: string | undefined;
  now?: boolean | undefined;
  force?: boolean | undefined;
  yes?: boolean | undefined;
  dryRun?: 'client' | 'server' | 'none' | undefined;
}

/** What such a command needs of the machine that it runs on. */
export interface WriteDeps {
  client: Pick<KubeClient, 'get' | 'listPages' | 'mergePatch'>;
  print: (text: string) => void;
  /** Asks the user, and says whether they agree; undefined where nobody can be asked. */
  confirm: ((question: string) => Promise<boolean>) | undefined;
  /** New with each call. */
  token: string;
}

/** A target, and what a verb makes of it. */
export interface Decided {
  target: Target;
  /** How people call it. */
  title: string;
  change: Change;
}

/** Decides on all changes, and writes nothing. Throws a RefusedError or a UsageError where one makes no sense. */
export async function decideVerb(
  verb: Verb,
  fleet: Fleet,
  options: WriteOptions,
  { client, token }: { client: Pick<KubeClient, 'get'>; token: string },
): Promise<Decided[]> {
  const targets = await Promise.all(targetsOf(fleet, options).map((target) => withNode(client, target)));
  return targets.map((target) => ({ target, title: titleOf(target), change: verb(target, { ...options, token }) }));
}

/** Decides on all changes first, asks where pods are stopped, then writes one after the other, and says of each what comes of it. */
export async function runVerb(verb: Verb, options: WriteOptions, { client, print, confirm, token }: WriteDeps): Promise<void> {
  const { dryRun = 'none' } = options;
  const changes = await decideVerb(verb, await readFleet(client), options, { client, token });
  const questions = changes.flatMap(({ change }) => (change.asks === undefined ? [] : [visible(change.asks)]));
  if (questions.length > 0 && options.yes !== true && dryRun === 'none') {
    if (confirm === undefined) throw new UsageError(`${questions.join('\n')}\nThis stops pods: say --yes`);
    if (!(await confirm(questions.join('\n')))) throw new RefusedError('nothing was changed');
  }
  for (const { title, change } of changes) {
    if (Object.keys(change.annotations).length === 0) {
      print(`${visible(change.did)}\n`);
      continue;
    }
    if (dryRun !== 'client') await writeChange(client, change, dryRun === 'server');
    const dry = dryRun === 'none' ? '' : ` (${dryRun} dry run)`;
    print(`${visible(`${title} ${change.did}${dry}${change.next === undefined ? '' : `: ${change.next}`}`)}\n`);
  }
}

/** With what stands on the Node itself, where the user may read that. */
async function withNode(client: Pick<KubeClient, 'get'>, target: Target): Promise<Target> {
  if (target.kind === 'policy') return target;
  try {
    const { annotations } = nodeOf(await client.get(`/api/v1/nodes/${encodeURIComponent(target.node.name)}`));
    return { ...target, onNode: annotations };
  } catch (error) {
    if (isNotFound(error)) throw new RefusedError(`node ${target.node.name} is gone`);
    if (error instanceof ApiError && error.status === 403) return target;
    throw error;
  }
}

/** Writes one change. Rejects with a MissingRightsError that names the right, a RefusedError where the object is gone, or as the client does. */
export async function writeChange(
  client: Pick<KubeClient, 'mergePatch'>,
  { kind, name, annotations }: Change,
  dryRun: boolean,
): Promise<void> {
  try {
    await client.mergePatch(
      kindPath(kind, name),
      { metadata: { annotations } },
      { query: { fieldManager: FIELD_MANAGER, ...(dryRun && { dryRun: 'All' }) } },
    );
  } catch (error) {
    if (isNotFound(error)) throw new RefusedError(`${kind.kind} ${name} is gone: nothing was changed`);
    if (error instanceof ApiError && error.status === 403) throw new MissingRightsError([rightOf(kind)], OPERATOR, error.words);
    throw error;
  }
}

const rightOf = ({ plural }: typeof UPDATE_POLICY | typeof NODE_UPDATE): Right => ({ verb: 'patch', resource: `${plural}.lockkeeper.dev` });
