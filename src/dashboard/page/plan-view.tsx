import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { lasting } from '../../core/lasting.ts';
import type { Plan, PlanEvent, PlanWarning, PolicyPlan } from '../wire.ts';
import type { Api } from './api.ts';
import { Failure, NodeLink, When } from './parts.tsx';
import { now } from './state.ts';
import { exact } from './times.ts';
import { inWords } from './use-answer.ts';

/** So many steps are shown of each policy; the command has all of them. */
const MAX_STEPS = 500;

interface Planning {
  plan?: Plan;
  failure?: string;
  progress?: PlanEvent & { type: 'progress' };
}

/** What would become of the nodes, when, and in which order; made when it is asked for. */
export function PlanView({ api }: { api: Api }) {
  const state = useSignal<Planning>({});
  const round = useSignal(0);
  useEffect(() => {
    const ending = new AbortController();
    const make = async (): Promise<void> => {
      state.value = {};
      for await (const event of api.plan(ending.signal)) {
        if (event.type === 'progress') state.value = { progress: event };
        else if (event.type === 'plan') state.value = { plan: event.plan };
        else state.value = { failure: event.problem.message };
      }
    };
    make().catch((error: unknown) => {
      if (!ending.signal.aborted) state.value = { failure: inWords(error) };
    });
    return () => ending.abort();
  }, [api, round.value]);
  const { plan, failure, progress } = state.value;
  return (
    <section class="wide" aria-label="Plan">
      <div class="tools">
        <button
          type="button"
          class="button"
          onClick={() => {
            round.value += 1;
          }}
        >
          Plan again
        </button>
        {plan !== undefined && (
          <span class="quiet">
            made <When at={Date.parse(plan.at)} both />
          </span>
        )}
      </div>
      <div role="status">
        {plan === undefined && failure === undefined && (
          <p class="quiet">
            {progress?.stage === 'planning'
              ? `Planning${progress.total === undefined ? '' : `: ${progress.done ?? 0} of ${progress.total} nodes`} …`
              : 'Reading the cluster …'}
          </p>
        )}
      </div>
      {failure !== undefined && <Failure>{failure}</Failure>}
      {plan?.policies.map((policy) => (
        <PolicyOf key={policy.name} plan={policy} />
      ))}
      {plan !== undefined && <Warnings list={plan.warnings} />}
      {plan !== undefined && plan.assumptions.length > 0 && plan.policies.some(({ steps }) => steps.length > 0) && (
        <details class="assumed">
          <summary>Assumed</summary>
          <ul>
            {plan.assumptions.map(({ name, message, policy = '', variant, arch = '', seconds, samples }) => (
              <li key={`${name} ${policy} ${variant} ${arch}`}>
                {variant !== undefined && `${variant} (${arch}): `}
                {seconds !== undefined && `${lasting(seconds * 1_000)} `}
                {message}
                {seconds !== undefined && (samples === undefined ? ' (assumed, none has been measured)' : ` (median of ${samples})`)}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function PolicyOf({ plan: { name, nodes, upToDate, targets, startsAt, endsAt, complete, steps, held, warnings } }: { plan: PolicyPlan }) {
  const [from, to] = [startsAt, endsAt].map((at) => (at === undefined ? undefined : Date.parse(at)));
  return (
    <article class="plan">
      <h2>
        {name}: {upToDate} of {nodes} nodes up to date
        {steps.length + held.length === 0
          ? ', nothing to do'
          : `, ${steps.length} to update${held.length > 0 ? `, ${held.length} held` : ''}`}
      </h2>
      {targets.map(({ variant, arch, to: version }) => (
        <p key={`${variant} ${arch}`} class="quiet">
          to <span class="number">{version}</span> for {variant} ({arch})
        </p>
      ))}
      {from !== undefined && to !== undefined ? (
        <p>
          From <When at={from} both /> to <When at={to} both />, {lasting(to - from)}
          {complete ? ' until all nodes are updated' : ' until those are updated that can be'}
        </p>
      ) : (
        steps.length + held.length > 0 && <p>No node is begun as things stand.</p>
      )}
      <Warnings list={warnings} />
      {steps.length > 0 && <Steps {...{ steps, from: from ?? 0, to: to ?? 0 }} />}
      {held.length > 0 && (
        <>
          <h3>Not updated as things stand</h3>
          <ul class="plain">
            {held.slice(0, MAX_STEPS).map(({ node, reason, message, pods = [] }) => (
              <li key={node}>
                <strong>{node}</strong> <strong>{reason}</strong> {message}
                {pods.map(({ pod, why }) => (
                  <div key={pod} class="quiet">
                    {pod}: {why}
                  </div>
                ))}
              </li>
            ))}
          </ul>
        </>
      )}
    </article>
  );
}

function Steps({ steps, from, to }: { steps: PolicyPlan['steps']; from: number; to: number }) {
  const span = Math.max(1, to - from);
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
      <section class="table-box" tabIndex={0} aria-label="Steps of the plan">
        <table>
          <thead>
            <tr>
              <th scope="col" class="number">
                #
              </th>
              <th scope="col">Node</th>
              <th scope="col">Starts</th>
              <th scope="col">Takes</th>
              <td class="column-when" />
              <th scope="col" class="column-zone">
                Group, zone
              </th>
              <th scope="col" class="column-reason">
                Now
              </th>
            </tr>
          </thead>
          <tbody>
            {steps
              .slice(0, MAX_STEPS)
              .map(({ order, node, group, zone, from: old, to: version, startsAt, endsAt, inFlight, now: state }) => {
                const [start, end] = [Date.parse(startsAt), endsAt === undefined ? undefined : Date.parse(endsAt)];
                const left = Math.max(0, Math.min(1, (start - from) / span));
                const width = end === undefined ? 0.01 : Math.max(0.005, Math.min(1 - left, (end - start) / span));
                return (
                  <tr key={node}>
                    <td class="number">{order}</td>
                    <th scope="row" title={`${old} to ${version}`}>
                      <NodeLink node={node} />
                    </th>
                    <td class="number">{inFlight ? 'in flight' : exact(start, now.value)}</td>
                    <td class="number">{end === undefined ? '' : lasting(end - start)}</td>
                    <td class="column-when">
                      <span class="span" style={{ marginLeft: `${left * 100}%`, width: `${width * 100}%` }} />
                    </td>
                    <td class="column-zone">{[group, zone].filter((part) => part !== undefined).join(', ')}</td>
                    <td class="column-reason" title={state.message}>
                      {state.phase === state.reason ? state.phase : `${state.phase}: ${state.reason}`}
                    </td>
                  </tr>
                );
              })}
          </tbody>
        </table>
      </section>
      {steps.length > MAX_STEPS && (
        <p class="quiet">
          The first {MAX_STEPS} of {steps.length}; all of them: kubectl lockkeeper plan
        </p>
      )}
    </>
  );
}

const Warnings = ({ list }: { list: readonly PlanWarning[] }) =>
  list.length === 0 ? null : (
    <ul class="told">
      {list.map(({ name, message, endless }) => (
        <li key={`${name} ${message}`} class={endless ? 'tone-failed' : 'tone-held'}>
          <strong>{endless ? `Never ends (${name})` : name}</strong> {message}
        </li>
      ))}
    </ul>
  );
