import color from 'picocolors';

/** One node, as the demo shows it. */
export interface Row {
  readonly node: string;
  readonly zone: string;
  readonly version: string;
  readonly phase: string;
  readonly message: string;
  readonly available: boolean;
}

/** Where the demo writes to. */
export type Terminal = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>;

const phaseColors: Record<string, (text: string) => string> = {
  Idle: color.green,
  Staging: color.cyan,
  Staged: color.blue,
  Draining: color.yellow,
  Rebooting: color.magenta,
  Verifying: color.yellow,
  RollingBack: color.red,
  Uncordoning: color.yellow,
  Blocked: color.red,
  RolledBack: color.red,
  Failed: color.red,
};

/** Shows the nodes live: on a terminal as a table that is drawn over itself, elsewhere a line for each change. */
export function createScreen(out: Terminal) {
  let drawn = 0;
  let last = new Map<string, string>();

  const drawTable = (title: string, rows: readonly Row[]): void => {
    const width = out.columns ?? 100;
    const lines = [color.bold(title), ...rows.map((row) => lineOf(row, width))];
    const up = drawn === 0 ? '' : `\x1b[${drawn}A`;
    out.write(`${up}${lines.map((line) => `\x1b[2K${line}\n`).join('')}`);
    drawn = lines.length;
  };
  const printChanges = (rows: readonly Row[]): void => {
    const now = new Map(rows.map((row) => [row.node, `${row.phase} ${row.version}`]));
    for (const row of rows) if (now.get(row.node) !== last.get(row.node)) out.write(`${lineOf(row, 160)}\n`);
    last = now;
  };

  return {
    /** Shows the present state. */
    show(title: string, rows: readonly Row[]): void {
      if (out.isTTY) drawTable(title, rows);
      else printChanges(rows);
    },
    /** Writes a line that stays. */
    say(line: string): void {
      out.write(`${line}\n`);
      drawn = 0;
    },
  };
}

function lineOf({ node, zone, version, phase, message, available }: Row, width: number): string {
  const paint = phaseColors[phase] ?? color.dim;
  const mark = available ? color.green('●') : color.red('○');
  const head = `  ${node.padEnd(9)} ${zone.padEnd(11)} ${version.padEnd(8)} `;
  const room = Math.max(10, width - head.length - 15);
  const text = message.length > room ? `${message.slice(0, room - 1)}…` : message;
  return `${mark}${head.slice(1)}${paint(phase.padEnd(11))} ${color.dim(text)}`;
}
