import { BY_HAND } from '../../../api/names.ts';
import { countedFailures } from '../../rollouts.ts';
import type { Source } from './source.ts';

/** What of the policy cannot be read. */
export const notReady: Source = ({ facts: { problems } }) =>
  problems.length === 0
    ? undefined
    : { name: 'PolicyNotReady', endless: true, message: `no node is begun until this is put right: ${problems.join('; ')}` };

/** A person has paused the policy. */
export const paused: Source = ({ policy, facts }) => {
  if (!facts.paused) return undefined;
  const how = policy.spec.paused ? 'set spec.paused to false' : `kubectl annotate updatepolicy ${policy.name} ${BY_HAND.paused}-`;
  return { name: 'Paused', endless: true, message: `the policy is paused: no node is begun until it is resumed: ${how}` };
};

/** Too many nodes failed. */
export const halted: Source = ({ facts }) => {
  if (facts.halt === undefined) return undefined;
  const nodes = countedFailures(facts.rollouts).map(({ node }) => node);
  return { name: 'Halted', endless: true, message: facts.halt.message, nodes };
};

/** A group waits for a person, and all later ones for it. */
export const groupUntested: Source = (_planned, { held }) => {
  const message = held.find(({ reason }) => reason === 'GroupUntested')?.message;
  return message === undefined ? undefined : { name: 'GroupUntested', endless: true, message };
};

/** A check fails now, as a node says. */
export const checkFailed: Source = ({ nodes }) => {
  const status = nodes.find(({ update }) => update?.status.reason === 'CheckFailed')?.update?.status;
  if (status === undefined) return undefined;
  return {
    name: 'CheckFailed',
    endless: true,
    message: `a check holds the rollout now, and the plan takes it that it recovers at once: ${status.message ?? ''}`,
  };
};
