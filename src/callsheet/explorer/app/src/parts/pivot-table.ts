// The numbers of a pivot in a virtual table: cells are used again, rows open and close, each cell leads on.

import { html, type TemplateResult } from "lit";
import "regular-table";
import type { CellMetadata, DataResponse } from "regular-table/dist/esm/types";
import type { RegularTableElement } from "regular-table";
import type { Pivot } from "../core/pivot.ts";
import type { Member, PivotColumn, PivotTable } from "../core/pivot-table.ts";
import { Part } from "./part.ts";

/** A cell somebody chose, for why and drill. */
export interface CellChoice {
  row: Member;
  column: PivotColumn;
  box: DOMRect;
}

export class PivotGrid extends Part {
  static override properties = { ...Part.properties, pivot: { attribute: false }, version: { attribute: false } };

  declare pivot: Pivot;
  declare version: number;
  private grid: RegularTableElement | null = null;
  private table: PivotTable | null = null;
  private rows: Member[] = [];
  private x = 0;
  private y = 0;
  private drawing: Promise<unknown> = Promise.resolve();
  private waiting = false;
  private listening = false;

  override render(): TemplateResult {
    return html`<regular-table class=${this.pivot.fault ? "old" : ""} @mousedown=${this.press} @dblclick=${this.open} @keydown=${this.key}></regular-table>`;
  }

  override updated(): void {
    this.grid ??= this.begin();
    if (this.waiting) return;
    this.waiting = true;
    this.drawing = this.drawing.then(() => this.show(), () => this.show());
  }

  private begin(): RegularTableElement {
    const grid = this.querySelector("regular-table")! as RegularTableElement;
    grid.addStyleListener(() => this.dress());
    return grid;
  }

  private async show(): Promise<void> {
    this.waiting = false;
    const { table } = this.pivot;
    if (!table || !this.grid) return;
    const heads = this.table?.heads;
    this.table = table;
    this.rows = table.rows(this.pivot.closed);
    this.y = Math.min(this.y, this.rows.length - 1);
    this.x = Math.min(this.x, table.columns.length - 1);
    if (!this.listening || heads !== table.heads) {
      this.listening = true;
      this.grid.setDataListener((x0, y0, x1, y1) => Promise.resolve(this.data(x0, y0, x1, y1)), { virtual_mode: "both" });
    }
    await this.grid.draw();
  }

  private data(x0: number, y0: number, x1: number, y1: number): DataResponse {
    const table = this.table!;
    const columns = table.columns.slice(x0, x1);
    const rows = this.rows.slice(y0, y1);
    return {
      num_rows: this.rows.length,
      num_columns: table.columns.length,
      num_row_headers: 1,
      num_column_headers: table.heads,
      row_headers: rows.map((row) => [table.label(row)]),
      column_headers: columns.map((each) => each.heads),
      data: columns.map((column) => rows.map((row) => table.text(row, column))),
    };
  }

  // Marks

  private dress(): void {
    const { grid, table } = this;
    if (!grid || !table) return;
    const drawn = grid.querySelector("table")!;
    drawn.setAttribute("role", "treegrid");
    drawn.setAttribute("aria-label", `${table.answer.cube} by ${table.rowLevels.join(", ") || "nothing"}`);
    drawn.setAttribute("aria-rowcount", String(this.rows.length + table.heads));
    drawn.setAttribute("aria-colcount", String(table.columns.length + 1));
    drawn.tabIndex = 0;
    for (const cell of grid.querySelectorAll<HTMLElement>("tbody td, tbody th")) this.mark(cell, table);
    for (const cell of grid.querySelectorAll<HTMLElement>("thead th")) this.head(cell, table);
    for (const line of grid.querySelectorAll<HTMLElement>("thead tr, tbody tr")) line.setAttribute("role", "row");
    const here = grid.querySelector("#number");
    if (here) drawn.setAttribute("aria-activedescendant", "number");
    else drawn.removeAttribute("aria-activedescendant");
  }

  private mark(cell: HTMLElement, table: PivotTable): void {
    const meta = this.grid!.getMeta(cell) as CellMetadata | undefined;
    if (!meta || (meta.type !== "body" && meta.type !== "row_header")) return;
    const row = this.rows[meta.y];
    if (!row) return;
    const total = row === table.root;
    if (cell.tagName === "TH") {
      const state = !row.children.length || total ? "" : this.pivot.closed.has(row.key) ? " shut" : " open";
      cell.className = `d${Math.min(row.depth, 6)}${state}${total ? " all" : ""}`;
      cell.setAttribute("role", "rowheader");
      cell.parentElement!.setAttribute("aria-level", String(Math.max(row.depth, 1)));
      if (state) cell.parentElement!.setAttribute("aria-expanded", String(state === " open"));
      else cell.parentElement!.removeAttribute("aria-expanded");
      cell.title = cell.textContent ?? "";
      return;
    }
    if (meta.type !== "body") return;
    const column = table.columns[meta.x]!;
    const number = column.kind === "value" ? null : table.number(row, column);
    const way = typeof number !== "number" || number === 0 ? "" : number > 0 ? " more" : " less";
    const at = meta.x === this.x && meta.y === this.y;
    const leaf = row.depth < table.answer.rows && row.children.length ? " sum" : "";
    const edge = this.edge(meta.x, table) ? " edge" : "";
    cell.className = `num${way}${leaf}${edge}${total ? " all" : ""}${column.member.depth < table.answer.levels.length - table.answer.rows ? " across" : ""}${at ? " at" : ""}`;
    cell.setAttribute("role", "gridcell");
    if (at) cell.id = "number";
    else if (cell.id) cell.removeAttribute("id");
  }

