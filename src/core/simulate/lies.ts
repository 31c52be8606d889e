import type { Answer, NodeHostStatus, Order } from '../../api/node-host.ts';

/** What an agent may say that is not true. */
export const LIES = ['isStaged', 'isOffered', 'isAsked', 'isDone', 'hasFailed', 'hasBooted', 'hasVersion'] as const;
export type Lie = (typeof LIES)[number];

/** A version that was never released: only liars know it. */
export const UNHEARD_OF = '99.0.0';

/** How a lie changes the status of an agent's own NodeHost. */
export function untruth(
  lie: Lie,
  order: Order | undefined,
  { at, offered }: { at: string; offered: readonly string[] },
): Partial<NodeHostStatus> {
  const answer = (state: Answer['state'], error?: Answer['error']) =>
    order === undefined ? {} : { answer: { id: order.id, state, startedAt: at, ...(error && { error }) } };
  switch (lie) {
    case 'isStaged':
      return { staged: { version: order?.version ?? offered[0] ?? UNHEARD_OF, provenAt: at, lastCommandAt: at } };
    case 'isOffered':
      return { available: [UNHEARD_OF, ...offered] };
    case 'hasBooted':
      return { bootID: 'another' };
    case 'hasVersion':
      return { version: UNHEARD_OF };
    case 'isAsked':
      return answer('RebootAsked');
    case 'isDone':
      return answer('Done');
    case 'hasFailed':
      return answer('Failed', { code: 'ActivationFailed', message: 'a lie' });
  }
}
