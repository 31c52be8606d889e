import { zoneOfNode } from '../turn.ts';
import { pass, type Rule } from './rule.ts';

/** Holds the nodes of later zones while nodes of an earlier one are to come; nodes of finished groups are late, and free of it. */
export const zone: Rule = ({ turn, member, facts, node }) => {
  if (turn?.zone === undefined || member.group !== turn.group || node.name === facts.ownNode) return pass;
  const own = zoneOfNode(facts, node);
  if (own <= turn.zone) return pass;
  return { reason: 'AwaitingZone', message: `waits for the nodes of zone ${turn.zone || '(none)'}: zones go one after the other` };
};
