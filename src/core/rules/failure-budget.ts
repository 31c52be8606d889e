import { BY_HAND } from '../../api/names.ts';
import { pass, type Rule } from './rule.ts';

/** Holds every node of a policy of which too many nodes have failed, until a person has looked. */
export const failureBudget: Rule = ({ facts }) =>
  facts.halted
    ? {
        reason: 'Halted',
        message: `policy ${facts.view.name} is halted by failed nodes; to go on: kubectl annotate updatepolicy ${facts.view.name} --overwrite ${BY_HAND.resume}=$(date +%s)`,
      }
    : pass;
