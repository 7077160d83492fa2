// Tables as text for spreadsheets.

import type { PivotTable } from "./pivot-table.ts";

/** A cell of CSV: quoted where needed, and never a formula of a spreadsheet. */
export function csvCell(value: unknown): string {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

/** A pivot as it is shown, with its totals, as CSV. */
export function pivotCsv(table: PivotTable): string {
  const depth = Math.max(1, table.rowLevels.length);
  const blank = (many: number): string[] => Array<string>(many).fill("");
  const heads = Array.from({ length: table.heads }, (_, line) => [
    ...(line === table.heads - 1 ? (table.rowLevels.length ? table.rowLevels : [""]) : blank(depth)),
    ...table.columns.map((each) => each.heads[line]!),
  ]);
  const rows = table.rows(new Set()).map((row) => [
    ...(row === table.root ? ["All", ...blank(depth - 1)] : [...row.path.map((each) => (each === null ? "(none)" : each)), ...blank(depth - row.depth)]),
    ...table.columns.map((column) => (table.request.share && column.kind === "value" ? table.text(row, column) : table.number(row, column))),
  ]);
  return [...heads, ...rows].map((line) => line.map(csvCell).join(",")).join("\r\n") + "\r\n";
}
