import type { Connection } from '../wire.ts';
import { When } from './parts.tsx';
import { fleet, helpShown, link, now, type View, view } from './state.ts';
import { THEMES, theme } from './theme.ts';
import { exact } from './times.ts';
import { Choice } from './toolbar.tsx';

const VIEWS: readonly (readonly [View, string])[] = [
  ['fleet', 'Fleet'],
  ['plan', 'Plan'],
  ['history', 'History'],
];

/** Which cluster, as whom, how fresh; and the ways to what else there is. */
export function TopBar() {
  const cluster = fleet.value?.cluster;
  return (
    <header class="top">
      <h1>
        <svg viewBox="0 0 20 20" aria-hidden="true" focusable="false">
          <path d="M2.5 3V17M17.5 3V17M2.5 6L10 10L17.5 6M2.5 14L10 10L17.5 14" />
        </svg>
        Lockkeeper
      </h1>
      {cluster !== undefined && (
        <p class="cluster" title={cluster.server}>
          <strong>{cluster.context}</strong>
          <span class="quiet">
            {cluster.user !== undefined && ` as ${cluster.user}`}
            {cluster.kubernetes !== undefined && ` · Kubernetes ${cluster.kubernetes}`}
          </span>
        </p>
      )}
      <Freshness />
      <nav aria-label="Views">
        {VIEWS.map(([key, label]) => (
          <button
            key={key}
            type="button"
            aria-current={view.value === key ? 'page' : undefined}
            onClick={() => {
              view.value = key;
            }}
          >
            {label}
          </button>
        ))}
      </nav>
      <Choice
        label="Colours"
        of={THEMES}
        value={theme.value}
        onChange={(value) => {
          theme.value = value;
        }}
      />
      <button
        type="button"
        class="button round"
        aria-label="Keys and signs"
        onClick={() => {
          helpShown.value = true;
        }}
      >
        ?
      </button>
    </header>
  );
}

/** In one word and a sentence whether what is shown is what is. */
function Freshness() {
  const { tone, word, since, message } = freshness();
  return (
    <div class={`fresh tone-${tone}`} role="status">
      <span class="dot" aria-hidden="true" />
      <span>
        <strong>{word}</strong>
        {since !== undefined && <> since {exact(since, now.value)}</>}
        {message !== undefined && <span class="fresh-more"> {message}</span>}
      </span>
    </div>
  );
}

const WORDS: Readonly<Record<Connection['state'], readonly [tone: string, word: string]>> = {
  connecting: ['waiting', 'Reading the cluster'],
  live: ['live', 'Live'],
  broken: ['failed', 'API server unreachable'],
  unauthorized: ['failed', 'Not logged in'],
  notInstalled: ['held', 'Lockkeeper is not installed'],
};

function freshness(): { tone: string; word: string; since?: number; message?: string } {
  const { state, since, message } = link.value;
  const said = message === undefined ? {} : { message };
  if (state === 'opening') return { tone: 'waiting', word: 'Connecting' };
  if (state === 'refused') return { tone: 'failed', word: 'Not let in', ...said };
  if (state === 'lost')
    return {
      tone: 'failed',
      word: 'Reconnecting',
      since,
      message: message ?? 'The dashboard’s server does not answer: is kubectl lockkeeper dashboard still running?',
    };
  const connection = fleet.value?.connection;
  if (connection === undefined) return { tone: 'waiting', word: 'Connecting' };
  const [tone, word] = WORDS[connection.state];
  return {
    tone,
    word,
    ...(connection.state !== 'live' && connection.state !== 'connecting' && { since: connection.since }),
    ...(connection.state !== 'live' && connection.message !== undefined && { message: connection.message }),
  };
}

/** When the API server last told anything, where it no longer does. */
export function Staleness() {
  const connection = fleet.value?.connection;
  const lost = link.value.state === 'lost' || link.value.state === 'refused';
  if (fleet.value === undefined || connection === undefined || (connection.state === 'live' && !lost) || connection.state === 'connecting')
    return null;
  const heardAt = connection.heardAt ?? fleet.value.at;
  return (
    <p class="stale">
      What is shown was so <When at={heardAt} both />.
    </p>
  );
}
