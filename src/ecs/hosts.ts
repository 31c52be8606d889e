import { createHash } from 'node:crypto';
import { answerTo, isFinal } from '../agent/answers.ts';
import type { Answer, ErrorCode, NodeHostStatus, Order } from '../api/node-host.ts';
import { durationMs } from '../api/primitives.ts';
import type { Instant } from '../core/world.ts';
import { attemptName, type HostScript } from './host-script.ts';
import type { InstanceRecord } from './records.ts';

/** How long a request for a reboot is carried out by the host after it was written down, in milliseconds of the host's clock. */
export const REBOOT_WINDOW_MS = 120_000;
/** By how much two machines' clocks may differ. */
export const CLOCK_MARGIN_MS = 60_000;
/** A request for a reboot that is not sent by then is not sent any more. */
const LEAST_WINDOW_MS = 20_000;
const MAX_ATTEMPTS = 3;
const JITTER = 0.1;
const UNREACHABLE_MS = { base: 30_000, max: 900_000 } as const;

/** What is to be done next about a host. */
export type Next =
  | { do: 'nothing' }
  /** Only to be written down. */
  | { do: 'write'; record: InstanceRecord }
  /** To be written down first, where `record` is there, then sent. */
  | { do: 'send'; script: HostScript; order?: string; record?: InstanceRecord };

/** What is known besides the record. */
export interface Circumstances {
  name: string;
  /** The ECS agent is connected: before that a host that reboots is not asked. */
  connected: boolean;
  now: Instant;
  /** When the last report that was read was asked for; absent where none was since this process began. */
  reportedAt?: Instant;
  /** Whatever is due: this process wants to hear of it once. */
  anew?: boolean;
}

/** Decides what a host is asked next: at most one command is under way on each. Pure. */
export function nextFor(record: InstanceRecord, about: Circumstances): Next {
  if (record.command !== undefined) return { do: 'nothing' };
  const { order } = record.host.spec;
  const { status } = record.host;
  if (status.bootID === undefined)
    return about.connected && isDue(record, about) ? { do: 'send', script: { kind: 'Refresh' } } : { do: 'nothing' };
  if (order !== undefined && !(status.answer?.id === order.id && isFinal(status.answer.state))) {
    const next = carryOut(record, order, about);
    if (next !== undefined) return next;
  }
  const waits = status.answer?.state === 'RebootAsked';
  if (!about.connected || !(waits || isDue(record, about))) return { do: 'nothing' };
  const restore = restoring(status);
  return { do: 'send', script: waits ? look(record) : { kind: 'Refresh', ...restore } };
}

const look = ({ reboot }: InstanceRecord): HostScript => ({
  kind: 'Look',
  ...(reboot !== undefined && { attempt: attemptName(reboot.order, reboot.attempt) }),
});

/** When a host is to be asked next by time alone. */
export function dueAt({ refreshedAt, unreachable, host }: InstanceRecord, name: string): Instant {
  if (unreachable !== undefined)
    return (refreshedAt ?? 0) + Math.min(UNREACHABLE_MS.max, UNREACHABLE_MS.base * 2 ** Math.min(10, unreachable.times));
  if (refreshedAt === undefined) return 0;
  const share = createHash('sha256').update(`${name} ${refreshedAt}`).digest().readUInt32BE() / 2 ** 32;
  return refreshedAt + durationMs(host.spec.refreshInterval) * (1 - JITTER + 2 * JITTER * share);
}

const isDue = (record: InstanceRecord, { name, now, anew }: Circumstances): boolean => anew === true || dueAt(record, name) <= now;

function carryOut(record: InstanceRecord, order: Order, about: Circumstances): Next | undefined {
  // What may still follow on an earlier order comes first.
  const { answer: given } = record.host.status;
  if (given?.state === 'RebootAsked' && given.id !== order.id) return cancel(record, order, about);
  switch (order.action) {
    case 'Stage':
      return stage(record, order, about);
    case 'Reboot':
      return reboot(record, order, about);
    case 'Cancel':
      // Where no reboot was asked for, nothing was activated: there is nothing to take back.
      return answer(record, order, 'Done', about.now);
  }
}

