import { useSignal } from '@preact/signals';
import { lasting } from '../../core/lasting.ts';
import type { Api } from './api.ts';
import { Failure, NodeLink, Versions, When } from './parts.tsx';
import { now, policies } from './state.ts';
import { useAnswer } from './use-answer.ts';

const ASK_AGAIN_MS = 5_000;

/** The updates that have ended, newest first. */
export function HistoryView({ api }: { api: Api }) {
  const policy = useSignal('');
  // In a large rollout a node ends every moment: the list follows at its own pace.
  const round = Math.floor(now.value / ASK_AGAIN_MS);
  const { value, failure } = useAnswer(
    (signal) => api.history(policy.value === '' ? {} : { policy: policy.value }, signal),
    [api, policy.value, round],
  ).value;
  return (
    <section class="wide" aria-label="History">
      <div class="tools">
        <label class="field">
          <span>Policy</span>
          <select
            value={policy.value}
            onChange={({ currentTarget }) => {
              policy.value = currentTarget.value;
            }}
          >
            <option value="">all</option>
            {policies.value.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
      {failure !== undefined && <Failure>{failure}</Failure>}
      {value === undefined && failure === undefined && <p class="quiet">Reading …</p>}
      {value?.entries.length === 0 && <p class="empty">No update has ended yet.</p>}
      {value !== undefined && value.entries.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
        <section class="table-box" tabIndex={0} aria-label="Updates that have ended">
          <table>
            <thead>
              <tr>
                <th scope="col">Node</th>
                <th scope="col">Version</th>
                <th scope="col">Outcome</th>
                <th scope="col">Ended</th>
                <th scope="col">Took</th>
                <th scope="col" class="column-policy">
                  Policy
                </th>
              </tr>
            </thead>
            <tbody>
              {value.entries.map(({ node, from, to, outcome, startedAt, finishedAt, urgent, policy: of }) => (
                <tr key={`${node} ${finishedAt}`}>
                  <th scope="row">
                    <NodeLink node={node} />
                  </th>
                  <td>
                    <Versions version={from} target={to} />
                  </td>
                  <td>
                    {outcome === 'Updated' ? outcome : <strong>{outcome}</strong>} {urgent === true && <span class="mark">urgent</span>}
                  </td>
                  <td>
                    <When at={finishedAt} both />
                  </td>
                  <td class="number">{lasting(finishedAt - startedAt)}</td>
                  <td class="column-policy">{of}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {value !== undefined && value.total > value.entries.length && (
        <p class="quiet">
          The newest {value.entries.length.toLocaleString('en')} of {value.total.toLocaleString('en')}; all of them: kubectl lockkeeper
          history
        </p>
      )}
    </section>
  );
}
