import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import type { NodeRow } from '../wire.ts';
import { cornerOf, type Layout, layOut, type Move, moved, tileAt, tileFor } from './layout.ts';
import { type Look, lookOf } from './looks.ts';
import { type Painter, painterOn } from './painter.ts';
import { Sign, Versions } from './parts.tsx';
import { grouping, opened, sections, tiles } from './state.ts';
import { counted, shortName } from './text.ts';
import { colours } from './theme.ts';

const MOVES: ReadonlySet<string> = new Set<Move>(['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown']);
const isMove = (key: string): key is Move => MOVES.has(key);

/**
 * The fleet as tiles: cards where there are few, signs on a canvas where there are many. Either way it is one list box: the tile that
 * the keys have come to is an element of its own.
 */
export function FleetPicture() {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useRef<Painter | undefined>(undefined);
  const id = useId();
  const width = useSignal(0);
  /** By name, so that it stays with its node when others come and go. */
  const active = useSignal<string | undefined>(undefined);
  const hovered = useSignal<number | undefined>(undefined);
  const layout = useComputed(() => layOut(sections.value, width.value, tileFor(tiles.value.length, width.value)));
  const activeIndex = useComputed(() => {
    const index = tiles.value.findIndex(({ name }) => name === active.value);
    return index === -1 ? 0 : index;
  });

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    width.value = element.clientWidth;
    const observer = new ResizeObserver(() => {
      width.value = element.clientWidth;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [width]);

  const bySign = layout.value.tile.kind === 'sign';
  useSignalEffect(() => {
    const shown = layout.value;
    const element = canvas.current;
    if (element === null || shown.tile.kind !== 'sign') return;
    painter.current ??= painterOn(element);
    painter.current.paint(shown, tiles.value.map(lookOf), width.value, colours.value);
  });
  // A canvas that comes back is another one.
  useEffect(() => {
    if (canvas.current === null) return undefined;
    painter.current = painterOn(canvas.current);
    painter.current.paint(layout.value, tiles.value.map(lookOf), width.value, colours.value);
    return () => {
      painter.current = undefined;
    };
  }, [bySign, layout, width]);

  const inSight = (): void => document.getElementById(`${id}-active`)?.scrollIntoView({ block: 'nearest' });
  // A node in detail takes room from the picture, and all tiles move.
  useSignalEffect(() => {
    if (width.value > 0 && opened.value !== undefined) requestAnimationFrame(inSight);
  });

  const pointed = (event: MouseEvent): number | undefined => {
    const corner = box.current?.getBoundingClientRect();
    return corner === undefined ? undefined : tileAt(layout.value, event.clientX - corner.left, event.clientY - corner.top);
  };
  const open = (index: number | undefined): void => {
    const node = index === undefined ? undefined : tiles.value[index];
    if (node === undefined) return;
    active.value = node.name;
    opened.value = node.name;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter' || event.key === ' ') open(activeIndex.value);
    else if (isMove(event.key)) {
      active.value = tiles.value[moved(layout.value, activeIndex.value, event.key)]?.name;
      queueMicrotask(inSight);
    } else return;
    event.preventDefault();
  };

  const shown = layout.value;
  return (
    <div
      ref={box}
      class={`picture ${shown.tile.kind}s`}
      style={{ height: `${shown.height}px` }}
      role="listbox"
      tabIndex={0}
      aria-label={`Nodes by ${grouping.value}`}
      aria-activedescendant={`${id}-active`}
      onKeyDown={onKeyDown}
      onClick={(event) => open(pointed(event))}
      onPointerMove={(event) => {
        hovered.value = event.pointerType === 'mouse' ? pointed(event) : undefined;
      }}
      onPointerLeave={() => {
        hovered.value = undefined;
      }}
    >
      {bySign && <canvas ref={canvas} />}
      {sections.value.map((section, index) => {
        const place = shown.sections[index];
        if (place === undefined) return null;
        const { first, count } = place;
        return (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset is no part of a list box
          <div key={section.key} role="group" aria-label={`${grouping.value} ${section.title}, ${counted(count, 'node')}`}>
            <div class="section-head" style={{ top: `${place.top}px` }} aria-hidden="true">
              <strong>{section.title}</strong> <span class="number">{counted(count, 'node')}</span>
            </div>
            {inDocument(section.nodes, activeIndex.value - first, bySign).map(([node, inside]) => {
              const isActive = first + inside === activeIndex.value;
              const key = isActive && bySign ? 'active' : node.name;
              return <Tile key={key} id={isActive ? `${id}-active` : undefined} {...{ node, at: first + inside, layout: shown }} />;
            })}
          </div>
        );
      })}
      {bySign && hovered.value !== undefined && <Tip layout={shown} index={hovered.value} width={width.value} />}
    </div>
  );
}

/** Tiles of a section that are elements, with their places in it: all cards, and of signs the active one alone. */
function inDocument(nodes: readonly NodeRow[], active: number, bySign: boolean): [NodeRow, number][] {
  if (!bySign) return nodes.map((node, index) => [node, index]);
  const node = nodes[active];
  return node === undefined ? [] : [[node, active]];
}

function Tile({ node, at, layout, id }: { node: NodeRow; at: number; layout: Layout; id: string | undefined }) {
  const corner = cornerOf(layout, at) ?? { x: 0, y: 0 };
  const { width, height } = layout.tile;
  const look = lookOf(node);
  const style = { transform: `translate(${corner.x}px, ${corner.y}px)`, width: `${width}px`, height: `${height}px` };
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the list box has the focus, and names the tile that is active
    <div
      id={id}
      class={`tile tone-${look.tone}${id === undefined ? '' : ' active'}`}
      style={style}
      role="option"
      aria-selected={opened.value === node.name}
      aria-posinset={at + 1}
      aria-setsize={layout.count}
      aria-label={layout.tile.kind === 'card' ? undefined : wordsOf(node).join(', ')}
      title={layout.tile.kind === 'card' ? node.name : undefined}
    >
      {layout.tile.kind === 'card' && <Card node={node} look={look} />}
    </div>
  );
}

