import type { AuditEntry, AuditLog, AuditMark } from '../bed/audit.ts';

/** A request of the controller or an agent, by its user agent, as the API server recorded it. */
export interface ProductRequest {
  readonly who: 'controller' | 'agent';
  /** Traffic that is counted apart, or not at all. */
  readonly kind: 'lease' | 'event' | 'eviction' | 'other';
  readonly verb: string;
  /** With its subresource: `nodehosts/status`. */
  readonly resource: string;
  readonly code: number;
  /** When it was answered (a watch: begun), in ms since the epoch. */
  readonly at: number;
  readonly entry: AuditEntry;
}

const programs = { 'lockkeeper-controller': 'controller', 'lockkeeper-agent': 'agent' } as const;

/** Reads the product's own requests that arrived after the mark; each once, a watch too, though its start and its end are both recorded. */
export async function productRequests(audit: AuditLog, mark: AuditMark, from: number): Promise<ProductRequest[]> {
  const seen = new Set<string>();
  return (await audit.find({ userAgent: 'lockkeeper-' }, mark)).flatMap((entry) => {
    const who = programs[(entry.userAgent?.split('/')[0] ?? '') as keyof typeof programs];
    // The end of a watch that had begun before is no request.
    const begunBefore = Date.parse(entry.requestReceivedTimestamp) < from;
    if (who === undefined || begunBefore || seen.has(entry.auditID)) return [];
    seen.add(entry.auditID);
    const { resource = entry.requestURI, subresource } = entry.objectRef ?? {};
    return [
      {
        who,
        kind: kindOf(resource, subresource),
        verb: entry.verb,
        resource: subresource === undefined ? resource : `${resource}/${subresource}`,
        code: entry.responseStatus?.code ?? 0,
        at: Date.parse(entry.stageTimestamp),
        entry,
      },
    ];
  });
}

function kindOf(resource: string, subresource: string | undefined): ProductRequest['kind'] {
  if (resource === 'leases') return 'lease';
  if (resource === 'events') return 'event';
  return subresource === 'eviction' ? 'eviction' : 'other';
}

export function isDone({ code }: ProductRequest): boolean {
  return code >= 200 && code < 300;
}

/** How many there are under each key, the most frequent first. */
export function tally<T>(items: readonly T[], keyOf: (item: T) => string): [key: string, count: number][] {
  const groups = Map.groupBy(items, keyOf);
  return [...groups].map(([key, group]): [string, number] => [key, group.length]).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** `controller patch nodes`; with the code of what was refused. */
export function describeRequest(request: ProductRequest): string {
  const { who, verb, resource, code } = request;
  return `${who} ${verb} ${resource}${isDone(request) ? '' : ` (${code})`}`;
}

/** Lines of numbers and words, the numbers right-aligned. */
export function columns(rows: readonly (readonly [number: string, words: string])[]): string[] {
  const width = Math.max(0, ...rows.map(([number]) => number.length));
  return rows.map(([number, words]) => `${number.padStart(width)}  ${words}`);
}
