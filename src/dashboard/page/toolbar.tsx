import { useEffect, useRef } from 'preact/hooks';
import { isFiltering } from './filter.ts';
import { GROUPINGS } from './grouping.ts';
import { LOOKS, type LookKey } from './looks.ts';
import { ShowAll, Sign } from './parts.tsx';
import { counts, filter, fleet, grouping, shape, shownNodes } from './state.ts';
import { counted } from './text.ts';

/** How the fleet is put together, and which of it is shown. */
export function Toolbar() {
  const search = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const typing = event.target instanceof HTMLElement && event.target.matches('input, select, textarea, dialog *');
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      search.current?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  const { reason, text } = filter.value;
  const total = fleet.value?.nodes.size ?? 0;
  return (
    <div class="toolbar">
      <div class="tools">
        <Choice
          label="Group by"
          of={GROUPINGS}
          value={grouping.value}
          onChange={(value) => {
            grouping.value = value;
          }}
        />
        <Choice
          label="Show as"
          of={['picture', 'table'] as const}
          value={shape.value}
          onChange={(value) => {
            shape.value = value;
          }}
        />
        <label class="field">
          <span>Reason</span>
          <select
            value={reason}
            onChange={({ currentTarget: { value } }) => {
              filter.value = { ...filter.value, reason: value };
            }}
          >
            <option value="">any</option>
            {counts.value.reasons.map(([name, count]) => (
              <option key={name} value={name}>
                {name} ({count})
              </option>
            ))}
            {reason !== '' && counts.value.reasons.every(([name]) => name !== reason) && <option value={reason}>{reason} (0)</option>}
          </select>
        </label>
        <label class="field grows">
          <span>Search</span>
          <input
            ref={search}
            type="search"
            placeholder="name, zone, version, message …  ( / )"
            value={text}
            onInput={({ currentTarget: { value } }) => {
              filter.value = { ...filter.value, text: value };
            }}
            onKeyDown={(event) => {
              if (event.key !== 'Escape' || text === '') return;
              event.stopPropagation();
              filter.value = { ...filter.value, text: '' };
            }}
          />
        </label>
      </div>
      <fieldset class="states">
        <legend class="spoken">States: choose which to show</legend>
        {LOOKS.map((look) => {
          const count = counts.value.looks.get(look.key) ?? 0;
          const chosen = filter.value.looks.has(look.key);
          if (count === 0 && !chosen) return null;
          return (
            <button key={look.key} type="button" class="state" aria-pressed={chosen} title={look.means} onClick={() => toggle(look.key)}>
              <Sign look={look} />
              {look.label} <span class="number">{count.toLocaleString('en')}</span>
            </button>
          );
        })}
        {isFiltering(filter.value) && (
          <>
            <ShowAll />
            <output class="quiet">
              {counted(shownNodes.value.length, 'node')} of {total.toLocaleString('en')}
            </output>
          </>
        )}
      </fieldset>
    </div>
  );
}

function toggle(key: LookKey): void {
  const looks = new Set(filter.value.looks);
  if (!looks.delete(key)) looks.add(key);
  filter.value = { ...filter.value, looks };
}

/** One of a few, side by side. */
export function Choice<T extends string>({
  label,
  of,
  value,
  onChange,
}: {
  label: string;
  of: readonly T[];
  value: T;
  onChange: (value: T) => void;
}) {
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      {of.map((one) => (
        <label key={one}>
          <input type="radio" name={label} checked={one === value} onChange={() => onChange(one)} />
          <span>{one}</span>
        </label>
      ))}
    </fieldset>
  );
}