/** A tile with words; all of them together, seen or not, are its name. */
function Card({ node, look }: { node: NodeRow; look: Look }) {
  return (
    <>
      <span class="tile-head">
        <Sign look={look} />
        <span class="name">{shortName(node.name)}</span>
        <Spoken>, </Spoken>
      </span>
      <span class="tile-line">
        {look.label}
        {saysMore(node) && (
          <>
            <span aria-hidden="true"> · </span>
            <Spoken>, </Spoken>
            {node.reason}
          </>
        )}
        <Spoken>, version </Spoken>
      </span>
      <span class="tile-line quiet">
        <Versions version={node.version} target={node.target} />
        {marksOf(node).map((mark) => (
          <span key={mark} class="mark">
            <Spoken>, </Spoken>
            {mark}
          </span>
        ))}
        <Spoken>{placeOf(node).map((part) => `, ${part}`)}</Spoken>
      </span>
    </>
  );
}

const Spoken = ({ children }: { children: ComponentChildren }) => <span class="spoken">{children}</span>;

/** Whether the reason says more than the state. */
const saysMore = ({ phase, reason }: NodeRow): boolean => reason !== undefined && reason !== phase && reason !== 'UpToDate';

/** What else a person should see of a node. */
export const marksOf = ({ overdue, byHand, notReady, deleting }: NodeRow): string[] => [
  ...(overdue === true ? ['overdue'] : []),
  ...(byHand?.paused === true ? ['paused'] : []),
  ...(byHand?.urgent === undefined ? [] : ['urgent']),
  ...(notReady === true ? ['not ready'] : []),
  ...(deleting === true ? ['being deleted'] : []),
];

/** What is to be heard of a node that is a sign alone. */
function wordsOf(node: NodeRow): string[] {
  const { name, version, target, reason } = node;
  return [
    name,
    lookOf(node).label,
    ...(saysMore(node) && reason !== undefined ? [reason] : []),
    ...(version === undefined ? [] : [`version ${version}${target === undefined || target === version ? '' : ` to ${target}`}`]),
    ...marksOf(node),
    ...placeOf(node),
  ];
}

const placeOf = ({ zone, group }: NodeRow): string[] => [
  ...(zone === undefined ? [] : [`zone ${zone}`]),
  ...(group === undefined ? [] : [`group ${group}`]),
];

/** What the pointer is at, beside it. */
function Tip({ layout, index, width }: { layout: Layout; index: number; width: number }) {
  const node = tiles.value[index];
  const corner = cornerOf(layout, index);
  if (node === undefined || corner === undefined) return null;
  const look = lookOf(node);
  const x = Math.max(0, Math.min(corner.x, width - 280));
  return (
    <div class="tip" style={{ transform: `translate(${x}px, ${corner.y + layout.tile.height + 6}px)` }} aria-hidden="true">
      <span class="tile-head">
        <Sign look={look} />
        <span class="name">{node.name}</span>
      </span>
      <span class="tile-line">
        {look.label}
        {saysMore(node) && <> · {node.reason}</>} · <Versions version={node.version} target={node.target} />
      </span>
      {node.message !== undefined && node.reason !== 'UpToDate' && <span class="tip-message">{node.message}</span>}
    </div>
  );
}
