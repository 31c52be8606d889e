import { BY_HAND } from '../../api/names.ts';
import { assign, isHeld } from '../../core/assign.ts';
import type { NodeView, PolicyView } from '../../core/world.ts';
import { listed } from '../by-hand/targets.ts';
import { type Found, recordOn, theirNodes } from './found.ts';
import type { Step } from './step.ts';
import { deletePolicy, pausePolicy, startAgents, startController, unpausePolicy } from './writes.ts';

/** What the way back does next, by what it finds: the old operator gets its nodes again, from whatever step the migration was at. */
export function back(found: Found): Step {
  const { controller, agents, policies } = found;
  const stopped = agents && recordOn(agents);
  const scaled = controller && recordOn(controller);
  if (agents !== undefined && stopped !== undefined) {
    // Once its agents are back, no node of theirs is claimed: till then our policies must not.
    const ours = policiesOf(found);
    for (const policy of ours) if (!isAskedToPause(policy)) return pausePolicy(found, policy);
    const unaware = ours.filter((policy) => !isPaused(policy));
    if (unaware.length > 0)
      return {
        kind: 'wait',
        for: `a controller to pause ${listed(unaware.map(({ name }) => name))}`,
        leaves: { ...found, policies: policies.map((policy) => (unaware.includes(policy) ? withPause(policy) : policy)) },
      };
    const flying = ourFlights(found);
    if (flying.length > 0)
      return {
        kind: 'refuse',
        leaves: { ...found, nodes: [], policies: policies.map((policy) => ({ ...policy, status: { ...policy.status, claims: [] } })) },
        message: `Lockkeeper has nodes in flight: ${listed(flying)}; its policies are paused, so no other is begun. Wait until kubectl lockkeeper status shows them through and no agent is at a host any more, and run this again, or have it wait: --wait --timeout 1h. A node that has failed is named there with what to do; where an agent answers no more: docs/migration.md`,
      };
    return startAgents(found, agents, stopped.nodeSelector ?? null);
  }
  if (agents !== undefined && !agents.settled && scaled !== undefined)
    return { kind: 'wait', for: 'the old agents to be on their nodes again', leaves: { ...found, agents: { ...agents, settled: true } } };
  if (controller !== undefined && scaled?.replicas !== undefined) return startController(found, controller, scaled.replicas);
  for (const policy of policies) {
    const record = recordOn(policy);
    if (record?.made === true) return deletePolicy(found, policy);
    if (record?.paused !== undefined) return unpausePolicy(found, policy, record);
  }
  return { kind: 'done' };
}

/** The policies that have nodes of the old operator's. */
function policiesOf(found: Found): PolicyView[] {
  const assigned = assign(found.policies, found.nodes);
  const names = new Set(theirNodes(found).flatMap(({ name }) => assigned.get(name)?.name ?? []));
  return found.policies.filter(({ name }) => names.has(name));
}

const isAskedToPause = ({ annotations, spec, deleting }: PolicyView): boolean =>
  deleting || spec.paused || annotations[BY_HAND.paused] === 'true';

const isPaused = ({ status, deleting }: PolicyView): boolean =>
  deleting || status.conditions?.some(({ type, status: value }) => type === 'Paused' && value === 'True') === true;

const withPause = (policy: PolicyView): PolicyView => ({
  ...policy,
  status: { ...policy.status, conditions: [{ type: 'Paused', status: 'True', reason: 'Paused', message: '', lastTransitionTime: '' }] },
});

/** Their nodes that Lockkeeper has claimed or cordoned, or whose agent is at the host; with what is waited for where it is the agent. */
function ourFlights(found: Found): string[] {
  const claims = found.policies.flatMap(({ status }) => status.claims ?? []);
  return theirNodes(found).flatMap((node) => {
    if (node.record !== undefined || claims.some((claim) => claim.node === node.name && isHeld(claim, node))) return node.name;
    const work = atHost(node);
    return work === undefined ? [] : `${node.name} (${work})`;
  });
}

/** What our agent is at on its host, or may begin at any moment: a pause takes back no order. undefined: nothing. */
function atHost({ host }: NodeView): string | undefined {
  if (host === undefined) return undefined;
  const { order } = host.spec;
  const { answer, savedSettings } = host.status;
  if (order?.action === 'Stage' && (answer?.id !== order.id || answer.state === 'Running'))
    return `its agent is downloading ${order.version ?? 'a version'}`;
  return savedSettings === undefined ? undefined : 'its agent has not restored the host’s settings yet';
}
