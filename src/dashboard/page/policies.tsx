import type { PolicyRow } from '../wire.ts';
import { policyOffers } from './actions.ts';
import { Offers } from './offers.tsx';
import { When } from './parts.tsx';
import { fleet, now, policies } from './state.ts';
import { exact } from './times.ts';

/** Conditions that are told of while they hold, and how much they ask of a person. */
const TOLD: Readonly<Record<string, 'failed' | 'held' | 'quiet'>> = {
  Halted: 'failed',
  BadRelease: 'failed',
  Overdue: 'held',
  Paused: 'held',
  Urgent: 'held',
};

/** Every policy: how far it is, what holds it, and what comes next. */
export function Policies() {
  if (fleet.value === undefined) return null;
  if (policies.value.length === 0)
    return (
      <section class="policies" aria-label="Policies">
        <p class="empty">There is no UpdatePolicy: no node is kept up to date.</p>
      </section>
    );
  return (
    <section class="policies" aria-label="Policies">
      {policies.value.map((policy) => (
        <OnePolicy key={policy.name} policy={policy} />
      ))}
    </section>
  );
}

function OnePolicy({ policy }: { policy: PolicyRow }) {
  const { nodes, access } = fleet.value ?? {};
  const { name, conditions, summary, unseen, counts, upcoming = [], rollouts = [] } = policy;
  const find = (type: string) => conditions.find((one) => one.type === type);
  const ready = find('Ready');
  const progress = find('Progressing');
  const told = [
    ...(ready?.status === 'False' ? [{ ...ready, tone: 'failed' as const, title: ready.reason }] : []),
    ...Object.entries(TOLD).flatMap(([type, tone]) => {
      const one = find(type);
      return one?.status === 'True' ? [{ ...one, tone, title: type === 'BadRelease' ? 'Bad release' : type }] : [];
    }),
  ];
  const says = unseen === true ? 'No controller has looked at its present spec yet.' : progress?.message;
  const wants = [...new Set(rollouts.map(({ target }) => target))];
  const [next, ...later] = upcoming;
  return (
    <article class="policy" aria-label={`Policy ${name}`}>
      <div class="policy-name">
        <h2>{name}</h2>
        {wants.length > 0 && <p class="quiet number">to {wants.join(', ')}</p>}
      </div>
      <div class="policy-progress">
        {counts !== undefined && <Progress counts={counts} />}
        <p>{summary ?? 'No controller has looked at it yet.'}</p>
      </div>
      <dl class="policy-times">
        <div>
          <dt>Window</dt>
          <dd>
            <Window policy={policy} />
          </dd>
        </div>
        <div>
          <dt>Next</dt>
          <dd>
            {next === undefined ? (
              progress?.status === 'True' ? (
                'nodes in flight finish'
              ) : (
                'nothing is due'
              )
            ) : (
              <>
                {next.text}{' '}
                <span class="quiet">
                  <When at={next.at} />
                </span>
              </>
            )}
            {later.length > 0 && (
              <details>
                <summary>{later.length} more</summary>
                <ul>
                  {later.map(({ at, what, text, node = '', group = '' }) => (
                    <li key={`${what} ${at} ${node} ${group}`}>
                      {text}{' '}
                      <span class="quiet">
                        <When at={at} both />
                      </span>
                    </li>
                  ))}
                </ul>
              </details>
            )}
          </dd>
        </div>
      </dl>
      {access !== undefined && nodes !== undefined && (
        <Offers kind="policy" name={name} offers={policyOffers(policy, nodes.values(), access)} />
      )}
      {told.length > 0 ? (
        <ul class="told">
          {told.map(({ type, title, message, tone }) => (
            <li key={type} class={`tone-${tone}`}>
              <strong>{title}</strong> {message}
            </li>
          ))}
        </ul>
      ) : (
        progress?.reason !== 'UpToDate' &&
        progress?.reason !== 'RollingOut' &&
        says !== undefined && (
          <p class="says">
            {progress !== undefined && unseen !== true && <strong>{progress.reason}</strong>} {says}
          </p>
        )
      )}
      {policy.byHand?.problems !== undefined && <p class="says">Annotations that cannot be read: {policy.byHand.problems.join('; ')}</p>}
    </article>
  );
}

function Window({ policy: { window, timeZone } }: { policy: PolicyRow }) {
  if (window === undefined) return <>unknown</>;
  const { open, nextChange } = window;
  if (nextChange === undefined) return <>{open ? 'always open' : 'closed for good'}</>;
  return (
    <span title={`${exact(nextChange, 0, timeZone)} ${timeZone}`}>
      <strong>{open ? 'open' : 'closed'}</strong>, {open ? 'closes' : 'opens'} {exact(nextChange, now.value)}{' '}
      <span class="quiet">
        <When at={nextChange} />
      </span>
    </span>
  );
}

function Progress({ counts: { nodes, updated, inFlight, blocked, failed } }: { counts: NonNullable<PolicyRow['counts']> }) {
  const rest = Math.max(0, nodes - updated - inFlight - blocked - failed);
  const parts = [
    ['done', updated, 'up to date'],
    ['moving', inFlight, 'in flight'],
    ['held', blocked, 'blocked'],
    ['failed', failed, 'failed'],
    ['rest', rest, 'waiting'],
  ] as const;
  const words = parts.filter(([, count]) => count > 0).map(([, count, what]) => `${count} ${what}`);
  return (
    <div class="progress" role="img" aria-label={`Of ${nodes} nodes: ${words.join(', ') || 'none'}`}>
      {parts.map(([tone, count]) => count > 0 && <span key={tone} class={`bar-${tone}`} style={{ flexGrow: count }} />)}
    </div>
  );
}
