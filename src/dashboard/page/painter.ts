import { cornerOf, type Layout, type TileSize } from './layout.ts';
import { LOOKS, type Look, type LookKey } from './looks.ts';

/** More pixels than this no canvas gets: a picture that is higher is drawn less finely. */
const MAX_PIXELS = 16_000_000;

/** Draws tiles as signs, and of a picture that it has drawn before only those that look different now. */
export interface Painter {
  paint(layout: Layout, looks: readonly Look[], width: number, colours: number): void;
}

/** Paints on a canvas. */
export function painterOn(canvas: HTMLCanvasElement): Painter {
  const context = canvas.getContext('2d');
  let drawn: LookKey[] = [];
  let before = '';
  let sprites = new Map<LookKey, HTMLCanvasElement>();
  return {
    paint(layout, looks, width, colours) {
      if (context === null) return;
      const { tile, sections, height } = layout;
      const scale = Math.min(devicePixelRatio, Math.sqrt(MAX_PIXELS / Math.max(1, width * height)));
      const place = JSON.stringify([width, height, scale, tile, colours, sections.map(({ top, first, count }) => [top, first, count])]);
      if (place !== before) {
        before = place;
        drawn = [];
        canvas.width = Math.round(width * scale);
        canvas.height = Math.round(height * scale);
        canvas.style.width = `${width}px`;
        canvas.style.height = `${height}px`;
        sprites = new Map(LOOKS.map((look) => [look.key, spriteOf(look, tile, scale)]));
      }
      context.setTransform(scale, 0, 0, scale, 0, 0);
      for (const [index, { key }] of looks.entries()) {
        if (drawn[index] === key) continue;
        const corner = cornerOf(layout, index);
        const sprite = sprites.get(key);
        if (corner === undefined || sprite === undefined) continue;
        if (drawn[index] !== undefined) context.clearRect(corner.x, corner.y, tile.width, tile.height);
        context.drawImage(sprite, corner.x, corner.y, tile.width, tile.height);
        drawn[index] = key;
      }
    },
  };
}

function spriteOf({ tone, filled, sign }: Look, { width, height }: TileSize, scale: number): HTMLCanvasElement {
  const sprite = document.createElement('canvas');
  sprite.width = Math.ceil(width * scale);
  sprite.height = Math.ceil(height * scale);
  const context = sprite.getContext('2d');
  if (context === null) return sprite;
  const back = colourOf(`--${tone}`);
  const ink = colourOf(`--${tone}-ink`);
  context.scale(sprite.width / width, sprite.height / height);
  context.beginPath();
  context.roundRect(0.5, 0.5, width - 1, height - 1, Math.min(4, width / 5));
  if (filled) {
    context.fillStyle = back;
    context.fill();
  } else {
    context.strokeStyle = back;
    context.lineWidth = 1;
    if (tone === 'none') context.setLineDash([2, 2]);
    context.stroke();
    context.setLineDash([]);
  }
  context.translate(width * 0.06, height * 0.06);
  context.scale((width * 0.88) / 16, (height * 0.88) / 16);
  context.strokeStyle = ink;
  context.lineWidth = width < 20 ? 2.4 : 1.8;
  context.lineCap = 'round';
  context.lineJoin = 'round';
  context.stroke(new Path2D(sign));
  return sprite;
}

/** A colour of page.css as it is in the present theme. */
function colourOf(name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
