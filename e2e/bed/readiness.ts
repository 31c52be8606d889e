import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from './children.ts';

export interface ReadinessOptions {
  /** Undefined: ready as soon as it runs. */
  readonly url: string | undefined;
  readonly everyMs: number;
  readonly signal: AbortSignal;
  readonly onChange: (ready: boolean) => void;
}

const soonMs = 100;

/** Probes a program until it ends, often until it is ready, and says what changes; it takes three failures to lose readiness. */
export async function watchReadiness(child: Child, { url, everyMs, signal, onChange }: ReadinessOptions): Promise<void> {
  let ready = false;
  let failures = 0;
  while (child.running && !signal.aborted) {
    const passed = url === undefined || (await answers(url));
    if (!child.running || signal.aborted) return;
    failures = passed ? 0 : failures + 1;
    const next: boolean = ready ? failures < 3 : passed;
    if (next !== ready) onChange(next);
    ready = next;
    await Promise.race([sleep(ready ? everyMs : soonMs, undefined, { ref: false }), child.ended]);
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
