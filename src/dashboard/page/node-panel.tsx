import { useLayoutEffect, useRef } from 'preact/hooks';
import { lasting } from '../../core/lasting.ts';
import { ADVICE, asReason, REASONS } from '../../core/reasons.ts';
import type { NodeRow } from '../wire.ts';
import { nodeOffers } from './actions.ts';
import type { Api } from './api.ts';
import { marksOf } from './fleet-picture.tsx';
import { lookOf } from './looks.ts';
import { Offers } from './offers.tsx';
import { Entry, Failure, Sign, Versions, When } from './parts.tsx';
import { fleet, opened } from './state.ts';
import { counted } from './text.ts';
import { useAnswer } from './use-answer.ts';

/** All that is known of one node, and what a person can do about it. */
export function NodePanel({ api }: { api: Api }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const name = opened.value;
  // At once: nobody's next key may go nowhere.
  useLayoutEffect(() => {
    if (name === undefined) return undefined;
    const cameFrom = document.activeElement;
    heading.current?.focus();
    return () => {
      if (opened.peek() === undefined && cameFrom instanceof HTMLElement && cameFrom.isConnected) cameFrom.focus();
    };
  }, [name]);
  if (name === undefined) return null;
  const node = fleet.value?.nodes.get(name);
  return (
    <aside
      class="panel"
      aria-label={`Node ${name}`}
      onKeyDown={(event) => {
        if (event.key === 'Escape') opened.value = undefined;
      }}
    >
      <header class="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {name}
        </h2>
        <button
          type="button"
          class="button close"
          aria-label="Close the node"
          onClick={() => {
            opened.value = undefined;
          }}
        >
          ✕
        </button>
      </header>
      {node === undefined ? <p>This node is gone.</p> : <Details node={node} api={api} />}
    </aside>
  );
}

