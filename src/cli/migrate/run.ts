import type { KubeClient } from '../../kube/client.ts';
import { type Clock, delay } from '../../kube/clock.ts';
import { isConflict, isNotFound } from '../../kube/errors.ts';
import { InterruptedError, MissingRightsError, RefusedError, type Right, UsageError } from '../errors.ts';
import { missingRights } from '../release/rights.ts';
import { back } from './back.ts';
import { carryOver } from './carry.ts';
import type { MigrateOptions } from './command.ts';
import { forward } from './forward.ts';
import type { Found } from './found.ts';
import { readFound } from './read.ts';
import { renderDone, renderFound, renderPolicy, renderWrites, warningsAtEnd, warningsOf } from './render.ts';
import { type Next, type Write, writesLeft } from './step.ts';

/** What a migration needs of the machine that it runs on. */
export interface MigrateDeps {
  client: Pick<KubeClient, 'get' | 'listPages' | 'create' | 'mergePatch' | 'delete'>;
  print: (text: string) => void;
  warn: (text: string) => void;
  /** Asks the user; undefined where nobody can be asked. */
  confirm: ((question: string) => Promise<boolean>) | undefined;
  clock: Clock;
  /** Aborted when the user interrupts it. */
  untilInterrupted: () => { signal: AbortSignal; done: () => void };
}

/** As those of people's other commands: Flux takes away what it finds under names that begin with `kubectl`. */
const FIELD_MANAGER = 'lockkeeper-cli';
const FIRST_LOOK_MS = 500;
const LONGEST_LOOK_MS = 10_000;
/** So often a write that somebody else has come between is decided anew. */
const MAX_CONFLICTS = 20;

/** Moves a cluster over, or back. Rejects with what says why not, and what to do; run again, it goes on where it was. */
export async function runMigrate(options: MigrateOptions, deps: MigrateDeps): Promise<void> {
  const { client, print, warn, confirm } = deps;
  const { dryRun = 'none', namespace } = options;
  const found = await readFound(client, namespace);
  const carried = carryOver(found, options);
  if (options.output !== undefined) {
    mustBeThere(found);
    print(renderPolicy(carried));
    return;
  }
  const next = options.back === true ? back : forward(carried);
  if (options.back !== true) {
    if (found.controller === undefined && found.agents === undefined) {
      print('The update operator of Bottlerocket is not in this cluster: there is nothing to move over from.\n');
      return;
    }
    print(renderFound(found, carried));
  }
  for (const warning of warningsOf(found)) warn(warning);
  const first = next(found);
  if (first.kind === 'refuse' && (first.leaves === undefined || options.wait !== true)) throw new RefusedError(first.message);
  const writes = writesLeft(next, found);
  if (writes.length === 0 && first.kind === 'done') {
    if (options.back === true) print('There is nothing to go back from: no object says that migrate has changed it.\n');
    else sayDone(found, deps);
    return;
  }
  if (writes.some(({ method }) => method === 'create')) print(`\n${renderPolicy(carried)}`);
  print(`\nWritten, in this order:\n${renderWrites(writes)}`);
  const missing = await missingRights(client, rightsOf(writes));
  if (missing.length > 0) throw new MissingRightsError(missing, undefined);
  if (dryRun === 'server') for (const write of writes) await send(client, write, true);
  if (dryRun !== 'none') {
    print(`Nothing was changed (${dryRun} dry run).\n`);
    return;
  }
  if (options.yes !== true && writes.length > 0) {
    if (confirm === undefined)
      throw new UsageError('migrate changes the old operator: see what it would do with --dry-run=client, then say --yes');
    if (!(await confirm('These are written, and no others.'))) throw new RefusedError('nothing was changed');
  }
  const end = await follow(next, options, deps);
  if (options.back === true) {
    print('The old operator has its nodes again, and runs as it did before.\n');
    return;
  }
  print('\n');
  sayDone(end, deps);
}

function sayDone(found: Found, { print, warn }: MigrateDeps): void {
  for (const warning of warningsAtEnd(found)) warn(warning);
  print(renderDone(found));
}

function mustBeThere({ controller, agents }: Found): void {
  if (controller === undefined && agents === undefined)
    throw new RefusedError(
      'the update operator of Bottlerocket is not in this cluster: is it the right one? --context and --kubeconfig choose another',
    );
}

function rightsOf(writes: readonly Write[]): Right[] {
  return [...new Map(writes.map(({ right }) => [JSON.stringify(right), right])).values()];
}

/** Looks, does what is next, and looks again, until nothing is left. Resolves with what is found then. */
async function follow(next: Next, options: MigrateOptions, { client, print, clock, untilInterrupted }: MigrateDeps): Promise<Found> {
  const { signal, done } = untilInterrupted();
  // The last write to each object: one of the same kind next means that somebody has undone it.
  const made = new Map<string, string>();
  let conflicts = 0;
  let said: string | undefined;
  let waitMs = FIRST_LOOK_MS;
  let deadline = clock.monotonic() + options.timeout;
  try {
    for (;;) {
      signal.throwIfAborted();
      const found = await readFound(client, options.namespace);
      const step = next(found);
      if (step.kind === 'done') return found;
      if (step.kind === 'refuse' && (step.leaves === undefined || options.wait !== true)) throw new RefusedError(step.message);
      signal.throwIfAborted();
      if (step.kind === 'write') {
        const change = step.changes[0] ?? '';
        if (made.get(step.object) === change) throw new RefusedError(undoneMessage(step));
        if (!(await sent(client, step))) {
          conflicts += 1;
          if (conflicts > MAX_CONFLICTS)
            throw new RefusedError(`${step.object} changes all the time: see who writes to it, and run this again`);
          continue;
        }
        made.set(step.object, change);
        print(`${step.object}: ${change}\n`);
        deadline = clock.monotonic() + options.timeout;
        waitMs = FIRST_LOOK_MS;
        continue;
      }
      const what = step.kind === 'wait' ? `waits for ${step.for}` : step.message;
      if (clock.monotonic() >= deadline)
        throw new RefusedError(
          `it took too long: ${what}\nWhat is written so far stays: run it again to go on, or take it back with --back.`,
        );
      if (said !== what) print(`${what}\n`);
      said = what;
      await delay(clock, Math.min(waitMs, Math.max(0, deadline - clock.monotonic())), signal);
      waitMs = Math.min(LONGEST_LOOK_MS, waitMs * 1.5);
    }
  } catch (error) {
    if (signal.aborted) throw new InterruptedError('stopped: run it again to go on, or take it back with --back');
    throw error;
  } finally {
    done();
  }
}

const undoneMessage = ({ object, changes }: Write): string =>
  `${object} was changed (${changes[0] ?? ''}), and somebody has put it back: Argo CD, Flux or another controller keeps it as it is written elsewhere. Have that leave off, or make the change there, and run this again.`;

/** Whether it was made: false where the object is another one than was read. */
async function sent(client: MigrateDeps['client'], write: Write): Promise<boolean> {
  try {
    await send(client, write, false);
    return true;
  } catch (error) {
    if (isConflict(error) || (isNotFound(error) && write.method !== 'create')) return false;
    throw error;
  }
}

async function send(client: MigrateDeps['client'], { method, path, body }: Write, dryRun: boolean): Promise<void> {
  const query = { fieldManager: FIELD_MANAGER, ...(dryRun && { dryRun: 'All' }) };
  if (method === 'delete') await client.delete(path, body, { query: dryRun ? { dryRun: 'All' } : {} });
  else await client[method](path, body, { query });
}
