import type { Figure, Note } from './figure.ts';

/** What a run has found, and where. */
export interface Report {
  readonly machine: readonly string[];
  readonly command: string;
  readonly figures: readonly Figure[];
  readonly notes: readonly Note[];
}

const head = ['figure', 'value', 'unit', 'goal', 'holds'];

/** For a terminal. */
export function asText({ machine, command, figures, notes }: Report): string {
  const rows = [head, ...figures.map(cells)];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) =>
    row
      .map((cell, column) => (column === 1 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const parts = notes.map(({ title, lines }) => [`${title}:`, ...lines.map((line) => `  ${line}`)].join('\n'));
  return `${[...machine, command].join('\n')}\n\n${parts.join('\n\n')}\n\n${table.join('\n')}\n`;
}

/** The page `docs/benchmarks.md`. */
export function asMarkdown({ machine, command, figures, notes }: Report): string {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return `${[
    '# Benchmarks',
    `Written by \`${command}\`, which measures on the test bed: a real control plane, the chart by its own values, controllers and agents as processes; hosts and pods without any delay of their own, \`minReadySeconds: 0\` (\`install_to_first_node_seconds\` has the chart's 10 s). \`node_…\`, \`failed_requests_during_rollout\` and \`agent_ready_after_boot_seconds\` are of real kubelets that reboot ([e2e/nodes](../e2e/nodes/README.md)), with the image and real pods. The same numbers are in \`bench/latest.json\`.`,
    machine.map((line) => `- ${line}`).join('\n'),
    [row(head), row(['---', '---:', '---', '---', '---']), ...figures.map((figure) => row(cells(figure)))].join('\n'),
    ...notes.map(({ title, lines }) => `## ${title}\n\n\`\`\`text\n${lines.join('\n')}\n\`\`\``),
  ].join('\n\n')}\n`;
}

/** The file `bench/latest.json`. */
export function asJson({ figures }: Report): string {
  return `${JSON.stringify(figures, undefined, 2)}\n`;
}

function cells({ name, value, unit, goal, holds }: Figure): string[] {
  return [name, String(value), unit, goal ?? '', goal === null ? '' : holds ? 'yes' : 'NO'];
}
