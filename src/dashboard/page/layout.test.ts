import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cornerOf, layOut, type Move, moved, type TileSize, tileAt, tileFor } from './layout.ts';

const tile: TileSize = { kind: 'sign', width: 10, height: 10, gap: 2 };
const of = (...counts: number[]) => counts.map((count, index) => ({ key: String(index), nodes: Array.from({ length: count }) }));
/** Three columns; two sections of 5 and 4. */
const layout = layOut(of(5, 4), 34, tile);

test('sections lie under one another, as wide as there is room', () => {
  expect(layout).toMatchObject({
    count: 9,
    sections: [
      { top: 0, tilesTop: 28, bottom: 50, columns: 3, first: 0 },
      { top: 66, first: 5 },
    ],
  });
  expect(cornerOf(layout, 4)).toEqual({ x: 12, y: 40 });
  expect(cornerOf(layout, 5)).toEqual({ x: 0, y: 94 });
  expect(cornerOf(layout, 9)).toBeUndefined();
});

test('a picture of nothing', () => {
  const none = layOut([], 300, tile);
  expect(none).toEqual({ tile, sections: [], height: 0, count: 0 });
  expect([tileAt(none, 0, 0), moved(none, 0, 'ArrowDown')]).toEqual([undefined, -1]);
});

test.each<[Move, number, number]>([
  ['ArrowRight', 0, 1],
  ['ArrowRight', 4, 5],
  ['ArrowRight', 8, 8],
  ['ArrowLeft', 5, 4],
  ['ArrowLeft', 0, 0],
  ['ArrowDown', 0, 3],
  ['ArrowDown', 2, 4],
  ['ArrowDown', 3, 5],
  ['ArrowDown', 7, 8],
  ['ArrowDown', 8, 8],
  ['ArrowUp', 3, 0],
  ['ArrowUp', 5, 3],
  ['ArrowUp', 7, 4],
  ['ArrowUp', 1, 1],
  ['Home', 7, 0],
  ['End', 1, 8],
  ['PageDown', 1, 5],
  ['PageDown', 6, 8],
  ['PageUp', 7, 5],
  ['PageUp', 5, 0],
  ['PageUp', 0, 0],
])('%s leads from %i to %i', (key, from, to) => {
  expect(moved(layout, from, key)).toBe(to);
});

test('every tile is found where it is drawn, inside the width, and no two in one place', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 6 }), fc.integer({ min: 320, max: 2000 }), fc.nat(5_000), (counts, width, many) => {
      const size = tileFor(many, width);
      const picture = layOut(of(...counts), width, size);
      const corners = new Set<string>();
      for (let index = 0; index < picture.count; index += 1) {
        const corner = cornerOf(picture, index) ?? { x: Number.NaN, y: Number.NaN };
        corners.add(`${corner.x} ${corner.y}`);
        expect(tileAt(picture, corner.x + size.width - 1, corner.y + size.height - 1)).toBe(index);
        expect(corner.x + size.width).toBeLessThanOrEqual(width);
        expect(corner.y + size.height).toBeLessThanOrEqual(picture.height);
      }
      expect(corners.size).toBe(picture.count);
      expect(tileAt(picture, size.width + size.gap / 2, 40)).toBeUndefined();
    }),
  );
});
