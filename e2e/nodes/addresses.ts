/*
 * Every bed has a network of its own, so all of them use the same addresses, and none of them meets any address of this
 * machine's.
 */

export const bridge = 'bed';
/** Of the bed's own end, where the control plane stands and where machines send what is not theirs. */
export const gatewayAddress = '10.77.0.1';
export const nodesPrefix = 24;

const firstMachine = 10;
/** More would not fit below 10.77.0.255. */
export const mostMachines = 200;

/** What belongs to the machine with this number, counted from 1. */
export function addressesOf(index: number) {
  const host = firstMachine + index;
  return {
    address: `10.77.0.${host}`,
    podSubnet: `10.78.${host}.0/24`,
    /** The same after each boot, as a network card's is. */
    mac: `02:10:77:00:00:${host.toString(16).padStart(2, '0')}`,
    /** The bed's end of the machine's cable. */
    cable: `machine-${index}`,
  };
}
