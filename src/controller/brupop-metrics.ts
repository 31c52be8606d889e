import { Gauge, type Registry } from 'prom-client';
import type { Phase } from '../api/node-update.ts';
import type { Decision } from '../core/command.ts';
import type { World } from '../core/world.ts';

/** States of a node as the OS's existing operator names them. Source: its models/src/node/crd/v2.rs. */
type State = 'Idle' | 'StagedAndPerformedUpdate' | 'RebootedIntoUpdate' | 'MonitoringUpdate' | 'ErrorReset';

/**
 * Which of them a phase of ours is. Theirs leaves Idle when a node takes one of the slots, so a download ahead of time, and the wait for a
 * turn after it, are Idle; a drained node stays StagedAndPerformedUpdate until it has rebooted.
 */
export const BRUPOP_STATES: Readonly<Record<Phase, State>> = {
  Idle: 'Idle',
  Staging: 'Idle',
  Staged: 'Idle',
  Blocked: 'Idle',
  Draining: 'StagedAndPerformedUpdate',
  Rebooting: 'StagedAndPerformedUpdate',
  Verifying: 'RebootedIntoUpdate',
  Uncordoning: 'RebootedIntoUpdate',
  Soaking: 'MonitoringUpdate',
  RollingBack: 'ErrorReset',
  RolledBack: 'ErrorReset',
  Failed: 'ErrorReset',
};

/**
 * Registers the two metrics of the OS's existing operator, under their names and with their labels, for dashboards made for it; a state or
 * version that no node has has no series, as there. Nodes that it has itself are left out: it counts them. Source: its
 * controller/src/metrics.rs.
 */
export function registerBrupopMetrics(
  registry: Registry,
  latest: () => { world: World; decision: Pick<Decision, 'nodes'> } | undefined,
): void {
  const registers = [registry];
  const ours = () => {
    const seen = latest();
    const os = new Map(seen?.world.nodes.map((node) => [node.name, node.otherOperator === true ? undefined : node.os]));
    return (seen?.decision.nodes ?? []).flatMap(({ node, status }) => {
      const version = os.get(node)?.version;
      return version === undefined || status.policy === undefined ? [] : [{ version, state: BRUPOP_STATES[status.phase ?? 'Idle'] }];
    });
  };
  new Gauge({
    name: 'brupop_hosts_state',
    help: "Nodes by state, as the OS's existing operator names them.",
    labelNames: ['state'],
    registers,
    collect() {
      this.reset();
      for (const [state, nodes] of Map.groupBy(ours(), (node) => node.state)) this.set({ state }, nodes.length);
    },
  });
  new Gauge({
    name: 'brupop_hosts_version',
    help: "Nodes by the OS version that they run, as the OS's existing operator tells them.",
    labelNames: ['bottlerocket_version'],
    registers,
    collect() {
      this.reset();
      for (const [version, nodes] of Map.groupBy(ours(), (node) => node.version)) this.set({ bottlerocket_version: version }, nodes.length);
    },
  });
}
