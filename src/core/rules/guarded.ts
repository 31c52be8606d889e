import { pass, type Rule } from './rule.ts';

/** Holds every node while nothing limits the agents: no order may be given then. */
export const guarded: Rule = ({ world }) =>
  world.guarded
    ? pass
    : {
        reason: 'AdmissionPolicyMissing',
        message: 'waits for the ValidatingAdmissionPolicy lockkeeper-agent and its binding: install them again (helm upgrade)',
      };
