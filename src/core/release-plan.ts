import type { CordonRecord } from '../api/cordon-record.ts';
import { CORDON_LABELS, KEEP_NODE_ANNOTATIONS, MANAGED_LABEL, ON_NODE, OUTDATED_TAINT } from '../api/names.ts';
import { cancelled, hasRebooted, rebootOrderID, returnOf } from './flight/flight.ts';
import { hostNeeds } from './release.ts';
import type { NodeView, World } from './world.ts';

/**
 * Every write that a release of all nodes will make as things stand, one a line, in the order in which each node sees them. What is
 * done by others meanwhile (a reboot that was asked for) may spare some.
 */
export function plannedWrites(world: World): string[] {
  const claims = world.policies.flatMap(({ name, status: { claims = [] } }) =>
    claims.length === 0
      ? []
      : [`UpdatePolicy ${name}: drop ${claims.length} of its claims (${claims.map(({ node }) => node).join(', ')}), each after its node`],
  );
  return [...world.nodes.flatMap((node) => writesTo(node, isClaimed(world, node))), ...claims];
}

const isClaimed = ({ policies }: World, { uid }: NodeView): boolean =>
  policies.some(({ status }) => status.claims?.some((claim) => claim.uid === uid) === true);

function writesTo(node: NodeView, claimed: boolean): string[] {
  const { name, record, update } = node;
  if (record === 'unreadable') return [];
  const lines = [
    ...orders(node, claimed),
    ...(record === undefined ? fence(node, claimed) : uncordon(node, returnOf(record))),
    ...sweep(node, claimed),
  ];
  const told = update?.status.reason === 'Released' || update?.status.phase === undefined;
  return told && lines.length === 0 ? [] : [...lines, ...(update === undefined ? [] : [`NodeUpdate ${name}: status Idle, Released`])];
}

function orders({ name, host, record, ...rest }: NodeView, claimed: boolean): string[] {
  if (host === undefined) return [];
  const node = { name, host, ...rest };
  const flight = typeof record === 'object' ? { node, record: returnOf(record) } : undefined;
  const due =
    flight === undefined
      ? claimed || hostNeeds(node) === 'cancel'
      : !hasRebooted(flight) && !cancelled(flight) && !isAsked(node, flight.record);
  if (!due) return [];
  const { order } = host.spec;
  return [`NodeHost ${name}: order Cancel${order === undefined ? '' : `, in place of ${order.action} ${order.version ?? ''}`.trimEnd()}`];
}

function fence({ name }: NodeView, claimed: boolean): string[] {
  return claimed ? [`Node ${name}: annotation ${ON_NODE.fence}, which ends its claim`] : [];
}

/** Its reboot was asked for: a Cancel would come too late. */
const isAsked = ({ host }: NodeView, record: CordonRecord): boolean =>
  host?.status.answer?.id === rebootOrderID(record) && host.status.answer.state === 'RebootAsked';

function uncordon(node: NodeView, record: CordonRecord): string[] {
  const { name, annotations, labels, unschedulable } = node;
  const { prior } = record;
  const after = isAsked(node, record) && !hasRebooted({ node, record }) ? 'after the reboot that its host was asked for: ' : '';
  const changes = Object.entries(KEEP_NODE_ANNOTATIONS).flatMap(([key, ours]) => {
    const before = prior.annotations[key];
    if (before === undefined || before === ours || annotations[key] !== ours) return [];
    return [before === null ? `remove annotation ${key}` : `annotation ${key} back to ${JSON.stringify(before)}`];
  });
  const added = Object.entries(CORDON_LABELS).filter(([key, ours]) => prior.labels?.[key] === null && labels[key] === ours);
  return [
    `Node ${name}: ${after}${[
      ...(unschedulable && !prior.unschedulable ? ['uncordon'] : []),
      ...changes,
      ...added.map(([key]) => `remove label ${key}`),
      `remove annotation ${ON_NODE.cordon}`,
    ].join(', ')}`,
  ];
}

function sweep({ name, labels, annotations, outdated, record }: NodeView, claimed: boolean): string[] {
  const things = [
    ...(MANAGED_LABEL in labels ? [`label ${MANAGED_LABEL}`] : []),
    ...(ON_NODE.fence in annotations || record !== undefined || claimed ? [`annotation ${ON_NODE.fence}`] : []),
    ...(outdated === true ? [`taint ${OUTDATED_TAINT}`] : []),
  ];
  return things.length === 0 ? [] : [`Node ${name}: remove ${things.join(', ')}`];
}
