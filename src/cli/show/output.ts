import { Document, visit } from 'yaml';
import { visibleLines } from '../../kube/visible.ts';
import { table } from '../table.ts';

/** An object as a program reads it. */
export const asData = (value: object, format: 'json' | 'yaml'): string =>
  format === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : asYAML(value);

function asYAML(value: object): string {
  const document = new Document(value);
  // Only between double quotes is there a way to write what must not reach a terminal.
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === 'string' && visibleLines(scalar.value) !== scalar.value) scalar.type = 'QUOTE_DOUBLE';
    },
  });
  return document.toString();
}

/** Rows of which those that are empty everywhere are left out. */
export function compactTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  paint?: Parameters<typeof table>[2],
): string[] {
  const kept = heads.map((_, column) => rows.some((row) => (row[column] ?? '') !== ''));
  const pick = (cells: readonly string[]) => cells.filter((_, column) => kept[column]).map((cell) => (cell === '' ? '-' : cell));
  return table(pick(heads), rows.map(pick), paint);
}

/** RFC 4180. A cell that a spreadsheet would take for a formula is quoted with an apostrophe before it. */
export function csv(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string): string => {
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [heads, ...rows].map((cells) => `${cells.map(cell).join(',')}\r\n`).join('');
}
