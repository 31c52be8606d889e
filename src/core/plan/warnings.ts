import { AGENT_ADMISSION_POLICY } from '../../api/names.ts';
import type { PlanWarning, PolicyPlan } from '../../api/plan.ts';
import type { World } from '../world.ts';
import type { PolicyDurations } from './durations.ts';
import type { Planned, PolicyState } from './planned.ts';
import { joinBelowTarget, kubernetesTooOld, noCapacity, nodesHeld, nodesPinned, releasesUnknown } from './warnings/nodes.ts';
import { checkFailed, groupUntested, halted, notReady, paused } from './warnings/policy.ts';
import { beyondHorizon, neverOpens, patchDeadline, windowTooShort } from './warnings/schedule.ts';
import type { Source } from './warnings/source.ts';
import { listed, nodesAre } from './warnings/words.ts';

/** What to know of a cluster that no one policy has to do with. */
export function clusterWarnings(world: World, states: readonly PolicyState[]): PlanWarning[] {
  const warnings: PlanWarning[] = [];
  if (!world.guarded)
    warnings.push({
      name: 'AdmissionPolicyMissing',
      endless: true,
      message: `no node is begun while the ValidatingAdmissionPolicy ${AGENT_ADMISSION_POLICY} or its binding is missing: install them again (helm upgrade)`,
    });
  const taken = new Set(states.flatMap(({ nodes }) => nodes.map(({ name }) => name)));
  const without = world.nodes.filter(({ name, os }) => os !== undefined && !taken.has(name)).map(({ name }) => name);
  if (without.length > 0)
    warnings.push({
      name: 'NodesWithoutPolicy',
      endless: false,
      message: `${nodesAre(without, 'has', 'have')} no policy, and ${without.length === 1 ? 'is' : 'are'} not kept up to date: ${listed(without)}`,
      nodes: without,
    });
  return warnings;
}

/** What to know of a policy's rollouts, above all what keeps them from ever ending. */
export function policyWarnings(planned: Planned, plan: PolicyPlan, durations: PolicyDurations | undefined): PlanWarning[] {
  const busy = plan.steps.length > 0 || plan.held.length > 0;
  return (busy ? [...always, ...whileBusy] : always).flatMap((source) => source(planned, plan, durations) ?? []);
}

/** What is to be known of a policy also while there is nothing to do. */
const always: readonly Source[] = [releasesUnknown, nodesPinned];

const whileBusy: readonly Source[] = [
  notReady,
  paused,
  halted,
  neverOpens,
  groupUntested,
  noCapacity,
  nodesHeld,
  joinBelowTarget,
  windowTooShort,
  beyondHorizon,
  checkFailed,
  patchDeadline,
  kubernetesTooOld,
];
