import { planDrain } from '../drain-plan.ts';
import { ridesThrough } from '../flight/draining.ts';
import { pass, type Rule } from './rule.ts';

/** Holds a node whose pods may never be evicted as things stand: found before a slot is taken. */
export const preflight: Rule = ({ world, facts, node }) => {
  const pods = world.pods.get(node.name);
  if (pods === undefined) return { reason: 'Preflight', message: 'its pods are being looked at' };
  const { errors } = planDrain(pods, facts.view.spec.drain, ridesThrough({ world, node }));
  return errors.length === 0 ? pass : { reason: 'CannotEvict', message: errors.join('; ') };
};
