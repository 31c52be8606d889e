import { useEffect, useRef } from 'preact/hooks';
import { LOOKS } from './looks.ts';
import { Sign } from './parts.tsx';
import { helpShown } from './state.ts';

const KEYS: readonly (readonly [string, string])[] = [
  ['Arrows', 'from tile to tile, through all sections'],
  ['Page up, Page down', 'to the section before or after'],
  ['Home, End', 'to the first or last tile'],
  ['Enter or Space', 'open the node'],
  ['Esc', 'close the node or a question'],
  ['/', 'search'],
  ['?', 'this'],
];

/** What the signs mean, and which keys there are. */
export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== '?' || (event.target instanceof HTMLElement && event.target.matches('input, select, textarea'))) return;
      helpShown.value = true;
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  const shown = helpShown.value;
  useEffect(() => {
    if (shown && dialog.current?.open === false) dialog.current.showModal();
  }, [shown]);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="help"
      onClose={() => {
        helpShown.value = false;
      }}
    >
      <h2 id="help">Signs and keys</h2>
      <dl class="signs">
        {LOOKS.map((look) => (
          <div key={look.key}>
            <dt>
              <Sign look={look} /> {look.label}
            </dt>
            <dd>{look.means}</dd>
          </div>
        ))}
      </dl>
      <dl class="keys">
        {KEYS.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <div class="dialog-foot">
        <button type="button" class="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  );
}
