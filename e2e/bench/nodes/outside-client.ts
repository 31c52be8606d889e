import { setTimeout as sleep } from 'node:timers/promises';
import type { BedNetwork } from '../../nodes/network.ts';

/** What a client has seen. */
export interface Served {
  readonly requests: number;
  /** What each request that was not answered with 200 got instead. */
  readonly failures: readonly string[];
}

export interface OutsideClient {
  /** Lets what is under way end, and says what was seen. */
  stop(): Promise<Served>;
}

const callers = 3;
const pauseMs = 100;
const patienceMs = 5_000;

/** Asks again and again from outside the nodes, each time on a new connection, as several callers at once do. */
export function startClient(network: Pick<BedNetwork, 'get'>, url: string): OutsideClient {
  let running = true;
  let requests = 0;
  const failures: string[] = [];
  const call = async (): Promise<void> => {
    requests += 1;
    const at = new Date().toISOString();
    try {
      const { status } = await network.get(url, { timeoutMs: patienceMs });
      if (status !== 200) failures.push(`${at} answered with ${status}`);
    } catch (error) {
      failures.push(`${at} ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const calling = Array.from({ length: callers }, async () => {
    while (running) {
      await call();
      await sleep(pauseMs);
    }
  });
  return {
    async stop() {
      running = false;
      await Promise.all(calling);
      return { requests, failures };
    },
  };
}
