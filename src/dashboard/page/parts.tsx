import type { ComponentChildren } from 'preact';
import { NO_FILTER } from './filter.ts';
import type { Look } from './looks.ts';
import { filter, now, opened } from './state.ts';
import { exact, full, relative } from './times.ts';

/** The sign of a state, as on its tile. */
export const Sign = ({ look: { tone, filled, sign } }: { look: Look }) => (
  <svg class={`sign tone-${tone}${filled ? ' filled' : ''}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
    <rect x="0.5" y="0.5" width="15" height="15" rx="3" />
    <path d={sign} />
  </svg>
);

/** A time: how long ago or to come, and when exactly on request; `both` says both at once. */
export function When({ at, both = false }: { at: number; both?: boolean }) {
  const said = relative(at, now.value);
  return (
    <time dateTime={new Date(at).toISOString()} title={full(at)}>
      {both ? `${exact(at, now.value)} (${said})` : said}
    </time>
  );
}

/** A node's name, which opens its panel. */
export const NodeLink = ({ node }: { node: string }) => (
  <button
    type="button"
    class="link"
    onClick={() => {
      opened.value = node;
    }}
  >
    {node}
  </button>
);

/** Takes every filter away. */
export const ShowAll = () => (
  <button
    type="button"
    class="link"
    onClick={() => {
      filter.value = NO_FILTER;
    }}
  >
    Show all
  </button>
);

/** From which version to which. */
export const Versions = ({ version = '', target }: { version?: string | undefined; target?: string | undefined }) => (
  <span class="number">
    {version}
    {target !== undefined && target !== version && (
      <>
        <span aria-hidden="true"> → </span>
        <span class="spoken"> to </span>
        {target}
      </>
    )}
  </span>
);

/** A term and what is to be said of it; nothing where there is nothing. */
export const Entry = ({ term, children }: { term: string; children?: ComponentChildren }) =>
  children === undefined || children === false || children === '' || children === null ? null : (
    <div class="entry">
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );

/** What did not work, read aloud at once. */
export const Failure = ({ children }: { children: ComponentChildren }) => (
  <p class="failure" role="alert">
    {children}
  </p>
);
