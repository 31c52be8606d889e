import { BY_HAND } from '../api/names.ts';
import type { Order } from '../api/node-host.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import { knownBadFor } from './bad-releases.ts';
import { isBlockedByPods } from './blocked.ts';
import { isUrgent, tokenCommand, tokensOf } from './by-hand.ts';
import type { Command, Verdict } from './command.ts';
import type { Facts, Member } from './facts.ts';
import { asReason } from './reasons.ts';
import { rebootGround } from './reboot-ground.ts';
import { isOf } from './releases.ts';
import { otherOperator } from './rules/managed-by-other.ts';
import { unreadable } from './rules/readable.ts';
import { enter, failureOf, LANDED, passed, type StatusChange, soakingUntil, soakOf } from './status.ts';
import { isCurrent } from './target.ts';
import { backoffMs, type Instant, instant, type NodeView, stagedVersion, timestamp, type World } from './world.ts';

/** A node on the ground: where it stands before any rule is asked. */
export type Ground =
  /** Nothing to be done now; the verdict says why. */
  | { kind: 'settled'; status: NodeUpdateStatus; until?: Instant | undefined }
  /** The agent is downloading. */
  | { kind: 'staging'; status: NodeUpdateStatus }
  /** It should download, as soon as the rules and a slot allow it. */
  | { kind: 'stage'; status: NodeUpdateStatus; version: string; ignoreWaves: boolean; until?: Instant | undefined }
  /** Staged and proven: it waits for its turn. */
  | { kind: 'staged'; status: NodeUpdateStatus; version: string; rollout: string }
  /** It is to reboot into what it runs, and waits for its turn. */
  | { kind: 'reboot'; status: NodeUpdateStatus; version: string; rollout: string };

/** Where a node stands that carries no record and no claim. Pure; the order of its questions is the order of what people read. */
export function groundOf(world: World, facts: Facts, member: Member, now: Instant): Ground {
  const { node, target, status: before } = member;
  const base: StatusChange = { ...LANDED, policy: facts.view.name, tokens: tokensOf(before, member.byHand, facts.byHand) };
  const settle = (phase: 'Idle' | 'Soaking' | 'Blocked' | 'RolledBack', verdict: Verdict, change: StatusChange = {}): Ground => ({
    kind: 'settled',
    status: enter(before, phase, verdict, now, { ...base, ...change }),
    until: verdict.until,
  });
  const running = node.os?.version ?? '';
  const soak = soakOf(before, now);
  const rollsBack = target.version !== undefined && target.rollsBack === true;
  if (soak !== undefined && !rollsBack) return settle('Soaking', soakingUntil(running, soak), { deadlines: { soak } });

  const reboot = rebootGround(facts, member, base, now);
  if (reboot !== undefined) {
    const { from, target: wanted, behindSince } = reboot.status;
    return backsOff({ from, target: wanted, behindSince }) ?? unreported({ from, target: wanted, behindSince }) ?? reboot;
  }

  if (target.version === undefined) {
    const done: StatusChange = isCurrent(target.verdict)
      ? { behindSince: undefined, retryAt: undefined, attempts: undefined, failedOrder: undefined }
      : {};
    return settle('Idle', unreadable(facts, member) ?? target.verdict, { from: running, target: running, ...done });
  }
  const { version, rollout } = target;
  const behindSince = rollsBack ? undefined : (before.behindSince ?? timestamp(now));
  const wanted: StatusChange = { from: running, target: version, behindSince };
  const bad = knownBad(node, before, version);
  if (bad !== undefined) return settle('RolledBack', bad, wanted);
  const marked = before.phase === 'RolledBack' ? knownBadFor(facts, node, version) : undefined;
  if (marked !== undefined) return settle('RolledBack', marked, wanted);
  const early = backsOff(wanted) ?? unreported(wanted);
  if (early !== undefined) return early;
  if (stagedVersion(node) === version) {
    const barred = isBlockedByPods(before);
    const known = barred || before.phase === 'Staged' ? asReason(before.reason) : undefined;
    const status = enter(
      before,
      before.phase === 'Blocked' ? 'Blocked' : 'Staged',
      // What holds it is found later, and is mostly what held it before.
      known === undefined ? { reason: 'Preflight', message: `${version} is staged` } : { reason: known, message: before.message ?? '' },
      now,
      {
        ...base,
        ...wanted,
        retryAt: barred ? before.retryAt : undefined,
        failedOrder: undefined,
        ...(before.failedOrder !== undefined && { attempts: undefined }),
      },
    );
    return { kind: 'staged', status, version, rollout };
  }
  const ignoreWaves = rollsBack || facts.view.spec.version.ignoreWaves || isUrgent(version, member.byHand, facts.byHand);
  return staging({ world, node, before, version, ignoreWaves, change: { ...base, ...wanted }, now });

  function backsOff(change: StatusChange): Ground | undefined {
    if (before.phase !== 'Blocked' || isBlockedByPods(before) || passed(before.retryAt, now)) return undefined;
    const until = instant(before.retryAt ?? '');
    return settle('Blocked', { reason: asReason(before.reason) ?? 'CannotEvict', message: before.message ?? '', until }, change);
  }

  function unreported(change: StatusChange): Ground | undefined {
    if (node.host?.status.version !== undefined && node.host.status.bootID === node.bootID) return undefined;
    const verdict: Verdict =
      otherOperator(node) ??
      (node.agent === 'missing'
        ? { reason: 'AgentMissing', message: 'waits for a Ready agent pod on the node' }
        : { reason: 'AwaitingReport', message: 'waits for the agent to report the host as it is since its last boot' });
    return settle('Idle', verdict, change);
  }
}

