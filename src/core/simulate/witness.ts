import type { CordonRecord } from '../../api/cordon-record.ts';
import type { Order } from '../../api/node-host.ts';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import type { Decision, HookRun } from '../command.ts';
import type { Instant, NodeView, PolicyView, World } from '../world.ts';
import type { Machine, SimNode, SimPod } from './objects.ts';

/** What is known when a Reboot order is written. */
export interface RebootOrdered {
  order: Order;
  record: CordonRecord;
  decidedAt: Instant;
  /** The node's pods, as they were when they were listed for the order. */
  listed: readonly SimPod[];
}

/** Looks on at everything that happens in a simulated cluster; may throw to end it. */
export interface Witness {
  decided?(world: World, decision: Decision, now: Instant): void;
  policyWritten?(world: World, before: PolicyView, after: PolicyView): void;
  nodeWritten?(before: SimNode, after: SimNode, world: World): void;
  statusWritten?(name: string, status: NodeUpdateStatus): void;
  makesJob?(hook: HookRun): void;
  evicts?(claim: string, pod: SimPod): void;
  ordersReboot?(world: World, view: NodeView, ordered: RebootOrdered): void;
  asksForReboot?(machine: Machine, order: Order): void;
  boots?(machine: Machine): void;
  /** The machine would not have its target. */
  updateFailed?(machine: Machine, target: string | undefined): void;
  personCordons?(node: SimNode): void;
  personUncordons?(node: SimNode): void;
  /** A person has asked for a retry of what failed on a machine. */
  forgive?(machine: { hostID: string }): void;
  /** A person has asked for a reboot of a machine. */
  asksReboot?(machine: Machine): void;
  /** The node's own memory is lost: only what its policy remembers of the machine is known from now on. */
  losesMemory?(machine: Machine): void;
}
