import { OTHER_OPERATOR_LABEL } from '../../api/names.ts';
import { isOfOtherOperator } from '../assign.ts';
import type { Verdict } from '../command.ts';
import type { NodeView } from '../world.ts';
import type { Rule } from './rule.ts';

/** Holds a node that the OS's existing operator has its agent on: two hands on one host do harm. */
export const managedByOther: Rule = ({ node }) => otherOperator(node);

/** What holds a node that another operator manages. */
export const otherOperator = (node: NodeView): Verdict | undefined =>
  isOfOtherOperator(node)
    ? {
        reason: 'ManagedByOther',
        message: `the label ${OTHER_OPERATOR_LABEL} gives the node to another operator: remove it to have Lockkeeper update the node`,
      }
    : undefined;
