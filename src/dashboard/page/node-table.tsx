import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { lookOf } from './looks.ts';
import { Sign, Versions, When } from './parts.tsx';
import { opened, tiles } from './state.ts';

const ROW = 32;
const AROUND = 8;

/** The fleet as a table, of which only the rows in sight exist. */
export function NodeTable() {
  const box = useRef<HTMLDivElement>(null);
  const from = useSignal(0);
  const seen = Math.ceil((box.current?.clientHeight ?? 640) / ROW) + 2 * AROUND;
  const nodes = tiles.value;
  const first = Math.max(0, Math.min(from.value - AROUND, nodes.length - seen));
  const rows = nodes.slice(first, first + seen);
  const below = Math.max(0, nodes.length - first - rows.length);
  return (
    <section
      ref={box}
      class="table-box"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
      tabIndex={0}
      aria-label="Nodes as a table"
      onScroll={({ currentTarget }) => {
        const row = Math.floor(currentTarget.scrollTop / ROW / AROUND) * AROUND;
        if (row !== from.value) from.value = row;
      }}
    >
      <table class="nodes" aria-rowcount={nodes.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {['Node', 'State', 'Reason', 'Version', 'Zone', 'Group', 'Policy', 'Since'].map((head) => (
              <th key={head} scope="col" class={`column-${head.toLowerCase()}`}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <tr class="spacer" style={{ height: `${first * ROW}px` }} />
          {rows.map((node, index) => (
            <tr key={node.name} aria-rowindex={first + index + 2} class={opened.value === node.name ? 'selected' : undefined}>
              <th scope="row">
                <button
                  type="button"
                  class="link"
                  onClick={() => {
                    opened.value = node.name;
                  }}
                >
                  {node.name}
                </button>
              </th>
              <td>
                <Sign look={lookOf(node)} /> {lookOf(node).label}
              </td>
              <td class="column-reason" title={node.message}>
                {node.reason}
              </td>
              <td class="column-version">
                <Versions version={node.version} target={node.target} />
              </td>
              <td class="column-zone">{node.zone}</td>
              <td class="column-group">{node.group}</td>
              <td class="column-policy">{node.policy}</td>
              <td class="column-since">{node.since !== undefined && <When at={node.since} />}</td>
            </tr>
          ))}
          <tr class="spacer" style={{ height: `${below * ROW}px` }} />
        </tbody>
      </table>
    </section>
  );
}
