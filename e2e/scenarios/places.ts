import type { SeenRequest } from '../bed/fault-proxy.ts';
import type { Machine } from '../bed/machine.ts';
import type { Fleet } from './fleet.ts';
import { guardNode } from './guarded-pod.ts';
import { cordonAnnotation } from './judge.ts';

/** A node that is held at a place of its life for as long as a scenario wants. */
export interface Held {
  /** Waits until the node is there. */
  reached(): Promise<void>;
  /** Lets it go on. */
  release(): Promise<void>;
}

/** A place of a node's life, and how to have a node held there when it comes by. All but `staging` take a node that is Staged. */
export type Place = (fleet: Fleet, machine: Machine) => Promise<Held>;

/** The host is busy downloading. */
const staging: Place = async (fleet, { name, host }) => {
  host.faults.arm('prepareHangs');
  return {
    async reached() {
      await fleet.phase(name, 'Staging', 'Staging');
      await fleet.eventually(() => host.requests.some(({ path }) => path === '/actions/prepare-update'));
    },
    release: () => host.release(),
  };
};

/** A write of the controller's is on its way (`faultsFor: ['controller']`). Released, it is delivered, however late that is. */
const writing =
  (matches: (node: string) => (request: SeenRequest) => boolean): Place =>
  async (fleet, { name }) => {
    const fault = fleet.bed.faults.arm('hold', matches(name));
    return {
      async reached() {
        await fault.first;
      },
      async release() {
        await fault.release();
      },
    };
  };

/** A budget holds a pod of its. */
const draining: Place = async (fleet, { name }) => {
  const guard = await guardNode(fleet.bed, name);
  return {
    async reached() {
      await fleet.phase(name, 'Draining');
    },
    release: guard.open,
  };
};

/** The Reboot order is given, and the agent, frozen since it staged, has not seen it. */
const rebootOrdered: Place = async (fleet, { name }) => {
  const agent = fleet.agent(name);
  agent.pause();
  return {
    async reached() {
      await fleet.phase(name, 'Rebooting', 'RebootOrdered');
    },
    async release() {
      agent.resume();
    },
  };
};

/** The host has rebooted as it was asked to, and its kubelet does not say so yet. */
const rebootAsked: Place = async (fleet, machine) => {
  const { name, host, kubelet } = machine;
  const booted = host.rebootCount;
  kubelet.neverReturns = true;
  return {
    async reached() {
      await fleet.phase(name, 'Rebooting', 'RebootAsked');
      await fleet.eventually(() => host.rebootCount > booted && host.running);
    },
    release: () => machine.kubeletReturns(),
  };
};

/** It runs the new version, and its agent's pod is not there yet. */
const verifying: Place = async (fleet, machine) => {
  const rebooting = await rebootAsked(fleet, machine);
  const agent = fleet.agent(machine.name);
  return {
    async reached() {
      await rebooting.reached();
      await agent.hold();
      await rebooting.release();
      await fleet.phase(machine.name, 'Verifying');
    },
    async release() {
      agent.release();
    },
  };
};

/** All of them, in the order in which a node comes by. */
export const places = {
  staging,
  claiming: writing(claimOf),
  cordoning: writing(cordonOf),
  draining,
  rebootOrdered,
  rebootAsked,
  verifying,
} as const;

/** What `walk` needs: each node waits staged for the approval, and they go by name. */
export const walking = { nodes: 7, policy: { approval: 'Manual' }, machine: () => ({ zone: 'eu-west-1a' }), faultsFor: ['controller'] };

/**
 * Takes seven nodes through their update, one of them by each place, and does something there: `strike` is called while the node is
 * held, with the phase that it stays in until it is let go, if any. Ends when all of them are updated.
 */
export async function walk(fleet: Fleet, strike: (node: string, phase?: string) => Promise<void>): Promise<void> {
  const [stager, ...others] = fleet.machines as [Machine, ...Machine[]];
  const staging = await places.staging(fleet, stager);
  fleet.release('1.26.1');
  await staging.reached();
  await strike(stager.name, 'Staging');
  await staging.release();
  await Promise.all(fleet.machines.map(({ name }) => fleet.phase(name, 'Staged')));

  const stops = [
    ['claiming', undefined],
    ['cordoning', undefined],
    ['draining', 'Draining'],
    ['rebootOrdered', 'Rebooting'],
    ['rebootAsked', 'Rebooting'],
    ['verifying', 'Verifying'],
  ] as const;
  const visits = stops.map(async ([place, phase], index) => {
    const machine = others[index] as Machine;
    return { node: machine.name, phase, held: await places[place](fleet, machine) };
  });
  const prepared = await Promise.all(visits);
  await fleet.annotate('updatepolicies', 'fleet', { 'lockkeeper.dev/approved-version': '1.26.1' });
  for (const { node, phase, held } of prepared) {
    await held.reached();
    await strike(node, phase);
    // Whoever has taken over writes for itself, and what is under way comes late.
    if (phase === undefined) await fleet.eventually(() => wasCordoned(fleet, node));
    await held.release();
  }
  await fleet.updated('1.26.1');
}

const wasCordoned = ({ history }: Fleet, node: string): boolean =>
  history.of(node).some(({ object }) => cordonAnnotation in (object.metadata.annotations ?? {}));

/** The claim of a node, in its policy's list. */
export function claimOf(node: string) {
  return ({ method, path, body }: SeenRequest): boolean =>
    method === 'PATCH' && path.includes('/updatepolicies/') && body.includes(`"node":"${node}"`);
}

/** The cordon of a node, with our record. */
export function cordonOf(node: string) {
  return ({ method, path, body }: SeenRequest): boolean =>
    method === 'PATCH' && path === `/api/v1/nodes/${node}` && body.includes('"unschedulable":true') && body.includes(cordonAnnotation);
}

/** An order to a node. */
export const orderTo =
  (node: string, action: 'Stage' | 'Reboot' | 'Cancel') =>
  ({ method, path, body }: SeenRequest): boolean =>
    method === 'PATCH' && path.endsWith(`/nodehosts/${node}`) && body.includes(`"action":"${action}"`);

/** The fence of a node's agent: from there on a reboot may follow. */
export const fenceOf =
  (node: string) =>
  ({ method, path, body }: SeenRequest): boolean =>
    method === 'PATCH' && path.endsWith(`/nodehosts/${node}/status`) && body.includes('"RebootAsked"');
