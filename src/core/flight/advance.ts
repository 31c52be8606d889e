import type { NodeUpdateStatus, Phase } from '../../api/node-update.ts';
import { draining } from './draining.ts';
import { failed } from './failed.ts';
import { cancelled, type Flight, hasRebooted, rebootOrdered, type Step, wayBack } from './flight.ts';
import { uncordoning } from './outcomes.ts';
import { rebooting } from './rebooting.ts';
import { rollingBack } from './rolling-back.ts';
import { verifying } from './verifying.ts';

type FlightPhase = 'Draining' | 'Rebooting' | 'Verifying' | 'RollingBack' | 'Failed' | 'Uncordoning';

/**
 * One step in the flight of a node that carries our record. Any pass may be the first after a crash: the phase that was persisted is
 * only believed where it belongs to this claim, and the letterbox and the boot ID overrule it.
 */
export function advance(seen: Flight): Step {
  const believable = { ...seen, status: believed(seen) };
  const phase = phaseOf(believable);
  // One that has failed acts upon a retry itself; on its way back it does so when it is back.
  const flight = phase === 'Failed' || phase === 'RollingBack' ? believable : withTokens(believable);
  switch (phase) {
    case 'Draining':
      return draining(flight);
    case 'Rebooting':
      return rebooting(flight);
    case 'Verifying':
      return verifying(flight);
    case 'RollingBack':
      return rollingBack(flight);
    case 'Failed':
      return failed(flight);
    case 'Uncordoning':
      return uncordoning(wayBack(flight));
  }
}

/**
 * A retry forgets the failures that it finds, those of before this claim; what fails from then on is not meant. A token for a reboot is
 * used up once that has come about.
 */
function withTokens(flight: Flight): Flight {
  const { tokens, record, status, retried } = flight;
  const rebooted = hasRebooted(flight) ? record.reboot : undefined;
  if (tokens === undefined && rebooted === undefined) return flight;
  const { failures: _, ...forgiven } = status;
  return { ...flight, status: { ...(retried ? forgiven : status), tokens: { ...(tokens ?? status.tokens), ...rebooted } } };
}

function believed({ status, record }: Flight): NodeUpdateStatus {
  if (status.claim === record.claim) return status;
  const {
    phase: _phase,
    since: _since,
    reason: _reason,
    next: _next,
    because: _because,
    drain: _drain,
    hooks: _hooks,
    deadlines: _deadlines,
    ...kept
  } = status;
  return kept;
}

function phaseOf(flight: Flight): FlightPhase {
  const { status, node } = flight;
  const persisted = inFlightPhase(status.phase);
  if (flight.record.rollback !== undefined) {
    const back = wayBack(flight);
    if (persisted === 'Failed' || persisted === 'Uncordoning') return persisted;
    return cancelled(back) && !hasRebooted(back) ? 'Uncordoning' : 'RollingBack';
  }
  const lost = persisted === undefined && node.host === undefined;
  const phase =
    persisted === undefined || persisted === 'Draining' ? (rebootOrdered(flight) || lost ? 'Rebooting' : 'Draining') : persisted;
  const underway = phase === 'Draining' || phase === 'Rebooting';
  return underway && cancelled(flight) && !hasRebooted(flight) ? 'Uncordoning' : phase;
}

function inFlightPhase(phase: Phase | undefined): FlightPhase | undefined {
  switch (phase) {
    case 'Draining':
    case 'Rebooting':
    case 'Verifying':
    case 'RollingBack':
    case 'Failed':
    case 'Uncordoning':
      return phase;
    case undefined:
    case 'Idle':
    case 'Staging':
    case 'Staged':
    case 'Blocked':
    case 'Soaking':
    case 'RolledBack':
      return undefined;
  }
}
