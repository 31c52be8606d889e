import type { Api } from './api.ts';
import { Confirmation } from './confirmation.tsx';
import { FleetPicture } from './fleet-picture.tsx';
import { Help } from './help.tsx';
import { HistoryView } from './history-view.tsx';
import { NodePanel } from './node-panel.tsx';
import { NodeTable } from './node-table.tsx';
import { ShowAll } from './parts.tsx';
import { PlanView } from './plan-view.tsx';
import { Policies } from './policies.tsx';
import { fleet, notice, opened, shape, tiles, view } from './state.ts';
import { Toolbar } from './toolbar.tsx';
import { Staleness, TopBar } from './top-bar.tsx';

/** The whole page. */
export function App({ api }: { api: Api }) {
  return (
    <>
      <TopBar />
      <div class={`body${opened.value === undefined ? '' : ' with-panel'}`}>
        <main>
          <Staleness />
          <Missing />
          <Policies />
          {view.value === 'plan' && <PlanView api={api} />}
          {view.value === 'history' && <HistoryView api={api} />}
          {view.value === 'fleet' && <FleetView />}
        </main>
        <NodePanel api={api} />
      </div>
      <Notice />
      <Confirmation api={api} />
      <Help />
    </>
  );
}

function FleetView() {
  if (fleet.value === undefined) return <p class="empty">Waiting for the first word of the cluster …</p>;
  if (fleet.value.nodes.size === 0)
    return <p class="empty">Lockkeeper knows no node: one appears once its OS is Bottlerocket and a controller has seen it.</p>;
  return (
    <section class="fleet" aria-label="Fleet">
      <Toolbar />
      {tiles.value.length === 0 ? (
        <p class="empty">
          No node is like that. <ShowAll />
        </p>
      ) : shape.value === 'picture' ? (
        <FleetPicture />
      ) : (
        <NodeTable />
      )}
    </section>
  );
}

/** What is not shown for want of a right. */
function Missing() {
  const missing = fleet.value?.access.missing ?? [];
  if (missing.length === 0) return null;
  return (
    <ul class="told">
      {missing.map(({ verb, resource, hides }) => (
        <li key={`${verb} ${resource}`} class="tone-held">
          <strong>Not shown</strong> {hides}: you may not {verb} {resource}.
        </li>
      ))}
    </ul>
  );
}

/** What was last done; always there, so that it is read aloud when it is filled. */
function Notice() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notice.value !== undefined && (
        <div class={`notice tone-${notice.value.tone}`}>
          <p>{notice.value.text}</p>
          <button
            type="button"
            class="button close"
            aria-label="Dismiss"
            onClick={() => {
              notice.value = undefined;
            }}
          >
            ✕
          </button>
        </div>
      )}
    </div>
  );
}
