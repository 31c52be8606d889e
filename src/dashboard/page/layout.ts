/** How tiles are drawn: a card with words, or a sign alone where there are many nodes. */
export interface TileSize {
  kind: 'card' | 'sign';
  width: number;
  height: number;
  gap: number;
}

/** Where a section lies: its heading, and its tiles below. All lengths are CSS pixels from the top of the picture. */
export interface PlacedSection {
  key: string;
  top: number;
  /** Of the first row of tiles. */
  tilesTop: number;
  bottom: number;
  columns: number;
  /** Index of its first tile among all tiles. */
  first: number;
  count: number;
}

/** A picture of the fleet: tiles numbered from 0 through all sections. */
export interface Layout {
  tile: TileSize;
  sections: readonly PlacedSection[];
  height: number;
  count: number;
}

const HEADING = 28;
const BETWEEN = 16;

/** So many nodes are shown as cards, and so many as signs that are easy to hit; beyond that as small ones. */
const CARDS = 120;
const LARGE_SIGNS = 1_500;

/** The size that suits so many nodes. */
export function tileFor(count: number, width: number): TileSize {
  if (count <= CARDS) {
    const columns = Math.max(1, Math.floor((width + 8) / (176 + 8)));
    return { kind: 'card', width: Math.floor((width + 8) / columns) - 8, height: 60, gap: 8 };
  }
  return count <= LARGE_SIGNS ? { kind: 'sign', width: 24, height: 24, gap: 4 } : { kind: 'sign', width: 14, height: 14, gap: 2 };
}

/** Lays sections out under one another, at the full width. */
export function layOut(sections: readonly { key: string; nodes: readonly unknown[] }[], width: number, tile: TileSize): Layout {
  const columns = Math.max(1, Math.floor((width + tile.gap) / (tile.width + tile.gap)));
  const placed: PlacedSection[] = [];
  let top = 0;
  let first = 0;
  for (const { key, nodes } of sections) {
    const rows = Math.ceil(nodes.length / columns);
    const tilesTop = top + HEADING;
    const bottom = tilesTop + rows * (tile.height + tile.gap) - tile.gap;
    placed.push({ key, top, tilesTop, bottom, columns, first, count: nodes.length });
    top = bottom + BETWEEN;
    first += nodes.length;
  }
  return { tile, sections: placed, height: Math.max(0, top - BETWEEN), count: first };
}

/** The left upper corner of a tile. */
export function cornerOf(layout: Layout, index: number): { x: number; y: number } | undefined {
  const section = sectionAt(layout, index);
  if (section === undefined) return undefined;
  const { row, column } = cellOf(section, index);
  return { x: column * (layout.tile.width + layout.tile.gap), y: section.tilesTop + row * (layout.tile.height + layout.tile.gap) };
}

/** The tile under a point; undefined between tiles. */
export function tileAt(layout: Layout, x: number, y: number): number | undefined {
  const { tile, sections } = layout;
  const section = sections.find(({ tilesTop, bottom }) => y >= tilesTop && y < bottom);
  if (section === undefined || x < 0) return undefined;
  const column = Math.floor(x / (tile.width + tile.gap));
  const row = Math.floor((y - section.tilesTop) / (tile.height + tile.gap));
  if (column >= section.columns || x - column * (tile.width + tile.gap) >= tile.width) return undefined;
  if (y - section.tilesTop - row * (tile.height + tile.gap) >= tile.height) return undefined;
  const index = row * section.columns + column;
  return index < section.count ? section.first + index : undefined;
}

/** Keys that move through the picture. */
export type Move = 'ArrowLeft' | 'ArrowRight' | 'ArrowUp' | 'ArrowDown' | 'Home' | 'End' | 'PageUp' | 'PageDown';

/** The tile that a key leads to: left and right through all tiles, up and down in the column, a page to the next section. */
export function moved(layout: Layout, index: number, key: Move): number {
  const { count, sections } = layout;
  if (count === 0) return -1;
  const at = sections.findIndex(({ first, count: of }) => index >= first && index < first + of);
  const section = sections[at];
  if (section === undefined) return 0;
  switch (key) {
    case 'ArrowLeft':
      return Math.max(0, index - 1);
    case 'ArrowRight':
      return Math.min(count - 1, index + 1);
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    case 'PageUp':
      return index > section.first ? section.first : (sections[at - 1]?.first ?? index);
    case 'PageDown':
      return sections[at + 1]?.first ?? count - 1;
    case 'ArrowUp':
    case 'ArrowDown':
      return vertical(sections, at, index, key === 'ArrowDown' ? 1 : -1);
  }
}

function vertical(sections: readonly PlacedSection[], at: number, index: number, step: 1 | -1): number {
  const section = sections[at] as PlacedSection;
  const { row, column } = cellOf(section, index);
  const rows = Math.ceil(section.count / section.columns);
  const inside = row + step;
  if (inside >= 0 && inside < rows) return Math.min(section.first + inside * section.columns + column, section.first + section.count - 1);
  const other = sections[at + step];
  if (other === undefined) return index;
  const otherRow = step === 1 ? 0 : Math.ceil(other.count / other.columns) - 1;
  return Math.min(other.first + otherRow * other.columns + column, other.first + other.count - 1);
}

function sectionAt({ sections }: Layout, index: number): PlacedSection | undefined {
  return sections.find(({ first, count }) => index >= first && index < first + count);
}

const cellOf = ({ first, columns }: PlacedSection, index: number): { row: number; column: number } => ({
  row: Math.floor((index - first) / columns),
  column: (index - first) % columns,
});
