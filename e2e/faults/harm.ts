import { setTimeout as sleep } from 'node:timers/promises';
import type { SeenRequest } from '../bed/fault-proxy.ts';
import { faultsEnvironment } from './config.ts';

/** A fault of so many seconds: this is what is waited for, it is no guess at when something will be over. */
export async function lasting(seconds: number): Promise<void> {
  await sleep((seconds * 1000) / faultsEnvironment().hurry);
}

/** Does something every so often, for so many seconds; gives how often it did. */
export async function repeatedly(seconds: number, everyMs: number, act: (turn: number) => unknown): Promise<number> {
  const until = Date.now() + (seconds * 1000) / faultsEnvironment().hurry;
  let turn = 0;
  for (; Date.now() < until; turn++) {
    await act(turn);
    await sleep(everyMs);
  }
  return turn;
}

export const isWatch = ({ path }: SeenRequest): boolean => path.includes('watch=');
export const isWrite = ({ method }: SeenRequest): boolean => method !== 'GET';

/** Every request, or one in so many by chance, of those that match. */
export const oneIn =
  (many: number, matches: (request: SeenRequest) => boolean = () => true) =>
  (request: SeenRequest): boolean =>
    matches(request) && Math.random() < 1 / many;
