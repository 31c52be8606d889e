import { answerTo, rebootDone } from '../agent/answers.ts';
import type { UpdateStatus } from '../agent/host-answers.ts';
import { activationNeverHappened, proofAfter, proofHolds, proofOf, provenVersion } from '../agent/proof.ts';
import type { ErrorCode, NodeHostStatus } from '../api/node-host.ts';
import { type Instant, timestamp } from '../core/world.ts';
import type { HostReport } from './host-report.ts';
import { answer, CLOCK_MARGIN_MS, withoutProof } from './hosts.ts';
import type { CommandKind, InstanceRecord } from './records.ts';

/** A command that has ended, and when it was sent. */
export interface Ended {
  kind: CommandKind;
  order?: string | undefined;
  at: Instant;
}

const MAX_AVAILABLE = 64;

/** What is known of a host after a command has ended with a report. Pure. */
export function learn(before: InstanceRecord, report: HostReport, ended: Ended, now: Instant): InstanceRecord {
  const { unreachable: _unreachable, command: _command, ...reached } = before;
  const known = withFacts(reached, report, now);
  const reviewed = withProof(known, report, ended);
  const news = ended.kind === 'Refresh' || ended.kind === 'Stage' ? withNews(reviewed, report, now) : reviewed;
  return answered(withSettings(news, report), report, ended, now);
}

/** What is known of a host after a command has ended without a report. Pure. */
export function learnNothing(before: InstanceRecord, ended: Ended, words: string, now: Instant): InstanceRecord {
  const { command: _command, unreachable, ...record } = before;
  const failed: InstanceRecord = {
    ...record,
    refreshedAt: now,
    unreachable: { since: unreachable?.since ?? now, times: (unreachable?.times ?? 0) + 1 },
  };
  const { order } = record.host.spec;
  if (ended.kind !== 'Stage' || order?.id !== ended.order || order === undefined) return failed;
  return answer(failed, order, 'Failed', now, 'HostUnreachable', words).record;
}

function withFacts(record: InstanceRecord, { bootID, os }: HostReport, now: Instant): InstanceRecord {
  const { status, spec } = record.host;
  const facts = { version: os.version, variant: os.variant, arch: os.arch, bootID };
  if (status.bootID === bootID) return { ...record, host: { spec, status: { ...status, ...facts } } };
  // No proof outlives a boot, and none of the host's news is certain after it.
  const { refreshedAt: _refreshedAt, ...anew } = record;
  const { answer } = status;
  const askedUnder = spec.order?.id === answer?.id ? spec.order?.bootID : status.bootID;
  const over = answer?.state === 'RebootAsked' && askedUnder !== undefined && askedUnder !== bootID;
  const { reboot: _reboot, ...rebooted } = anew;
  return {
    ...(over ? rebooted : anew),
    host: { spec, status: { ...withoutProof(status), ...facts, ...(over && { answer: rebootDone(answer, now) }) } },
  };
}

function withProof(record: InstanceRecord, { status, before }: HostReport, { kind }: Ended): InstanceRecord {
  const { staged } = record.host.status;
  const proof = kind === 'Stage' ? proofOf(status) : kind === 'Refresh' && status ? proofAfter(staged, before, status) : staged;
  // An activation of our own is what a later attempt, and whoever cancels it, is told by.
  const underWay = kind === 'Reboot' || record.host.status.answer?.state === 'RebootAsked';
  const holds = proof !== undefined && (underWay || proofHolds(proof, status));
  return withStatus(record, { ...withoutProof(record.host.status), ...(holds && { staged: proof }) });
}

function withNews(record: InstanceRecord, { status, refreshed }: HostReport, now: Instant): InstanceRecord {
  const news: UpdateStatus | undefined = refreshed ?? status;
  const { refreshError: _refreshError, ...host } = record.host.status;
  const failed = news === undefined || (news.command?.type === 'refresh' && !news.command.succeeded);
  const message = (news?.command?.stderr ?? 'the host has no answer').slice(0, 2_000);
  return {
    ...withStatus(record, {
      ...host,
      ...(failed
        ? { refreshError: { code: 'RefreshFailed', message, at: timestamp(now) } }
        : { available: [...news.available].slice(0, MAX_AVAILABLE) }),
    }),
    refreshedAt: now,
  };
}

