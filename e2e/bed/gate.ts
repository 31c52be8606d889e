import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What a gate does with connections: passes them, resets them, or leaves them without a sound. */
export type GateState = 'open' | 'refuse' | 'silent';

/** A loopback address in front of the API server, by which one program can be cut off from it. */
export interface Gate {
  readonly host: string;
  readonly port: number;
  readonly state: GateState;
  /** Bytes that have passed so far, as they go over the wire. */
  readonly passed: { readonly toServer: number; readonly fromServer: number };
  set(state: GateState): void;
  close(): Promise<void>;
}

/** Opens a gate in front of `server`. What is held while it is silent goes on when it opens, as a network's own loss would. */
export async function openGate(server: { readonly host: string; readonly port: number }): Promise<Gate> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let state: GateState = 'open';
  const passed = { toServer: 0, fromServer: 0 };

  const listener = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (near) => {
    if (state === 'refuse') {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ ...server, allowHalfOpen: true, noDelay: true });
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('data', (chunk) => {
        if (from === near) passed.toServer += chunk.length;
        else passed.fromServer += chunk.length;
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => {
        if (state !== 'silent') from.resume();
      });
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        pairs.delete(pair);
      });
    }
    if (state === 'silent') far.pause();
    else near.resume();
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  listener.unref();
  const { port } = listener.address() as AddressInfo;

  return {
    host: '127.0.0.1',
    port,
    get state() {
      return state;
    },
    get passed() {
      return { ...passed };
    },
    set(next) {
      state = next;
      for (const pair of pairs) {
        for (const socket of pair) {
          if (next === 'refuse') socket.resetAndDestroy();
          else if (next === 'silent') socket.pause();
          else socket.resume();
        }
      }
    },
    async close() {
      const closed = once(listener, 'close');
      listener.close();
      for (const [near, far] of pairs) {
        near.destroy();
        far.destroy();
      }
      await closed;
    },
  };
}
