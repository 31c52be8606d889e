import { planDrain } from '../drain-plan.ts';
import { drainContext, drainSettings } from '../drain-settings.ts';
import { pass, type Rule } from './rule.ts';

/** Holds a node whose pods may never be evicted as things stand: found before a slot is taken. */
export const preflight: Rule = ({ world, facts, node }, now) => {
  if (facts.view.spec.drain.mode === 'None') return pass;
  const pods = world.pods.get(node.name);
  if (pods === undefined) return { reason: 'Preflight', message: 'its pods are being looked at' };
  const { errors, barred } = planDrain(pods, drainSettings(facts.view.spec), { ...drainContext(world, node, now), budgets: world.budgets });
  return errors.length === 0 ? pass : { reason: 'CannotEvict', message: errors.join('; '), barred };
};
