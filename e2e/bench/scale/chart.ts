import type { Point } from './growth.ts';

/** One line of a chart. */
export interface Line {
  readonly name: string;
  readonly points: readonly Point[];
}

/** One chart: lines over the number of nodes, both axes logarithmic, so that what grows with the cluster is parallel to the dotted line. */
export interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

const [width, height] = [460, 320];
const plot = { left: 64, right: 16, top: 44, bottom: 76 };
const columnsOfPanels = 2;
/** Readable on white and on each other, also for the colour-blind (Okabe and Ito). */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];

/** Draws panels side by side as one SVG. Panels and lines without a point are left out. */
export function drawPanels(panels: readonly Panel[]): string {
  const drawn = panels
    .map((panel) => ({ ...panel, lines: panel.lines.map(positive).filter(({ points }) => points.length > 0) }))
    .filter(({ lines }) => lines.length > 0);
  const rows = Math.ceil(drawn.length / columnsOfPanels);
  const total = { width: width * Math.min(columnsOfPanels, Math.max(1, drawn.length)), height: height * rows };
  const body = drawn.map((panel, index) => {
    const [x, y] = [(index % columnsOfPanels) * width, Math.floor(index / columnsOfPanels) * height];
    return `<g transform="translate(${x} ${y})">\n${drawPanel(panel)}\n</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${total.width} ${total.height}" width="${total.width}" height="${total.height}" font-family="system-ui, sans-serif" font-size="12" role="img">
<title>How figures grow with the number of nodes</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${body.join('\n')}
</svg>
`;
}

/** A logarithm has no zero. */
function positive({ name, points }: Line): Line {
  return { name, points: points.filter(({ value }) => value > 0) };
}

function drawPanel({ title, unit, lines }: Panel): string {
  const all = lines.flatMap(({ points }) => points);
  const xs = axis(all.map(({ nodes }) => nodes));
  const ys = axis(all.map(({ value }) => value));
  const inner = { width: width - plot.left - plot.right, height: height - plot.top - plot.bottom };
  const x = (nodes: number) => place(plot.left + share(nodes, xs) * inner.width);
  const y = (value: number) => place(plot.top + (1 - share(value, ys)) * inner.height);
  const [bottom, right] = [height - plot.bottom, width - plot.right];
  const sizes = [...new Set(all.map(({ nodes }) => nodes))].sort((a, b) => a - b);
  return [
    `<text x="${plot.left}" y="20" font-size="14" font-weight="600">${escaped(title)}</text>`,
    `<text x="${plot.left}" y="36" fill="#555555">${escaped(unit)}, over the number of nodes</text>`,
    ...ticks(ys).flatMap((value) => [
      `<line x1="${plot.left}" x2="${right}" y1="${y(value)}" y2="${y(value)}" stroke="#dddddd"/>`,
      `<text x="${plot.left - 6}" y="${y(value)}" dy="4" text-anchor="end" fill="#555555">${label(value)}</text>`,
    ]),
    ...sizes.map((nodes) => `<text x="${x(nodes)}" y="${bottom + 16}" text-anchor="middle" fill="#555555">${label(nodes)}</text>`),
    `<path d="M${plot.left} ${plot.top}V${bottom}H${right}" fill="none" stroke="#555555"/>`,
    proportional(lines, x, y, ys),
    ...lines.map(({ points }, index) => drawLine(points, colour(index), x, y)),
    ...legend(lines),
  ].join('\n');
}

/** What would grow with the cluster, from where the first line begins. */
function proportional(lines: readonly Line[], x: (nodes: number) => number, y: (value: number) => number, ys: Axis): string {
  const points = lines[0]?.points.toSorted((a, b) => a.nodes - b.nodes) ?? [];
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || first === last) return '';
  const end = { nodes: last.nodes, value: (first.value * last.nodes) / first.nodes };
  // It leaves the picture where it is steeper.
  const cut = end.value <= ys.most ? end : { nodes: (first.nodes * ys.most) / first.value, value: ys.most };
  return `<path d="M${x(first.nodes)} ${y(first.value)}L${x(cut.nodes)} ${y(cut.value)}" fill="none" stroke="#999999" stroke-dasharray="2 4"/>`;
}

function drawLine(points: readonly Point[], stroke: string, x: (nodes: number) => number, y: (value: number) => number): string {
  const sorted = points.toSorted((a, b) => a.nodes - b.nodes);
  const path = sorted.map(({ nodes, value }, index) => `${index === 0 ? 'M' : 'L'}${x(nodes)} ${y(value)}`).join('');
  const dots = sorted.map(
    ({ nodes, value }) =>
      `<circle cx="${x(nodes)}" cy="${y(value)}" r="3.5" fill="${stroke}"><title>${label(nodes)} nodes: ${label(value)}</title></circle>`,
  );
  return [`<path d="${path}" fill="none" stroke="${stroke}" stroke-width="2"/>`, ...dots].join('\n');
}

function legend(lines: readonly Line[]): string[] {
  const each = (width - plot.left) / 2;
  return lines.map(({ name }, index) => {
    const [x, y] = [plot.left + (index % 2) * each, height - plot.bottom + 36 + Math.floor(index / 2) * 16];
    return `<rect x="${x}" y="${y - 9}" width="10" height="10" fill="${colour(index)}"/><text x="${x + 15}" y="${y}">${escaped(name)}</text>`;
  });
}

interface Axis {
  readonly least: number;
  readonly most: number;
}

/** A little wider than what it shows. */
function axis(values: readonly number[]): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return { least: least / 1.3, most: most * 1.3 };
}

function share(value: number, { least, most }: Axis): number {
  return (Math.log(value) - Math.log(least)) / (Math.log(most) - Math.log(least));
}

/** Powers of ten, with twos and fives where there is room. */
function ticks({ least, most }: Axis): number[] {
  const steps = most / least > 300 ? [1] : [1, 2, 5];
  const powers = Array.from({ length: 24 }, (_, index) => 10 ** (index - 9));
  return powers.flatMap((power) => steps.map((step) => step * power)).filter((value) => value >= least && value <= most);
}

function colour(index: number): string {
  return colours[index % colours.length] ?? '#000000';
}

function label(value: number): string {
  return value >= 1_000 ? value.toLocaleString('en-US', { maximumFractionDigits: 0 }) : String(Number(value.toPrecision(3)));
}

function place(value: number): number {
  return Number(value.toFixed(1));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
