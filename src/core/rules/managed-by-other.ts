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
        message: `the OS's existing operator has its agents on nodes with the label ${OTHER_OPERATOR_LABEL}: kubectl lockkeeper migrate moves them all over; without the label this node alone is Lockkeeper's`,
      }
    : undefined;