interface Staging {
  world: World;
  node: NodeView;
  before: NodeUpdateStatus;
  version: string;
  ignoreWaves: boolean;
  change: StatusChange;
  now: Instant;
}

function staging(wanted: Staging): Ground {
  const { world, node, before, version, ignoreWaves, change, now } = wanted;
  const order = node.host?.spec.order;
  const answer = order !== undefined && node.host?.status.answer?.id === order.id ? node.host.status.answer : undefined;
  if (order?.action !== 'Stage' || order.version !== version)
    return { kind: 'stage', status: enter(before, 'Idle', toStage(version), now, change), version, ignoreWaves };
  switch (answer?.state) {
    case undefined:
    case 'Running':
    case 'RebootAsked': {
      const verdict: Verdict =
        node.agent === 'missing'
          ? { reason: 'AgentMissing', message: `the agent that is to download ${version} is gone` }
          : { reason: 'Staging', message: `the host downloads ${version}` };
      return { kind: 'staging', status: enter(before, 'Staging', verdict, now, change) };
    }
    case 'Unsupported':
      return {
        kind: 'settled',
        status: enter(
          before,
          'Idle',
          { reason: 'AgentOutdated', message: 'the agent does not know the Stage order: upgrade the agents' },
          now,
          change,
        ),
      };
    case 'Failed':
    case 'Done': {
      const words =
        answer.error === undefined ? `${version} is no longer proven to be staged` : `${answer.error.code}: ${answer.error.message}`;
      const counted = before.failedOrder === order.id;
      // Counted and without a wait: a retry was asked for. Nor is there a wait for leave to pass the waves.
      const again = counted && before.retryAt === undefined;
      if (again || (ignoreWaves && order.ignoreWaves !== true))
        return { kind: 'stage', status: enter(before, 'Idle', toStage(version), now, change), version, ignoreWaves };
      const attempts = (before.attempts ?? 0) + (counted ? 0 : 1);
      const retryAt = (counted ? before.retryAt : undefined) ?? timestamp(now + backoffMs(world.retry, attempts));
      if (answer.error?.code === 'NotOffered' && isOfferedToOthers(wanted))
        return waveNotOpen(wanted, { attempts, retryAt, failedOrder: order.id });
      const verdict: Verdict = {
        reason: 'StagingFailed',
        message: `downloading ${version} failed ${attempts === 1 ? 'once' : `${attempts} times`}, is tried again at ${retryAt}: ${words}`,
      };
      const status = enter(before, 'Staging', verdict, now, { ...change, attempts, retryAt, failedOrder: order.id });
      return passed(retryAt, now) ? { kind: 'stage', status, version, ignoreWaves } : { kind: 'settled', status, until: instant(retryAt) };
    }
  }
}

/** Others see the release, and this host does not: releases open host by host. It is no failure, but asked for again with the same backoff. */
function waveNotOpen(
  { before, version, ignoreWaves, change, now }: Staging,
  tried: { attempts: number; retryAt: string; failedOrder: string },
): Ground {
  const verdict: Verdict = {
    reason: 'WaveNotOpen',
    message: `other hosts are offered ${version}, this one is not yet: waits for its wave, and asks again at ${tried.retryAt} (version.ignoreWaves does not wait)`,
  };
  const status = enter(before, 'Idle', verdict, now, { ...change, ...tried });
  return passed(tried.retryAt, now)
    ? { kind: 'stage', status, version, ignoreWaves }
    : { kind: 'settled', status, until: instant(tried.retryAt) };
}

function isOfferedToOthers({ world, node: { name, os }, version }: Staging): boolean {
  return world.nodes.some(
    (other) =>
      other.name !== name &&
      other.os !== undefined &&
      os !== undefined &&
      isOf(os, other.os) &&
      other.host?.status.available?.includes(version),
  );
}

/** The order to download a version; each attempt is an order of its own. */
export function stageOrder({ version, ignoreWaves }: Pick<Ground & { kind: 'stage' }, 'version' | 'ignoreWaves'>, now: Instant): Order {
  return { id: `stage-${version}-${now.toString(36)}`, action: 'Stage', version, ...(ignoreWaves && { ignoreWaves }) };
}

/** The status of a node whose Stage order is being given. */
export function stagingBegun(
  status: NodeUpdateStatus,
  wanted: Pick<Ground & { kind: 'stage' }, 'version' | 'ignoreWaves'>,
  now: Instant,
): { status: NodeUpdateStatus; commands: Command[] } {
  const { version } = wanted;
  return {
    status: enter(status, 'Staging', { reason: 'Staging', message: `the host downloads ${version}` }, now, { retryAt: undefined }),
    commands: [{ type: 'Order', order: stageOrder(wanted, now) }],
  };
}

const toStage = (version: string): Verdict => ({ reason: 'AwaitingStagingSlot', message: `waits to download ${version}` });

function knownBad({ name }: NodeView, status: NodeUpdateStatus, version: string): Verdict | undefined {
  const failure = failureOf(status, version);
  if (failure === undefined) return undefined;
  const what = failure.message ?? `${version} failed on this machine before (${failure.reason})`;
  return {
    reason: 'KnownBad',
    message: `${what}; not tried again by itself; to try it again: ${tokenCommand('nodeupdate', name, BY_HAND.retry)}`,
  };
}
