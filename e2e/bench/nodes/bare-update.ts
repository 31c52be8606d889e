import type { RealMachine } from '../../nodes/machine.ts';
import type { Nodes } from '../../nodes/nodes.ts';
import { isReady } from '../../nodes/start-machine.ts';

/** When the steps of an update by hand were done, in ms since the epoch. */
export interface BareTimes {
  readonly node: string;
  /** By the API server's word. */
  readonly cordoned: number;
  readonly drained: number;
  /** The host is told to reboot. */
  readonly asked: number;
  /** The Node is Ready under another boot ID. */
  readonly ready: number;
  /** By the API server's word. */
  readonly uncordoned: number;
}

export const bareTotal = ({ cordoned, uncordoned }: BareTimes): number => uncordoned - cordoned;

const lookMs = 50;

/** Has a host download what it chooses; what the product does ahead of time too, and nobody measures. */
export async function stage(bed: Nodes, machine: RealMachine): Promise<void> {
  for (const action of ['refresh-updates', 'prepare-update'] as const) await hostAction(bed, machine, action);
}

/**
 * What an administrator would do with a staged node, in a script, and nothing else: cordon, `kubectl drain`, activate, reboot,
 * wait for Ready under another boot ID, uncordon.
 */
export async function bareUpdate(bed: Nodes, machine: RealMachine): Promise<BareTimes> {
  const { name } = machine;
  const { bootID } = (await machine.node()).status.nodeInfo;
  const mark = await bed.audit.mark();
  await bed.kubectl('cordon', name);
  await bed.kubectl('drain', name, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=120s');
  const drained = Date.now();
  await hostAction(bed, machine, 'activate-update');
  const asked = Date.now();
  const { status } = await machine.host.ask('POST', '/actions/reboot');
  if (status !== 204) throw new Error(`${name} does not reboot: ${status}`);
  const ready = await bed.eventually(
    async () => {
      const node = await machine.node();
      return node.status.nodeInfo.bootID !== bootID && isReady(node) && Date.now();
    },
    { timeoutMs: 60_000, intervalMs: lookMs },
  );
  await bed.kubectl('uncordon', name);
  const patches = await bed.audit.find({ verb: 'patch', resource: 'nodes', subresource: '', name, userAgent: 'kubectl', code: 200 }, mark);
  const [first, last] = [patches[0], patches.at(-1)];
  if (first === undefined || last === undefined || first === last) throw new Error(`the audit log does not show how ${name} was updated`);
  return {
    node: name,
    cordoned: Date.parse(first.requestReceivedTimestamp),
    drained,
    asked,
    ready,
    uncordoned: Date.parse(last.stageTimestamp),
  };
}

interface UpdateStatus {
  readonly most_recent_command?: { readonly cmd_type: string; readonly cmd_status: string; readonly timestamp: string } | null;
}

/** Has the host do something, and waits until it has: while it works, its status is locked (423). */
async function hostAction(bed: Nodes, { name, host }: RealMachine, action: string): Promise<void> {
  const { status, text } = await host.ask('POST', `/actions/${action}`);
  if (status !== 204) throw new Error(`${name} refuses ${action}: ${status} ${text}`);
  const command = await bed.eventually(
    async () => {
      const answer = await host.ask('GET', '/updates/status');
      return answer.status === 200 && (JSON.parse(answer.text) as UpdateStatus).most_recent_command;
    },
    { timeoutMs: 30_000, intervalMs: lookMs },
  );
  if (command.cmd_status !== 'Success') throw new Error(`${name}: ${action} ended with ${command.cmd_status}`);
}
