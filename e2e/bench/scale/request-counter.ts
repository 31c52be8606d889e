import { open } from 'node:fs/promises';
import type { AuditEntry } from '../../bed/audit.ts';

/** How many requests there were, by who sent what: `controller patch nodes`. */
export interface RequestCounts {
  readonly requests: ReadonlyMap<string, number>;
  /** Watches that are open now, by who holds them. */
  readonly watches: ReadonlyMap<string, number>;
}

const programs = { 'lockkeeper-controller': 'controller', 'lockkeeper-agent': 'agent' } as const;
const chunk = 1024 * 1024;
/** An audit entry at the level Metadata has no body: a longer line is none of ours. */
const longestLine = 1024 * 1024;

/** Counts the product's own requests in an audit log that grows, in memory that does not. */
export class RequestCounter {
  readonly #file: string;
  readonly #requests = new Map<string, number>();
  /** By audit ID: a watch is recorded when it begins and when it ends. */
  readonly #open = new Map<string, string>();
  #position = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: string) {
    this.#file = file;
  }

  /** Reads what has come since the last time. */
  async read(): Promise<RequestCounts> {
    const handle = await open(this.#file, 'r');
    try {
      const buffer = Buffer.alloc(chunk);
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, chunk, this.#position);
        if (bytesRead === 0) break;
        this.#position += bytesRead;
        this.#take(buffer.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
    const watches = new Map<string, number>();
    for (const who of this.#open.values()) watches.set(who, (watches.get(who) ?? 0) + 1);
    return { requests: new Map(this.#requests), watches };
  }

  #take(bytes: Buffer): void {
    const lines = Buffer.concat([this.#rest, bytes]);
    const end = lines.lastIndexOf(0x0a) + 1;
    for (const line of lines.toString('utf8', 0, end).split('\n')) if (line !== '') this.#count(line);
    this.#rest = Buffer.from(lines.subarray(end));
    if (this.#rest.length > longestLine) throw new Error(`${this.#file} holds a line of more than ${longestLine} bytes`);
  }

  #count(line: string): void {
    if (!line.includes('lockkeeper-')) return;
    const { auditID, userAgent = '', verb, stage, objectRef, requestURI, responseStatus } = JSON.parse(line) as AuditEntry;
    const who = programs[(userAgent.split('/')[0] ?? '') as keyof typeof programs];
    if (who === undefined) return;
    if (verb === 'watch') {
      const isEnd = stage !== 'ResponseStarted';
      const known = this.#open.delete(auditID);
      if (!isEnd) this.#open.set(auditID, who);
      if (isEnd && known) return;
    }
    const { resource = requestURI.split('?')[0], subresource } = objectRef ?? {};
    const code = responseStatus?.code ?? 0;
    const words = `${who} ${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}${code >= 200 && code < 300 ? '' : ` (${code})`}`;
    this.#requests.set(words, (this.#requests.get(words) ?? 0) + 1);
  }
}

/** What was sent between two counts; kinds of which there were none are left out. */
export function sentBetween(before: RequestCounts, after: RequestCounts): Record<string, number> {
  const sent = [...after.requests].map(([words, count]): [string, number] => [words, count - (before.requests.get(words) ?? 0)]);
  return Object.fromEntries(sent.filter(([, count]) => count > 0).toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
}

/** How many of them match. */
export function howMany(sent: Readonly<Record<string, number>>, pattern: RegExp = /./): number {
  return Object.entries(sent).reduce((sum, [words, count]) => sum + (pattern.test(words) ? count : 0), 0);
}
