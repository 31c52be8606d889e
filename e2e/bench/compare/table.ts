import { figureKinds } from './figures.ts';
import type { Comparison, Outcome, Result } from './result.ts';

const none = '—';
const mostKinds = 12;

/** For a terminal. */
export function asText({ machine, command, at, setting, results }: Comparison): string {
  const rows = rowsOf(results);
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const isNumber = (column: number) => column > 0 && column <= results.length;
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const parts = [
    [command, at, ...machine, ...setting].join('\n'),
    lines.join('\n'),
    ...endingsOf(results),
    ...notesOf(results).map((note) => `- ${note}`),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** A page. */
export function asMarkdown({ machine, command, at, setting, results }: Comparison): string {
  const rows = rowsOf(results).map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column > 0 && column <= results.length ? '---:' : '---'));
  const kinds = results
    .filter((result) => Object.keys(result.kinds).length > 0)
    .map(
      (result) => `Requests of ${result.name} in its rollout, the most frequent:\n\n\`\`\`text\n${kindLines(result).join('\n')}\n\`\`\``,
    );
  return `${[
    '# Side by side',
    `Written by \`${command}\` at ${at}; [how it is measured](../docs/compare.md).`,
    [...machine, ...setting].map((text) => `- ${text}`).join('\n'),
    [line(head), line(rule), ...body.map(line)].join('\n'),
    ...endingsOf(results).map((text) => `\`\`\`text\n${text}\n\`\`\``),
    ...(notesOf(results).length === 0
      ? []
      : [
          notesOf(results)
            .map((note) => `- ${note}`)
            .join('\n'),
        ]),
    ...kinds,
  ].join('\n\n')}\n`;
}

/** For programs. */
export function asJson(comparison: Comparison): string {
  return `${JSON.stringify(comparison, undefined, 2)}\n`;
}

function rowsOf(results: readonly Result[]): string[][] {
  return [
    ['', ...results.map(({ name }) => name), ''],
    ['outcome', ...results.map(({ outcome }) => outcomeWords(outcome)), ''],
    ...figureKinds.map(({ name, label, unit, digits }) => [
      label,
      ...results.map(({ figures }) => figures[name]?.toFixed(digits) ?? none),
      unit,
    ]),
  ];
}

function outcomeWords({ state }: Outcome): string {
  switch (state) {
    case 'Finished':
      return 'finished';
    case 'DidNotFinish':
      return 'did not finish';
    case 'Failed':
      return 'failed';
  }
}

/** Why those that did not finish did not. */
function endingsOf(results: readonly Result[]): string[] {
  return results.flatMap(({ name, outcome }) => (outcome.state === 'Finished' ? [] : [`${name} ${outcomeWords(outcome)}: ${outcome.why}`]));
}

function notesOf(results: readonly Result[]): string[] {
  return results.flatMap(({ notes }) => notes);
}

function kindLines({ kinds }: Result): string[] {
  const all = Object.entries(kinds);
  const width = String(all[0]?.[1] ?? '').length;
  const rest = all.slice(mostKinds).reduce((sum, [, count]) => sum + count, 0);
  return [
    ...all.slice(0, mostKinds).map(([words, count]) => `${String(count).padStart(width)}  ${words}`),
    ...(rest > 0 ? [`${String(rest).padStart(width)}  others`] : []),
  ];
}