function stage(record: InstanceRecord, order: Order, { now }: Circumstances): Next {
  const { status } = record.host;
  const { bootID = '' } = status;
  if (order.version === undefined) return answer(record, order, 'Unsupported', now);
  const begun: InstanceRecord = {
    ...record,
    host: { ...record.host, status: { ...withoutProof(status), answer: answerTo(order, 'Running', status.answer, now) } },
  };
  const choose = record.chooseFor === order.id ? { choose: { ignoreWaves: order.ignoreWaves === true } } : {};
  return {
    do: 'send',
    script: { kind: 'Stage', bootID, version: order.version, ...choose, ...restoring(status) },
    order: order.id,
    record: begun,
  };
}

function reboot(record: InstanceRecord, order: Order, { now, reportedAt = 0 }: Circumstances): Next | undefined {
  const { status } = record.host;
  const { version, bootID } = order;
  if (version === undefined || bootID === undefined) return answer(record, order, 'Unsupported', now);
  const alone = status.version === version;
  const fenced = status.answer?.id === order.id && status.answer.state === 'RebootAsked' && record.reboot?.order === order.id;
  if (!fenced) {
    if (status.bootID !== bootID) return answer(record, order, 'Failed', now, 'BootIDChanged', `ordered for boot ${bootID}, which is over`);
    if (!alone && status.staged?.version !== version)
      return answer(record, order, 'Failed', now, 'ProofLost', `there is no proof that ${version} is what is staged`);
    return send(asked(record, order, 1, alone, now));
  }
  const { attempt, notAfter, sent } = record.reboot ?? { attempt: MAX_ATTEMPTS, notAfter: 0, sent: true };
  // Nobody knows whether the process before has sent it: the host carries it out once.
  if (!sent && now < notAfter - LEAST_WINDOW_MS) return send(record);
  const over = notAfter + CLOCK_MARGIN_MS;
  if (attempt < MAX_ATTEMPTS && reportedAt > over) return send(asked(record, order, attempt + 1, alone, now));
  return undefined;

  function send(written: InstanceRecord): Next | undefined {
    const { attempt = 1, notAfter = 0 } = written.reboot ?? {};
    const proof = alone ? undefined : written.host.status.staged?.lastCommandAt;
    // Without its proof nothing is activated, and a reboot alone is not what was ordered.
    if (!alone && proof === undefined) return undefined;
    return {
      do: 'send',
      order: order.id,
      script: {
        kind: 'Reboot',
        bootID: bootID ?? '',
        attempt: attemptName(order.id, attempt),
        notAfter,
        again: attempt > 1,
        ...(proof !== undefined && { proof }),
      },
      ...(written !== record && { record: written }),
    };
  }
}

/** The fence: whoever writes another order sees it, and whoever has seen an older record cannot write it. */
function asked(record: InstanceRecord, order: Order, attempt: number, alone: boolean, now: Instant): InstanceRecord {
  const { status } = record.host;
  return {
    ...record,
    reboot: { order: order.id, attempt, notAfter: now + REBOOT_WINDOW_MS, sent: false },
    // Where nothing is activated, no proof must seem to say that nothing was asked for.
    host: {
      ...record.host,
      status: { ...(alone ? withoutProof(status) : status), answer: answerTo(order, 'RebootAsked', status.answer, now) },
    },
  };
}

/** Has no reboot follow on an earlier order, as far as that can still be had. */
function cancel({ host, reboot }: InstanceRecord, order: Order, { now, connected, reportedAt = 0 }: Circumstances): Next | undefined {
  if (!connected || reboot === undefined || (reportedAt > 0 && now - reportedAt < CLOCK_MARGIN_MS / 2)) return undefined;
  const attempts = Array.from({ length: reboot.attempt }, (_, index) => attemptName(reboot.order, index + 1));
  return { do: 'send', script: { kind: 'Cancel', attempts, ...restoring(host.status) }, order: order.id };
}

/** Answers an order without asking the host. */
export function answer(
  record: InstanceRecord,
  order: Order,
  state: Answer['state'],
  now: Instant,
  code?: ErrorCode,
  message = '',
): Next & { do: 'write' } {
  const { status } = record.host;
  const given = answerTo(order, state, status.answer, now);
  return {
    do: 'write',
    record: {
      ...record,
      host: {
        ...record.host,
        status: { ...status, answer: { ...given, ...(code !== undefined && { error: { code, message: message.slice(0, 2_000) } }) } },
      },
    },
  };
}

const restoring = ({ savedSettings }: NodeHostStatus) => (savedSettings === undefined ? {} : { restore: savedSettings });

export function withoutProof({ staged: _staged, ...status }: NodeHostStatus): NodeHostStatus {
  return status;
}
