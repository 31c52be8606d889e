import type { PlanWarning, PolicyPlan } from '../../../api/plan.ts';
import type { PolicyDurations } from '../durations.ts';
import type { Planned } from '../planned.ts';

/** What to know of a policy's plan, if there is anything. */
export type Source = (planned: Planned, plan: PolicyPlan, durations: PolicyDurations | undefined) => PlanWarning | undefined;
