import { describe, expect, test } from '@jest/globals';
import { PHASES } from '../api/node-update.ts';
import { lifecycleOf } from './lifecycle.ts';

describe('lifecycleOf', () => {
  test.each([
    ['Staged', ['MaintenancePlanned']],
    ['Draining', ['MaintenanceInProgress', 'DrainInProgress']],
    ['Rebooting', ['MaintenanceInProgress', 'Drained']],
    ['Verifying', ['MaintenanceInProgress', 'Drained']],
    ['Failed', ['MaintenanceInProgress', 'Drained']],
    ['Uncordoning', ['MaintenanceInProgress']],
  ] as const)('%s', (phase, conditions) => {
    expect(lifecycleOf(phase)).toEqual(conditions);
  });

  test('a node that is let alone carries none', () => {
    const busy = new Set(['Staged', 'Draining', 'Rebooting', 'Verifying', 'RollingBack', 'Failed', 'Uncordoning']);
    for (const phase of PHASES) expect({ phase, none: lifecycleOf(phase).length === 0 }).toEqual({ phase, none: !busy.has(phase) });
  });
});
