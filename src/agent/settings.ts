import { savedSettingsSchema } from '../api/node-host.ts';
import type { UpdateSettings } from './host-answers.ts';
import { HostError, HostNothingPending, HostServerError, HostSocketDead } from './host-errors.ts';
import { OrderFailed, orderFailedBy } from './order-failed.ts';
import type { UpdateHost } from './update-host.ts';

/** Our transactions on the host. The second is never committed: it keeps what the settings were. */
const OURS = 'lockkeeper';
const SAVED = 'lockkeeper-saved';

const maxCommits = 3;

/** What the OS takes where a setting is absent; one that was set can only be put back to this. */
const osDefaults = { versionLock: 'latest', ignoreWaves: false } as const;

/** Sets update settings on the host. Resolves when they are in its datastore, some 100 ms before its updater follows them. */
export async function applySettings({ client }: UpdateHost, settings: UpdateSettings, signal: AbortSignal): Promise<void> {
  for (let commits = 1; ; commits += 1) {
    try {
      // What lies in the transaction from before would be committed along.
      await client.deleteTransaction(OURS, signal);
      await client.patchSettings(OURS, settings, signal);
      await client.commitAndApply(OURS, signal);
      return;
    } catch (error) {
      // Committed, but nobody renders it (500); or an earlier commit of ours got through without an answer (422).
      const again = error instanceof HostServerError || error instanceof HostNothingPending;
      if (!again || commits >= maxCommits) throw orderFailedBy(error, 'SettingsFailed');
    }
  }
}

/** Records the settings as they are now: on the NodeHost before anything else, and on the host if that works. */
async function saveSettings({ client, notebook, logger }: UpdateHost, signal: AbortSignal): Promise<void> {
  // What is there now may be ours already.
  if (notebook.status.savedSettings !== undefined) return;
  let prior: UpdateSettings;
  try {
    prior = await client.updateSettings(signal);
  } catch (error) {
    throw orderFailedBy(error, 'SettingsFailed');
  }
  const saved = savedSettingsSchema.safeParse(prior);
  if (!saved.success) throw new OrderFailed('SettingsFailed', 'the settings of the host are too long to be recorded');
  await notebook.write({ savedSettings: saved.data }, signal);
  try {
    await client.deleteTransaction(SAVED, signal);
    await client.patchSettings(SAVED, { ...osDefaults, ...saved.data }, signal);
  } catch (error) {
    if (!(error instanceof HostError) || error instanceof HostSocketDead) throw error;
    logger.debug({ error }, 'the host keeps no copy of its settings');
  }
}

/** Settings that an earlier life recorded on the host alone: its NodeHost is gone since. undefined: none. */
export async function settingsLeftOnHost({ client }: UpdateHost, signal: AbortSignal): Promise<UpdateSettings | undefined> {
  try {
    const left = await client.pendingSettings(SAVED, signal);
    return Object.keys(left).length === 0 ? undefined : left;
  } catch (error) {
    if (!(error instanceof HostError) || error instanceof HostSocketDead) throw error;
    return undefined;
  }
}

/**
 * Puts back what was recorded, where anything is, and notes that it is done. Rejects with an OrderFailed
 * (`SettingsFailed`, `HostUnreachable`, …); the record stays then.
 */
export async function restoreSettings(update: UpdateHost, signal: AbortSignal): Promise<void> {
  const { client, notebook, logger } = update;
  const saved = notebook.status.savedSettings;
  if (saved === undefined) return;
  const wanted = { ...osDefaults, ...saved };
  try {
    const live = { ...osDefaults, ...(await client.updateSettings(signal)) };
    const changed: UpdateSettings = {
      ...(live.versionLock === wanted.versionLock ? {} : { versionLock: wanted.versionLock }),
      ...(live.ignoreWaves === wanted.ignoreWaves ? {} : { ignoreWaves: wanted.ignoreWaves }),
    };
    if (Object.keys(changed).length > 0) await applySettings(update, changed, signal);
    await client.deleteTransaction(SAVED, signal);
  } catch (error) {
    throw orderFailedBy(error, 'SettingsFailed');
  }
  notebook.note({ savedSettings: null });
  logger.info({ settings: wanted }, 'host settings restored');
}

/** Records the settings, lets `work` change them, and puts them back whatever happens. */
export async function withOwnSettings<T>(update: UpdateHost, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  await saveSettings(update, signal);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await putBack(update, signal).catch((second: unknown) => {
      if (second instanceof HostSocketDead) throw second;
      update.logger.error({ error: second }, 'host settings not restored yet');
    });
    throw error;
  }
  await putBack(update, signal);
  return result;
}

/** Also where the program is told to end: then within a short time of its own. */
async function putBack(update: UpdateHost, signal: AbortSignal): Promise<void> {
  if (!signal.aborted) return restoreSettings(update, signal);
  const farewell = new AbortController();
  const cancel = update.clock.setTimeout(() => farewell.abort(signal.reason), update.timings.farewellMs);
  try {
    await restoreSettings(update, farewell.signal);
    await update.notebook.write({}, farewell.signal);
  } finally {
    cancel();
  }
}
