import { MANAGED_LABEL } from '../../api/names.ts';
import { assign } from '../../core/assign.ts';
import { listed } from '../by-hand/targets.ts';
import type { Carried } from './carry.ts';
import { type Found, inFlight, isStopped, recordOn, type Shadow, theirNodes } from './found.ts';
import type { Next } from './step.ts';
import { makePolicy, startController, stopAgents, stopController, unpausePolicy } from './writes.ts';

/** What a migration does next, by what it finds. */
export function forward(carried: Carried): Next {
  return (found) => {
    const { controller, agents, controllerPods, policies } = found;
    if (controller === undefined && agents === undefined) return { kind: 'done' };
    const flying = inFlight(found);
    // Without agents nothing of the old operator can happen to a node.
    if (flying.length > 0 && agents?.active === true && !isStopped(agents)) {
      const replicas = controller && recordOn(controller)?.replicas;
      // A node that it had begun in its last moment needs it to get to its end.
      if (controller !== undefined && controller.replicas === 0 && replicas !== undefined && replicas > 0)
        return startController(found, controller, replicas);
      return { kind: 'refuse', message: flightMessage(flying, agents.namespace), leaves: { ...found, shadows: [] } };
    }
    if (!policies.some(({ name }) => name === carried.policy.metadata.name)) {
      if (carried.problems.length > 0) return { kind: 'refuse', message: problemsMessage(carried) };
      return makePolicy(found, carried);
    }
    if (controller !== undefined && controller.replicas > 0) return stopController(found, controller);
    if (controllerPods.length > 0)
      return { kind: 'wait', for: `the old controller to end (${listed(controllerPods)})`, leaves: { ...found, controllerPods: [] } };
    if (agents !== undefined && !isStopped(agents)) return stopAgents(found, agents);
    if (agents?.active === true)
      return { kind: 'wait', for: 'the old agents to leave the nodes', leaves: { ...found, agents: { ...agents, active: false } } };
    for (const policy of policies) {
      const record = recordOn(policy);
      if (record?.paused !== undefined) return unpausePolicy(found, policy, record);
    }
    const waiting = notTaken(found);
    if (waiting.length > 0)
      return { kind: 'wait', for: `Lockkeeper's agents to report ${listed(waiting)}`, leaves: { ...found, nodes: [] } };
    return { kind: 'done' };
  };
}

/** Names of the old operator's nodes that Lockkeeper has not taken yet. One that is not Ready tells nothing, and is not waited for. */
export function notTaken(found: Found): string[] {
  const assigned = assign(found.policies, found.nodes);
  return theirNodes(found)
    .filter((node) => node.ready.status && !node.deleting && assigned.has(node.name))
    .filter(({ labels, host }) => labels[MANAGED_LABEL] !== 'true' || host?.status.version === undefined)
    .map(({ name }) => name);
}

function flightMessage(flying: readonly Shadow[], namespace: string): string {
  const named = flying.map(
    ({ node, state = 'nothing reported yet', wanted }) => `${node} (${state}${wanted === state ? '' : `, to be ${wanted}`})`,
  );
  return `the old operator is at ${listed(named)}: nothing was changed that it needs to get to the end.
Wait until it is through (kubectl get bottlerocketshadows -n ${namespace} shows Idle), and run this again, or have it wait: --wait --timeout 1h.
To keep it from beginning another node: kubectl set env -n ${namespace} deployment -l brupop.bottlerocket.aws/component=brupop-controller MAX_CONCURRENT_UPDATE=0, and make the policy first (--output yaml).
What to do with a node on which it is stuck: docs/migration.md`;
}

const problemsMessage = ({ problems, policy: { metadata } }: Carried): string =>
  `cannot be carried over, and is not guessed:\n${problems.map((problem) => `  ${problem}`).join('\n')}
Print what can be (--output yaml), put in what should hold, apply it as UpdatePolicy ${metadata.name}, and run this again: a policy of that name is taken as it is.`;