  /** Whether a column begins a group of the head's first row. */
  private edge(x: number, table: PivotTable): boolean {
    return x > 0 && table.heads > 1 && table.columns[x]!.heads[0] !== table.columns[x - 1]!.heads[0];
  }

  private head(cell: HTMLElement, table: PivotTable): void {
    const meta = this.grid!.getMeta(cell) as CellMetadata | undefined;
    cell.setAttribute("role", "columnheader");
    if (!meta || (meta.type !== "corner" && meta.type !== "column_header")) return;
    const x = meta.type === "column_header" ? meta.x : undefined;
    const lowest = meta.column_header_y === table.heads - 1;
    const column = x === undefined ? undefined : table.columns[x];
    const sort = this.pivot.request.sort;
    const sorted = lowest && column && sort.replace(/^-/, "") === column.name;
    if (sorted) cell.setAttribute("aria-sort", sort.startsWith("-") ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
    cell.className = column ? (lowest ? "num low" : `num${this.edge(x!, table) ? " edge" : ""}`) : "";
    if (!column && lowest && !cell.textContent?.trim()) cell.textContent = table.rowLevels.join(", ");
    cell.title = cell.textContent ?? "";
  }

  // Moving

  private readonly press = (event: MouseEvent): void => {
    const cell = (event.target as HTMLElement).closest<HTMLElement>("td, th");
    if (!cell || !this.table) return;
    const meta = this.grid!.getMeta(cell) as CellMetadata | undefined;
    if (!meta) return;
    if (meta.type === "corner") return;
    if (meta.type === "column_header") {
      const column = this.table.columns[meta.x];
      if (column && meta.column_header_y === this.table.heads - 1) this.sort(column);
      return;
    }
    this.y = meta.y;
    if (meta.type === "row_header") this.fold(this.rows[meta.y]!);
    else this.x = meta.x;
    void this.redrawn(false);
  };

  private sort(column: PivotColumn): void {
    const { request } = this.pivot;
    const sort = request.sort === `-${column.name}` ? column.name : request.sort === column.name ? "" : `-${column.name}`;
    this.dispatchEvent(new CustomEvent("ask", { detail: { ...request, sort }, bubbles: true }));
  }

  /** Open or close what is below a row. */
  private fold(row: Member, close = !this.pivot.closed.has(row.key)): void {
    if (!row.children.length || row === this.table!.root) return;
    if (close) this.pivot.closed.add(row.key);
    else this.pivot.closed.delete(row.key);
    this.rows = this.table!.rows(this.pivot.closed);
  }

  private choice(): CellChoice | null {
    const row = this.rows[this.y];
    const column = this.table?.columns[this.x];
    const cell = this.grid?.querySelector("#number");
    return row && column ? { row, column, box: (cell ?? this.grid!).getBoundingClientRect() } : null;
  }

  private tell(name: "drill" | "why"): void {
    const detail = this.choice();
    if (detail) this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }

  private readonly open = (event: MouseEvent): void => {
    if ((event.target as HTMLElement).closest("td")) this.tell("drill");
  };

  private readonly key = (event: KeyboardEvent): void => {
    if (!this.table || event.altKey) return;
    const page = Math.max(1, (this.grid!.querySelectorAll("tbody tr").length || 10) - 2);
    const row = this.rows[this.y]!;
    const step: Record<string, [number, number]> = {
      ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0],
      PageUp: [0, -page], PageDown: [0, page], Home: [-this.x, event.ctrlKey ? -this.y : 0], End: [Infinity, event.ctrlKey ? Infinity : 0],
    };
    if (event.key === "Enter") this.tell("drill");
    else if (event.key === "?") this.tell("why");
    else if (event.key === " " || event.key === "+" || event.key === "-") this.fold(row, event.key === " " ? undefined : event.key === "-");
    else if (event.key in step) {
      const [dx, dy] = step[event.key]!;
      this.x = Math.max(0, Math.min(this.table.columns.length - 1, this.x + dx));
      this.y = Math.max(0, Math.min(this.rows.length - 1, this.y + dy));
    } else return;
    event.preventDefault();
    event.stopPropagation();
    void this.redrawn(true);
  };

  private async redrawn(scroll: boolean): Promise<void> {
    const grid = this.grid!;
    if (scroll) {
      const lines = [...grid.querySelectorAll<HTMLElement>("tbody tr")];
      const first = (grid.getMeta(lines[0]?.querySelector("td, th") as HTMLElement) as { y?: number } | undefined)?.y ?? 0;
      const seen = Math.max(1, lines.length - 2);
      if (this.y < first || this.y >= first + seen || !grid.querySelector("#number"))
        await grid.scrollToCell(Math.max(0, this.x - 1), this.y < first ? this.y : Math.max(0, this.y - seen + 1));
    }
    await grid.draw();
  }

  focusRows(): void {
    this.grid?.querySelector("table")?.focus({ preventScroll: true });
  }
}

customElements.define("cs-pivot-grid", PivotGrid);
