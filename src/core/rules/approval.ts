import { BY_HAND } from '../../api/names.ts';
import { hurries, pass, type Rule } from './rule.ts';

/** Under `approval: Manual`, holds a node until its version is approved, on the policy, the NodeUpdate or the Node. */
export const approval: Rule = (candidate) => {
  const { facts, member, version } = candidate;
  if (facts.view.spec.approval !== 'Manual' || candidate.reboot === true || hurries(candidate)) return pass;
  if (facts.byHand.approved === version || member.byHand.approved === version) return pass;
  return {
    reason: 'AwaitingApproval',
    message: `waits for approval: kubectl annotate updatepolicy ${facts.view.name} --overwrite ${BY_HAND.approvedVersion}=${version}`,
  };
};
