import { MANAGED_LABEL } from '../../api/names.ts';
import { assign, isOfOtherOperator } from '../assign.ts';
import { isOf } from '../releases.ts';
import type { NodeOS, NodeView, World } from '../world.ts';

/**
 * The world in which agents run on all nodes that a policy selects: also on those that no policy had before, such as all that a policy
 * selects which is not applied yet. They are offered what others of their variant and architecture are.
 */
export function asIfManaged(world: World): { world: World; nodes: readonly string[] } {
  const assigned = assign(world.policies, world.nodes);
  const isNew = (node: NodeView): boolean =>
    assigned.has(node.name) && node.labels[MANAGED_LABEL] !== 'true' && node.host === undefined && !isOfOtherOperator(node);
  const nodes = world.nodes.map((node) => (node.os !== undefined && isNew(node) ? managed(node, node.os, world.nodes) : node));
  return { world: { ...world, nodes }, nodes: world.nodes.filter(isNew).map(({ name }) => name) };
}

function managed(node: NodeView, os: NodeOS, all: readonly NodeView[]): NodeView {
  const offered = offeredTo(os, all);
  const status = { version: os.version, bootID: node.bootID, ...(offered !== undefined && { available: offered }) };
  return { ...node, agent: 'ready', host: { resourceVersion: '0', spec: { refreshInterval: '1h', ignoreWaves: false }, status } };
}

/** What nodes of a variant and architecture are offered; undefined where none has said so. */
export function offeredTo(os: NodeOS, nodes: readonly NodeView[]): string[] | undefined {
  const reports = nodes.flatMap((node) =>
    node.os !== undefined && isOf(os, node.os) && node.host?.status.available !== undefined ? [node.host.status.available] : [],
  );
  return reports.length === 0 ? undefined : [...new Set(reports.flat())];
}
