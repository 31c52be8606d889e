import { delay } from '../kube/clock.ts';
import { OrderFailed, orderFailedBy } from './order-failed.ts';
import { provenVersion } from './proof.ts';
import { applySettings, restoreSettings, withOwnSettings } from './settings.ts';
import type { ActionResult, UpdateHost } from './update-host.ts';

/** What is to be staged. */
export interface StageWish {
  readonly version: string;
  readonly ignoreWaves: boolean;
  /** False as soon as nobody wants it any more; looked at between two steps. */
  readonly stillWanted: () => boolean;
}

/** The order was withdrawn while it was carried out: nothing is left changed, and there is nobody to answer. */
export class OrderWithdrawn extends Error {
  override readonly name = 'OrderWithdrawn';
}

const maxRounds = 3;

/**
 * Downloads and writes a version, with no effect on what boots next. Resolves once the host's own answer has proved it
 * and the host's settings are what they were. Rejects with OrderFailed or OrderWithdrawn.
 */
export async function stage(update: UpdateHost, wish: StageWish, signal: AbortSignal): Promise<void> {
  const { version } = wish;
  try {
    const found = await update.settledStatus(signal, update.timings.actionMs.prepare);
    await restoreSettings(update, signal);
    update.reviewProof(found);
    // An activated version cannot be replaced, and must not boot before its time.
    const status = found?.state === 'Ready' ? (await deactivate(update, signal)).status : found;
    if (update.isProven(version, status)) return;
    if ((await update.client.os(signal)).version === version) {
      throw new OrderFailed('NotOffered', `${version} is the version that runs`);
    }
    const { chosen, available } = (await refresh(update, signal)).status;
    checkWanted(wish);
    if (chosen === version) {
      if (await prepare(update, version, signal)) return;
    } else if (!wish.ignoreWaves && !available.includes(version)) {
      throw new OrderFailed('NotOffered', `${version} is not among the versions offered to this host (its wave may not have opened)`);
    }
    await withOwnSettings(update, signal, () => stageBySettings(update, wish, signal));
  } catch (error) {
    if (error instanceof OrderWithdrawn) throw error;
    throw orderFailedBy(error, 'PrepareFailed');
  }
}

async function stageBySettings(update: UpdateHost, wish: StageWish, signal: AbortSignal): Promise<void> {
  const { version, ignoreWaves } = wish;
  let failure = new OrderFailed('NotOffered', `${version} is not offered to this host`);
  for (let round = 1; round <= maxRounds; round += 1) {
    // Rendering may fail in silence, so each round patches and commits anew.
    await applySettings(update, { versionLock: version, ...(ignoreWaves ? { ignoreWaves } : {}) }, signal);
    if (!(await refreshUntilChosen(update, wish, signal))) continue;
    if (await prepare(update, version, signal)) return;
    failure = new OrderFailed('PrepareFailed', `the host prepared something else than ${version}`);
    // What chooses and what writes read their settings from two files: the second may still be the old one.
    if (round < maxRounds) await delay(update.clock, update.timings.settleMs, signal);
    signal.throwIfAborted();
    checkWanted(wish);
  }
  throw failure;
}

/** One 'no update' after a change of settings is not final: the updater reads them some time after the commit. */
async function refreshUntilChosen(update: UpdateHost, wish: StageWish, signal: AbortSignal): Promise<boolean> {
  const { clock, timings } = update;
  const deadline = clock.monotonic() + timings.settleMs;
  for (;;) {
    const { status } = await refresh(update, signal);
    checkWanted(wish);
    if (status.chosen === wish.version) return true;
    if (clock.monotonic() >= deadline) return false;
    await delay(clock, timings.settlePollMs, signal);
    signal.throwIfAborted();
  }
}

async function refresh(update: UpdateHost, signal: AbortSignal): Promise<ActionResult> {
  try {
    const result = await update.refresh(signal);
    if (!result.command.succeeded) throw new OrderFailed('RefreshFailed', `refresh failed: ${result.command.stderr}`);
    return result;
  } catch (error) {
    throw orderFailedBy(error, 'RefreshFailed');
  }
}

/** False: it succeeded, and what it wrote is not that version. */
async function prepare(update: UpdateHost, version: string, signal: AbortSignal): Promise<boolean> {
  const { command } = await update.run('prepare', signal);
  if (!command.succeeded) {
    throw new OrderFailed(NO_MIGRATION.test(command.stderr) ? 'NoMigration' : 'PrepareFailed', `prepare failed: ${command.stderr}`);
  }
  return provenVersion(command) === version;
}

/** The updater's own words, the only sign by which its API tells this failure from others. */
const NO_MIGRATION = /\bReached end of migration chain\b/;

/** Takes back an activation that has not been booted. */
export async function deactivate(update: UpdateHost, signal: AbortSignal): Promise<ActionResult> {
  const result = await update.run('deactivate', signal);
  if (!result.command.succeeded || result.status.state === 'Ready') {
    throw new OrderFailed('HostRefused', `deactivate failed: ${result.command.stderr}`);
  }
  return result;
}

function checkWanted({ stillWanted }: StageWish): void {
  if (!stillWanted()) throw new OrderWithdrawn('the order was withdrawn');
}
