import { OTHER_OPERATOR_LABEL } from '../../api/names.ts';
import { pass, type Rule } from './rule.ts';

/** Holds a node that the OS's existing operator has its agent on: two hands on one host do harm. */
export const managedByOther: Rule = ({ node }) =>
  OTHER_OPERATOR_LABEL in node.labels
    ? {
        reason: 'ManagedByOther',
        message: `the label ${OTHER_OPERATOR_LABEL} gives the node to another operator: remove it to have Lockkeeper update the node`,
      }
    : pass;