function Details({ node, api }: { node: NodeRow; api: Api }) {
  const { phase, next, reason, message, since, version, target, staged, policy, zone, group, variant, arch, byHand } = node;
  const look = lookOf(node);
  const known = asReason(reason);
  const marks = marksOf(node);
  return (
    <>
      <div class="panel-state">
        <Sign look={look} />
        <strong>{look.label}</strong>
        {marks.map((mark) => (
          <span key={mark} class="mark">
            {mark}
          </span>
        ))}
        {since !== undefined && (
          <span class="quiet">
            since <When at={since} both />
          </span>
        )}
      </div>
      {phase === undefined && <p>No controller has looked at it yet, or no policy selects it.</p>}
      {reason !== undefined && (
        <p class="panel-reason">
          {reason !== phase && <strong title={known === undefined ? undefined : REASONS[known]}>{reason}</strong>} {message}
        </p>
      )}
      {known !== undefined && ADVICE[known] !== 'Nothing.' && (
        <p class="advice">
          <strong>What to do</strong> <WithCode text={ADVICE[known]} />
        </p>
      )}
      {fleet.value !== undefined && <Offers kind="node" name={node.name} offers={nodeOffers(node, fleet.value.access)} />}
      <dl class="entries">
        <Entry term="Version">
          <Versions version={version} target={target} />
        </Entry>
        <Entry term="Staged">{staged !== undefined && <span class="number">{staged}</span>}</Entry>
        <Entry term="Next">{next}</Entry>
        <Entry term="Behind since">{node.behindSince !== undefined && <When at={node.behindSince} both />}</Entry>
        <Entry term={node.overdue === true ? 'Overdue since' : 'Patch deadline'}>
          {node.overdueAt !== undefined && <When at={node.overdueAt} both />}
        </Entry>
        <Entry term="Tried again">{node.retryAt !== undefined && <When at={node.retryAt} both />}</Entry>
        <Entry term="Attempts">{node.attempts !== undefined && node.attempts > 0 && node.attempts}</Entry>
        <Entry term="Step ends by">{node.deadline !== undefined && <When at={node.deadline} both />}</Entry>
        <Entry term="Policy">{policy}</Entry>
        <Entry term="Zone">{zone}</Entry>
        <Entry term="Group">{group}</Entry>
        <Entry term="Variant">{variant !== undefined && `${variant}${arch === undefined ? '' : ` (${arch})`}`}</Entry>
        <Entry term="Cordoned">{node.cordoned === true && 'yes'}</Entry>
        <Entry term="By hand">{byHand !== undefined && saysByHand(byHand)}</Entry>
        <Entry term="Agent">{node.agentVersion}</Entry>
      </dl>
      {byHand?.problems !== undefined && reason !== 'InvalidAnnotation' && (
        <Failure>Annotations that cannot be read: {byHand.problems.join('; ')}</Failure>
      )}
      {node.conditions?.filter(saysMore).map(({ type, status, reason: why, message: text }) => (
        <p key={type} class="says">
          <strong>{status === 'False' ? why : type}</strong> {text}
        </p>
      ))}
      {node.drain !== undefined && <DrainDetails drain={node.drain} />}
      {node.hooks !== undefined && node.hooks.length > 0 && <Hooks hooks={node.hooks} />}
      {node.failures !== undefined && node.failures.length > 0 && (
        <section>
          <h3>Failures it remembers</h3>
          <ul class="plain">
            {node.failures.map(({ target: to, reason: why, message: text, at }) => (
              <li key={`${to} ${at}`}>
                <span class="number">{to}</span> <strong>{why}</strong>{' '}
                <span class="quiet">
                  <When at={at} both />
                </span>
                {text !== undefined && <div>{text}</div>}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Why node={node} api={api} />
      <NodeHistory node={node} api={api} />
    </>
  );
}

/** Annotations that cannot be read are told of by themselves. */
const saysMore = ({ type }: { type: string }): boolean => type !== 'AnnotationsValid';

function saysByHand({ paused, pin, approved, urgent, pending = [] }: NonNullable<NodeRow['byHand']>): string {
  return [
    ...(paused === true ? ['paused'] : []),
    ...(pin === undefined ? [] : [`pinned to ${pin}`]),
    ...(approved === undefined ? [] : [`${approved} approved`]),
    ...(urgent === undefined ? [] : [`${urgent} urgent`]),
    ...pending.map((verb) => `${verb} asked for, not acted upon yet`),
  ].join(', ');
}

/** Words in backticks are what a person types. */
const WithCode = ({ text }: { text: string }) => (
  <>{text.split('`').map((part, index) => (index % 2 === 1 ? <code key={part}>{part}</code> : part))}</>
);

function DrainDetails({
  drain: { startedAt, deadline, total, remaining, blocked = [], left = [] },
}: {
  drain: NonNullable<NodeRow['drain']>;
}) {
  return (
    <section>
      <h3>Drain</h3>
      <p>
        {remaining} of {counted(total, 'pod')} still to leave; begun <When at={startedAt} both />
        {deadline !== undefined && (
          <>
            , may take until <When at={deadline} both />
          </>
        )}
      </p>
      {blocked.length > 0 && (
        <ul class="plain">
          {blocked.map(({ pod, reason, budget, message }) => (
            <li key={pod}>
              <strong>{pod}</strong> {reason}
              {budget !== undefined && <> · budget {budget}</>}
              {message !== undefined && <div class="quiet">{message}</div>}
            </li>
          ))}
        </ul>
      )}
      {left.length > 0 && (
        <details>
          <summary>{left.length} pods are left for the reboot to end</summary>
          <ul class="plain">
            {left.map(({ pod, reason }) => (
              <li key={pod}>
                <span>{pod}</span> {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function Hooks({ hooks }: { hooks: NonNullable<NodeRow['hooks']> }) {
  return (
    <section>
      <h3>Hooks</h3>
      <ul class="plain">
        {hooks.map(({ at, job, outcome, message, log, deadline, endedAt, attempt = 0 }) => (
          <li key={job}>
            <strong>{at}</strong> {outcome}
            {attempt > 0 && `, attempt ${attempt + 1}`} <span class="quiet">Job {job}</span>
            {message !== undefined && <div>{message}</div>}
            {endedAt === undefined && deadline !== undefined && (
              <div class="quiet">
                until <When at={Date.parse(deadline)} both />
              </div>
            )}
            {log !== undefined && <code>{log}</code>}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The rules that the node was put to, asked anew whenever it is somewhere else. */
function Why({ node: { name, phase, reason }, api }: { node: NodeRow; api: Api }) {
  const { value: why, failure } = useAnswer((signal) => api.why(name, signal), [api, name, phase, reason]).value;
  const fits = why?.node === name;
  return (
    <section>
      <h3>Why it is where it is</h3>
      {failure !== undefined && <Failure>{failure}</Failure>}
      {!fits && failure === undefined && <p class="quiet">Asking its rules …</p>}
      {fits && why.change !== undefined && (
        <p class="advice">
          <strong>What changes that</strong> {why.change}
        </p>
      )}
      {fits && why.rules.length === 0 && <p class="quiet">No rule is asked now: it is in flight, or has nothing to do.</p>}
      {fits && why.rules.length > 0 && (
        <ol class="rules">
          {why.rules.map(({ rule, wants, holds, message, change }) => (
            <li key={rule} class={holds ? 'holds' : 'passes'}>
              <span class="verdict">{holds ? 'holds' : 'passes'}</span> <strong>{rule}</strong>
              <div>
                {holds ? message : wants}
                {holds && change !== undefined && <div class="quiet">changed by: {change}</div>}
              </div>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

const SETTLED: ReadonlySet<string | undefined> = new Set(['Idle', 'Blocked', 'RolledBack', 'Failed']);

function NodeHistory({ node: { name, phase }, api }: { node: NodeRow; api: Api }) {
  const { value, failure } = useAnswer((signal) => api.history({ node: name }, signal), [api, name, SETTLED.has(phase)]).value;
  return (
    <section>
      <h3>Its last updates</h3>
      {failure !== undefined && <Failure>{failure}</Failure>}
      {value?.entries.length === 0 && <p class="quiet">None has ended yet.</p>}
      <ul class="plain">
        {value?.entries.map(({ from, to, startedAt, finishedAt, outcome, urgent }) => (
          <li key={finishedAt}>
            <Versions version={from} target={to} /> <strong>{outcome}</strong> {urgent === true && <span class="mark">urgent</span>}
            <div class="quiet">
              <When at={finishedAt} both />, took {lasting(finishedAt - startedAt)}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
