/** Columns under their heads, two spaces apart, none of them padded at the end; `paint` colours a cell that is laid out. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  paint: (cell: string, column: number, row: number) => string = (cell) => cell,
): string[] {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[], row: number): string =>
    cells
      .map((cell, column) => {
        const last = column === cells.length - 1;
        return paint(cell, column, row) + (last ? '' : ' '.repeat((widths[column] ?? 0) - cell.length + 2));
      })
      .join('')
      .trimEnd();
  return [line(heads, -1), ...rows.map(line)];
}
