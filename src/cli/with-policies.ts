import type { PolicyPlan } from '../api/plan.ts';
import type { PolicyView } from '../core/world.ts';
import type { PolicyFile } from './policy-file.ts';

/** The policies as they would be once files were applied, as `kubectl apply` does it: status and other annotations stay. */
export function withPolicies(
  inCluster: readonly PolicyView[],
  files: readonly PolicyFile[],
): { policies: PolicyView[]; sources: Map<string, PolicyPlan['source']> } {
  const policies = new Map(inCluster.map((policy) => [policy.name, policy]));
  const sources = new Map<string, PolicyPlan['source']>();
  for (const { name, annotations, spec } of files) {
    const known = policies.get(name);
    sources.set(name, known === undefined ? 'New' : 'Changed');
    policies.set(
      name,
      known === undefined
        ? { name, uid: `planned-${name}`, resourceVersion: '0', generation: 1, deleting: false, annotations, spec, status: {} }
        : { ...known, generation: known.generation + 1, annotations: { ...known.annotations, ...annotations }, spec },
    );
  }
  return { policies: [...policies.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), sources };
}
