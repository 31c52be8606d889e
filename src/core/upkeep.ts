import { MANAGED_LABEL } from '../api/names.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import { isOfOtherOperator } from './assign.ts';
import type { Command } from './command.ts';
import type { NodeView, World } from './world.ts';

/** What every node of a policy needs before anything else: its objects, its label, how its host is asked for news: `pastWaves` for an urgent version. */
export function upkeep(world: World, node: NodeView, status: NodeUpdateStatus, pastWaves: boolean): Command[] {
  const policy = world.policies.find(({ name }) => name === status.policy);
  const { refreshInterval = '1h', ignoreWaves: always = false } = policy?.spec.version ?? {};
  const ignoreWaves = always || pastWaves;
  const refresh = { refreshInterval, ignoreWaves };
  const commands: Command[] = [];
  // In flight a lost letterbox is not replaced: what was asked by the lost one is waited for.
  const theirs = isOfOtherOperator(node);
  const host = node.host === undefined && node.record === undefined && !theirs;
  if (node.update === undefined || host) commands.push({ type: 'CreateObjects', host, refresh });
  const set = node.host?.spec;
  if (
    set !== undefined &&
    node.record === undefined &&
    policy !== undefined &&
    (set.refreshInterval !== refreshInterval || set.ignoreWaves !== ignoreWaves)
  ) {
    commands.push({ type: 'SetRefresh', refresh });
  }
  if (node.labels[MANAGED_LABEL] !== 'true' && policy !== undefined && !theirs) commands.push({ type: 'LabelManaged' });
  return commands;
}
