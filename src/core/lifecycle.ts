import type { Phase } from '../api/node-update.ts';

/** Node conditions by which upstream wants maintenance to be told (KEP-5683, alpha in Kubernetes 1.37). */
export const LIFECYCLE_CONDITIONS = ['MaintenancePlanned', 'MaintenanceInProgress', 'DrainInProgress', 'Drained'] as const;
export type LifecycleCondition = (typeof LIFECYCLE_CONDITIONS)[number];

/** The lifecycle conditions that a node in a phase carries, all of them True; one that does not hold is not there at all. */
export function lifecycleOf(phase: Phase | undefined): readonly LifecycleCondition[] {
  switch (phase) {
    case 'Staged':
      return ['MaintenancePlanned'];
    case 'Draining':
      return ['MaintenanceInProgress', 'DrainInProgress'];
    case 'Rebooting':
    case 'Verifying':
    case 'RollingBack':
    case 'Failed':
      return ['MaintenanceInProgress', 'Drained'];
    case 'Uncordoning':
      return ['MaintenanceInProgress'];
    case 'Idle':
    case 'Staging':
    case 'Soaking':
    case 'Blocked':
    case 'RolledBack':
    case undefined:
      return [];
  }
}
