import type { DrainPlan } from '../drain-plan.ts';
import type { Flight } from './flight.ts';
import { listed } from './listed.ts';

/**
 * The volumes that a drained node still has to lose, in words; undefined where there is none. A Node names its volumes and not
 * whose they are: as many as the pods that stay may have attached may stay, too (ADR 0014).
 */
export function volumesToDetach(
  { node, record }: Pick<Flight, 'node' | 'record'>,
  { leave }: Pick<DrainPlan, 'leave'>,
): string | undefined {
  if (record.drain.waitForVolumeDetach !== true) return undefined;
  const attached = node.volumesAttached ?? [];
  const staying = leave.reduce((total, { pod }) => total + (pod.attachable ?? 0), 0);
  const waits = attached.length - staying;
  if (waits <= 0) return undefined;
  const these = staying === 0 ? '' : ` of ${attached.length}`;
  const volumes = attached.length === 1 ? 'volume' : 'volumes';
  return `${waits}${these} attached ${volumes} to be detached: ${listed(attached)}`;
}