/** Settings that were changed count as put back once the host shows them as they were. */
function withSettings(record: InstanceRecord, { settings }: HostReport): InstanceRecord {
  const { savedSettings, ...status } = record.host.status;
  if (savedSettings === undefined) return record;
  const { versionLock = 'latest', ignoreWaves = false } = savedSettings;
  const back = (settings.versionLock ?? 'latest') === versionLock && (settings.ignoreWaves ?? false) === ignoreWaves;
  return back ? withStatus(record, status) : record;
}

function answered(record: InstanceRecord, report: HostReport, ended: Ended, now: Instant): InstanceRecord {
  const { order } = record.host.spec;
  if (ended.kind === 'Look') return refusedReboot(record, report, report.attemptRefused, now);
  if (order === undefined || order.id !== ended.order) return record;
  const refused = typeof report.result === 'object' ? report.result.refused : undefined;
  switch (ended.kind) {
    case 'Stage':
      return staged(record, report, refused, now);
    case 'Reboot':
      return refusedReboot(record, report, refused, now);
    case 'Cancel': {
      const { reboot, ...cancelled } = record;
      const late = ended.at > (reboot?.notAfter ?? 0) + CLOCK_MARGIN_MS;
      const never = late && activationNeverHappened(record.host.status.staged, report.status);
      if (report.result !== 'cancelled' && !never) return record;
      if (order.action === 'Cancel') return answer(cancelled, order, 'Done', now).record;
      const { answer: _over, ...status } = record.host.status;
      return withStatus(cancelled, status);
    }
    case 'Refresh':
      return record;
  }
}

/** What a later attempt says is no word of the earlier ones, of which one may be under way. */
function refusedReboot(record: InstanceRecord, { status }: HostReport, refused: ErrorCode | undefined, now: Instant): InstanceRecord {
  const { reboot } = record;
  const { order } = record.host.spec;
  const { answer: given } = record.host.status;
  if (refused === undefined || order === undefined || reboot?.attempt !== 1) return record;
  if (given?.state !== 'RebootAsked' || given.id !== order.id || reboot.order !== order.id) return record;
  return answer(record, order, 'Failed', now, refused, wordsOf(status) || 'the host refused the reboot').record;
}

function staged(record: InstanceRecord, report: HostReport, refused: ErrorCode | undefined, now: Instant): InstanceRecord {
  const { status: host, spec } = record.host;
  const { order } = spec;
  if (order?.version === undefined) return record;
  const { version } = order;
  const fail = (code: ErrorCode, words: string) => answer(record, order, 'Failed', now, code, words).record;
  if (refused !== undefined) return fail(refused, 'the host has booted since the order was given');
  if (host.staged?.version === version) {
    const { chooseFor: _chooseFor, ...done } = record;
    return { ...done, host: { spec, status: { ...host, answer: answerTo(order, 'Done', host.answer, now) } } };
  }
  const { status, refreshed } = report;
  if (refreshed?.command?.type === 'refresh' && !refreshed.command.succeeded)
    return fail('RefreshFailed', `refresh failed: ${wordsOf(refreshed)}`);
  const chosen = refreshed?.chosen === version;
  const offered = order.ignoreWaves === true || refreshed?.available.includes(version) === true;
  if (!chosen && record.chooseFor !== order.id && offered) {
    const { versionLock = 'latest', ignoreWaves = false } = report.settings;
    // Kept before the host's settings are changed, so that whoever goes on can put them back.
    return withStatus({ ...record, chooseFor: order.id }, { ...host, savedSettings: host.savedSettings ?? { versionLock, ignoreWaves } });
  }
  if (!chosen) return fail('NotOffered', `${version} is not among the versions offered to this host (its wave may not have opened)`);
  if (status?.command?.type === 'prepare' && !status.command.succeeded)
    return fail(NO_MIGRATION.test(status.command.stderr) ? 'NoMigration' : 'PrepareFailed', `prepare failed: ${wordsOf(status)}`);
  return fail('PrepareFailed', `the host prepared ${provenVersion(status?.command) ?? 'nothing'} and not ${version}`);
}

/** The updater's own words, the only sign by which its API tells this failure from others. */
const NO_MIGRATION = /\bReached end of migration chain\b/;

const wordsOf = (status: UpdateStatus | undefined): string => (status?.command?.stderr ?? '').trim().slice(0, 1_500);

const withStatus = (record: InstanceRecord, status: NodeHostStatus): InstanceRecord => ({ ...record, host: { ...record.host, status } });
