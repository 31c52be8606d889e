import { open } from 'node:fs/promises';
import type { KubeObject } from './api.ts';

/** One request, as the API server recorded it when it answered. */
export interface AuditEntry {
  readonly auditID: string;
  readonly level: 'Metadata' | 'Request' | 'RequestResponse';
  /** A watch has two entries: its start and its end. */
  readonly stage: 'ResponseStarted' | 'ResponseComplete' | 'Panic';
  readonly verb: string;
  readonly requestURI: string;
  readonly user: {
    readonly username: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly apiGroup?: string;
    readonly apiVersion?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
  readonly responseStatus?: { readonly code: number; readonly reason?: string; readonly message?: string };
  /** The body that was sent: a patch, an object. */
  readonly requestObject?: unknown;
  /** The object as it was after a write. */
  readonly responseObject?: KubeObject;
  /** Microseconds are in the text; Date keeps milliseconds. */
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A place in the log. */
export type AuditMark = number & { readonly auditMark: unique symbol };

export interface AuditLog {
  /** The end of the log as it is now. */
  mark(): Promise<AuditMark>;
  /** What was recorded after the mark (all, without one), in the order in which the API server answered. */
  since(mark?: AuditMark): Promise<AuditEntry[]>;
  /** The same, only what matches. */
  find(what: AuditQuery, mark?: AuditMark): Promise<AuditEntry[]>;
}

/** Every field that is given must match; `user` and `userAgent` match as a part of the text. */
export interface AuditQuery {
  readonly verb?: string | readonly string[];
  readonly user?: string;
  readonly userAgent?: string;
  readonly resource?: string;
  /** An empty one matches the object itself. */
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly code?: number;
}

const chunk = 4 * 1024 * 1024;

/** Reads the API server's audit log; it is written before a request is answered, so what a test has seen answered is there. */
export function auditLog(file: string): AuditLog {
  const log: AuditLog = {
    async mark() {
      const handle = await open(file, 'r');
      try {
        return (await handle.stat()).size as AuditMark;
      } finally {
        await handle.close();
      }
    },
    since: (mark) => read(() => true, mark),
    find: (what, mark) => read((entry) => matches(entry, what), mark),
  };
  return log;

  async function read(wanted: (entry: AuditEntry) => boolean, mark = 0 as AuditMark): Promise<AuditEntry[]> {
    const entries: AuditEntry[] = [];
    const handle = await open(file, 'r');
    try {
      const buffer = Buffer.alloc(chunk);
      let position: number = mark;
      let rest: Buffer = Buffer.alloc(0);
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, chunk, position);
        if (bytesRead === 0) return entries;
        position += bytesRead;
        const lines = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
        const end = lines.lastIndexOf(0x0a) + 1;
        for (const line of lines.toString('utf8', 0, end).split('\n')) {
          if (line === '') continue;
          const entry = JSON.parse(line) as AuditEntry;
          if (wanted(entry)) entries.push(entry);
        }
        rest = lines.subarray(end);
      }
    } finally {
      await handle.close();
    }
  }
}

export function matches(entry: AuditEntry, what: AuditQuery): boolean {
  const { objectRef = { resource: '' } } = entry;
  const verbs = typeof what.verb === 'string' ? [what.verb] : what.verb;
  return (
    (verbs?.includes(entry.verb) ?? true) &&
    entry.user.username.includes(what.user ?? '') &&
    (entry.userAgent ?? '').includes(what.userAgent ?? '') &&
    (what.resource === undefined || objectRef.resource === what.resource) &&
    (what.subresource === undefined || (objectRef.subresource ?? '') === what.subresource) &&
    (what.namespace === undefined || objectRef.namespace === what.namespace) &&
    (what.name === undefined || objectRef.name === what.name) &&
    (what.code === undefined || entry.responseStatus?.code === what.code)
  );
}
