import type { AuditEntry } from '../../bed/audit.ts';

/** Who sends requests for a contender: the service accounts of these namespaces; agents are told by their pods. */
export interface Senders {
  readonly namespaces: readonly string[];
  readonly agentPods: ReadonlySet<string>;
}

/** Requests of a span of time. */
export interface Sent {
  readonly controllers: number;
  readonly agents: number;
  readonly lists: number;
  /** Begun within the span. */
  readonly watches: number;
  readonly evictions: number;
  /** 429: a budget stood in the way. */
  readonly evictionsRefused: number;
  readonly podDeletions: number;
  /** What was sent how often, such as `agents patch nodes/status`; the most frequent first. */
  readonly kinds: Readonly<Record<string, number>>;
}

const podName = 'authentication.kubernetes.io/pod-name';

/** Counts what was received from `from` until `to`, in ms since the epoch; a watch counts once, though its start and end are recorded. */
export function sentWithin(entries: readonly AuditEntry[], senders: Senders, from: number, to: number): Sent {
  const seen = new Set<string>();
  const kinds = new Map<string, number>();
  const sent = { controllers: 0, agents: 0, lists: 0, watches: 0, evictions: 0, evictionsRefused: 0, podDeletions: 0 };
  for (const entry of entries) {
    const who = senderOf(entry, senders);
    const at = Date.parse(entry.requestReceivedTimestamp);
    if (who === undefined || at < from || at >= to || seen.has(entry.auditID)) continue;
    seen.add(entry.auditID);
    sent[who] += 1;
    const { verb, objectRef, responseStatus, requestURI } = entry;
    const code = responseStatus?.code ?? 0;
    const resource = `${objectRef?.resource ?? requestURI.split('?')[0]}${objectRef?.subresource === undefined ? '' : `/${objectRef.subresource}`}`;
    if (verb === 'list') sent.lists += 1;
    if (verb === 'watch') sent.watches += 1;
    if (resource === 'pods/eviction') {
      if (code === 429) sent.evictionsRefused += 1;
      else if (code < 300) sent.evictions += 1;
    }
    if (resource === 'pods' && verb.startsWith('delete') && code < 300) sent.podDeletions += 1;
    const words = `${who} ${verb} ${resource}${code < 300 ? '' : ` (${code})`}`;
    kinds.set(words, (kinds.get(words) ?? 0) + 1);
  }
  return { ...sent, kinds: Object.fromEntries([...kinds].toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))) };
}

/** How many watches were open at a moment. */
export function watchesOpenAt(entries: readonly AuditEntry[], senders: Senders, at: number): number {
  const open = new Set<string>();
  for (const entry of entries) {
    if (entry.verb !== 'watch' || senderOf(entry, senders) === undefined || Date.parse(entry.stageTimestamp) >= at) continue;
    if (entry.stage === 'ResponseStarted') open.add(entry.auditID);
    else open.delete(entry.auditID);
  }
  return open.size;
}

/** Pods that an eviction was granted for, as namespace/name. */
export function evictedPods(entries: readonly AuditEntry[]): Set<string> {
  const granted = entries.filter(
    ({ objectRef, responseStatus }) =>
      objectRef?.resource === 'pods' && objectRef.subresource === 'eviction' && (responseStatus?.code ?? 500) < 300,
  );
  return new Set(granted.map(({ objectRef }) => `${objectRef?.namespace}/${objectRef?.name}`));
}

function senderOf({ user }: AuditEntry, { namespaces, agentPods }: Senders): 'controllers' | 'agents' | undefined {
  if (!namespaces.some((namespace) => user.username.startsWith(`system:serviceaccount:${namespace}:`))) return undefined;
  return agentPods.has(user.extra?.[podName]?.[0] ?? '') ? 'agents' : 'controllers';
}
