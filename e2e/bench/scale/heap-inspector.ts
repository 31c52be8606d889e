import { readFile } from 'node:fs/promises';
import { eventually } from '../../bed/eventually.ts';
import type { PodProcess } from '../../bed/pod-process.ts';

/** What a program keeps after a full collection, in MB of a million bytes. */
export interface Heap {
  readonly used: number;
}

const answerMs = 60_000;
const mostCollections = 10;
/** In MB. */
const leastFound = 0.01;

/**
 * Collects a program's garbage until no more is found, and says what is left. It is asked by Node's own inspector, which SIGUSR1 opens: the program
 * needs nothing for it; only its `NODE_OPTIONS` must hold `--inspect-port=0`, so that several can be asked on one machine.
 */
export async function heapAfterCollection(process_: PodProcess): Promise<Heap> {
  const { pid } = process_;
  if (pid === undefined) throw new Error(`${process_.name} does not run`);
  const listening = /Debugger listening on (ws:\/\/127\.0\.0\.1:\d+\/[-0-9a-f]+)/g;
  const addresses = async () => [...(await readFile(process_.log, 'utf8')).matchAll(listening)].map(([, address]) => address ?? '');
  const known = inspectors.get(pid);
  let address = known;
  if (address === undefined) {
    const before = (await addresses()).length;
    process.kill(pid, 'SIGUSR1');
    address = await eventually(async () => (await addresses()).slice(before).at(-1), { timeoutMs: 30_000 });
    inspectors.set(pid, address);
  }
  const socket = new WebSocket(address);
  try {
    await opened(socket);
    let used = Number.POSITIVE_INFINITY;
    // One collection frees what the next one finds: finalizers, code that nobody has run for a while.
    for (let time = 0; time < mostCollections; time += 1) {
      await ask(socket, 'HeapProfiler.collectGarbage');
      const { usedSize } = (await ask(socket, 'Runtime.getHeapUsage')) as { usedSize: number };
      if (usedSize / 1e6 > used - leastFound) return { used: Math.min(used, usedSize / 1e6) };
      used = usedSize / 1e6;
    }
    return { used };
  } finally {
    socket.close();
  }
}

/** The inspector of each program that was asked before: a second SIGUSR1 tells nothing. */
const inspectors = new Map<number, string>();
let asked = 0;

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true });
    socket.addEventListener('error', () => reject(new Error(`cannot reach the inspector at ${socket.url}`)), { once: true });
  });
}

function ask(socket: WebSocket, method: string): Promise<unknown> {
  asked += 1;
  const id = asked;
  return new Promise((resolve, reject) => {
    const over = AbortSignal.timeout(answerMs);
    over.addEventListener('abort', () => reject(new Error(`${method}: no answer within ${answerMs} ms`)), { once: true });
    socket.addEventListener('message', ({ data }: MessageEvent) => {
      const answer = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
      if (answer.id !== id) return;
      if (answer.error === undefined) resolve(answer.result);
      else reject(new Error(`${method}: ${answer.error.message}`));
    });
    socket.send(JSON.stringify({ id, method }));
  });
}
