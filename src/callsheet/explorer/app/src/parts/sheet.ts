// The sheet: rows of a query in a virtual table, cells one edits, marks of one's own and of others' changes.

import { html, nothing, type TemplateResult } from "lit";
import "regular-table";
import type { CellMetadata, DataResponse } from "regular-table/dist/esm/types";
import type { RegularTableElement } from "regular-table";
import { textOf } from "../core/desk.ts";
import type { Row } from "../core/records.ts";
import { GLYPHS } from "../core/glyphs.ts";
import { addressOf, type Place } from "../core/routes.ts";
import type { Sheet } from "../core/sheet.ts";
import { shown } from "../core/values.ts";
import { Part } from "./part.ts";
import { Editor } from "./editor.ts";
import { moved, Selection, type Cell } from "./selection.ts";

export class SheetPart extends Part {
  static override properties = { ...Part.properties, place: { attribute: false } };

  declare place: Place;
  private table: RegularTableElement | null = null;
  private drawn: Sheet | null = null;
  private drawing: Promise<void> = Promise.resolve();
  private waiting = false;
  private range = new Selection();
  private editor: Editor | null = null;

  override render(): TemplateResult {
    const { sheet } = this.desk;
    return html`<div class="stage">
      <regular-table @mousedown=${this.press} @dblclick=${this.openCell} @keydown=${this.key} @paste=${this.paste}></regular-table>
      ${sheet && !sheet.total(this.desk.unit) ? html`<p class="nothing" role="status">No ${sheet.type.name} fulfils this query.</p>` : nothing}
    </div>`;
  }

  override updated(): void {
    if (!this.table) this.begin();
    if (this.waiting) return;
    // One picture after the other: the table reads its data while it draws.
    this.waiting = true;
    this.drawing = this.drawing.then(() => this.show(), () => this.show());
  }

  private async show(): Promise<void> {
    this.waiting = false;
    const { sheet } = this.desk;
    if (!sheet || !this.table) return;
    if (sheet !== this.drawn) {
      this.drawn = sheet;
      this.range = new Selection();
      this.editor?.close();
      this.table.setDataListener((x0, y0, x1, y1) => this.data(x0, y0, x1, y1), { virtual_mode: "both" });
      this.table.scrollTop = 0;
    }
    await this.table.draw();
  }

  private begin(): void {
    this.table = this.querySelector("regular-table");
    this.table?.addStyleListener(() => this.style_());
  }

  // Drawing

  private async data(x0: number, y0: number, x1: number, y1: number): Promise<DataResponse> {
    const sheet = this.drawn!;
    const rows: (Row | undefined)[] = [];
    for (let y = y0; y < y1; y++) rows.push(sheet.row(y, this.desk.unit));
    sheet.windows.expect(y0, y1);
    const columns: string[][] = [];
    for (let x = x0 + 1; x < x1 + 1 && x < sheet.columns.length; x++) columns.push(rows.map((row) => this.text(row, x)));
    return {
      num_rows: sheet.total(this.desk.unit),
      num_columns: sheet.columns.length - 1,
      num_row_headers: 1,
      num_column_headers: 1,
      row_headers: rows.map((row) => [this.text(row, 0)]),
      column_headers: sheet.columns.slice(x0 + 1, x1 + 1).map((each) => [each.title]),
      data: columns,
    };
  }

  /** The text of a cell: the pending value, if there is one; nothing while the row is on its way. */
  private text(row: Row | undefined, x: number): string {
    const sheet = this.drawn!;
    if (!row) return "";
    const column = sheet.columns[x]!;
    const edit = column.own && this.desk.unit.of([row.type, row.key], column.own.name);
    return edit ? edit.shown.value : shown(column.attribute, sheet.value(row, x));
  }

  private style_(): void {
    const { table, drawn } = this;
    if (!table || !drawn) return;
    for (const cell of table.querySelectorAll("tbody td, tbody th")) this.mark(cell as HTMLElement, drawn);
    this.describe(table.querySelector("table"), drawn);
    for (const cell of table.querySelectorAll<HTMLElement>("thead th")) this.head(cell, drawn);
  }

  /** What the table is, for those who hear it: a grid with one place that has the focus. */
  private describe(grid: HTMLTableElement | null, sheet: Sheet): void {
    if (!grid) return;
    grid.setAttribute("role", "grid");
    grid.setAttribute("aria-label", `${sheet.type.name}: rows`);
    grid.setAttribute("aria-rowcount", String(sheet.total(this.desk.unit) + 1));
    grid.setAttribute("aria-colcount", String(sheet.columns.length));
    grid.setAttribute("aria-multiselectable", "true");
    if (grid.querySelector("#cell")) grid.setAttribute("aria-activedescendant", "cell");
    else grid.removeAttribute("aria-activedescendant");
    grid.tabIndex = 0;
  }

  /** The rows take the keys. */
  focusRows(): void {
    this.table?.querySelector("table")?.focus({ preventScroll: true });
  }

  private mark(cell: HTMLElement, sheet: Sheet): void {
    const at = this.cellOf(cell);
    if (!at) return;
    const row = sheet.row(at.y, this.desk.unit);
    const column = sheet.columns[at.x];
    // A cell of the sheet before this one, which is about to go.
    if (!column) return;
    const { unit } = this.desk;
    const own = row && column.own ? column.own.name : null;
    const pending = row && own ? unit.of([row.type, row.key], own) : undefined;
    const conflict = row && own ? unit.conflictOf([row.type, row.key], own) : undefined;
    const coming = row ? this.desk.incoming.get(row.key) : undefined;
    const names = cell.classList;
    names.toggle("absent", !row);
    names.toggle("new", Boolean(row && unit.isCreated([row.type, row.key])));
    names.toggle("gone", Boolean(row && unit.isDeleted([row.type, row.key])));
    names.toggle("pend", Boolean(pending) && !conflict);
    names.toggle("conf", Boolean(conflict));
    names.toggle("inc", Boolean(coming) && !pending && !conflict);
    names.toggle("num", column.attribute.type === "number" || column.attribute.type === "integer");
    names.toggle("fixed", !column.own);
    const glyph = row ? sheet.glyph(row, at.x, this.text(row, at.x)) : null;
    for (const each of GLYPHS) names.toggle(`gl-${each}`, each === glyph);
    names.toggle("sel", this.range.holds(at.x, at.y));
    const current = this.range.is(at.x, at.y);
    names.toggle("cur", current);
    if (current) cell.id = "cell";
    else cell.removeAttribute("id");
    cell.setAttribute("aria-selected", String(this.range.holds(at.x, at.y)));
    cell.setAttribute("aria-colindex", String(at.x + 1));
    cell.parentElement!.setAttribute("aria-rowindex", String(at.y + 2));
    if (coming) cell.title = `${coming.user} has just changed this row`;
    else cell.removeAttribute("title");
  }

  private head(cell: HTMLElement, sheet: Sheet): void {
    const meta = this.table!.getMeta(cell) as CellMetadata | undefined;
    if (!meta) return;
    const x = meta.type === "corner" ? 0 : "x" in meta ? meta.x + 1 : 0;
    if (meta.type === "corner") cell.textContent = sheet.columns[0]?.title ?? "";
    cell.dataset.x = String(x);
    const { sort } = sheet.request;
    const name = sheet.columns[x]?.path.join(".");
    const found = sort.replace(/^-/, "") === name || sort.replace(/^-/, "") === (sheet.columns[x]?.reference ?? []).join(".");
    cell.setAttribute("aria-sort", found && sort ? (sort.startsWith("-") ? "descending" : "ascending") : "none");
  }

  private cellOf(cell: Element): Cell | null {
    const meta = this.table!.getMeta(cell as HTMLElement) as CellMetadata | undefined;
    if (!meta) return null;
    if (meta.type === "row_header") return { x: 0, y: meta.y };
    return meta.type === "body" ? { x: meta.x + 1, y: meta.y } : null;
  }

  // Rows

  /** The rows that are selected, as far as they are here. */
  get selected(): Row[] {
    const { range, drawn } = this;
    const found: Row[] = [];
    for (let y = range.top; drawn && y <= range.bottom; y++) {
      const row = drawn.row(y, this.desk.unit);
      if (row) found.push(row);
    }
    return found;
  }

  /** Record a new entity below all rows, beside the one that the cursor is in, and go there. */
  async add(): Promise<void> {
    const sheet = this.drawn;
    if (!sheet) return;
    await this.desk.create(this.selected[0] ?? sheet.windows.first);
    this.move({ x: 0, y: sheet.total(this.desk.unit) - 1 }, false);
    await this.updateComplete;
    this.focusRows();
  }

  /** Record that the selected entities go. */
  async drop(): Promise<void> {
    await this.desk.remove(this.selected);
  }

  // Moving

  private press(event: MouseEvent): void {
    const target = (event.target as HTMLElement).closest("td, th");
    if (!target || this.editor?.contains(event.target as Node)) return;
    const x = (target as HTMLElement).dataset.x;
    if (target.closest("thead") && x !== undefined) this.sort(Number(x));
    const at = this.cellOf(target);
    if (!at) return;
    this.move(at, event.shiftKey);
    this.focusRows();
  }

  private move(to: Cell, extend: boolean): void {
    const sheet = this.drawn;
    if (!sheet) return;
    this.range.move(to, sheet.columns.length, sheet.total(this.desk.unit), extend);
    void this.reveal();
  }

  /** Bring the cursor into sight, and draw it. */
  private async reveal(): Promise<void> {
    const { table, drawn } = this;
    const { cursor } = this.range;
    if (!table || !drawn) return;
    const seen = [...table.querySelectorAll("tbody th")].map((each) => this.cellOf(each)?.y ?? -1);
    const inner = seen.slice(0, -2);
    if (inner.length && (cursor.y < inner[0]! || cursor.y > inner.at(-1)!)) {
      const first = cursor.y < inner[0]! ? cursor.y : Math.max(0, cursor.y - inner.length + 2);
      await table.scrollToCell(0, first);
    }
    this.style_();
  }

  private key(event: KeyboardEvent): void {
    if (this.editor?.contains(event.target as Node) || event.altKey) return;
    const page = Math.max(1, this.table!.querySelectorAll("tbody tr").length - 2);
    const to = moved(event, this.range.cursor, page);
    if (to) {
      event.preventDefault();
      this.move(to, event.shiftKey);
    } else if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      this.openRow();
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.openCell();
    } else if (event.key === "Delete" && event.ctrlKey) {
      event.preventDefault();
      void this.drop();
    } else if (event.key === "n" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      void this.add();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      void this.fill([[""]]);
    } else if ((event.ctrlKey || event.metaKey) && event.key === "c") void this.copy();
  }

  private sort(x: number): void {
    if (this.place.is !== "sheet") return;
    const column = this.drawn!.columns[x]!;
    const path = (column.reference ?? column.path).join(".");
    const sort = this.place.sort === path ? `-${path}` : this.place.sort === `-${path}` ? "" : path;
    this.go(addressOf({ ...this.place, sort }));
  }

  /** Show the entity of the row that the cursor is in. */
  private openRow(): void {
    const row = this.drawn?.row(this.range.cursor.y, this.desk.unit);
    if (row) this.go(addressOf({ is: "entity", type: row.type, key: row.key }));
  }

  // Editing

  private openCell(): void {
    const sheet = this.drawn!;
    const { x, y } = this.range.cursor;
    const row = sheet.row(y, this.desk.unit);
    const column = sheet.columns[x];
    if (!row || !column) return;
    if (!column.own) {
      this.desk.say(`${column.title} belongs to another entity, or the server computes it: it cannot be edited here.`, true);
      return;
    }
    const cell = [...this.table!.querySelectorAll("tbody td, tbody th")].find((each) => {
      const at = this.cellOf(each);
      return at?.x === x && at.y === y;
    });
    if (!cell) return;
    this.editor?.close();
    const choices = column.own.kind === "reference" ? (part: string) => sheet.choices(x, part) : null;
    this.editor = new Editor(this.querySelector(".stage")!, cell, column.own, this.text(row, x), choices);
    this.editor.done = async (text, choice) => {
      const edit = choices ? sheet.choose(row, x, choice) : sheet.edit(row, x, text);
      await this.desk.unit.record([edit]);
      this.focusRows();
    };
    this.editor.sent = () => void this.desk.commit();
    this.editor.left = () => {
      this.editor = null;
      this.focusRows();
    };
  }

  private async copy(): Promise<void> {
    const { range, drawn } = this;
    const lines: string[] = [];
    for (let y = range.top; y <= range.bottom; y++) {
      const row = drawn!.row(y, this.desk.unit);
      const cells: string[] = [];
      for (let x = range.left; x <= range.right; x++) cells.push(this.text(row, x));
      lines.push(cells.join("\t"));
    }
    await navigator.clipboard.writeText(lines.join("\n"));
  }

  private paste(event: ClipboardEvent): void {
    if (this.editor?.contains(event.target as Node)) return;
    event.preventDefault();
    const text = event.clipboardData?.getData("text/plain") ?? "";
    void this.fill(text.replace(/\r?\n$/, "").split(/\r?\n/).map((line) => line.split("\t")));
  }

  /** Type a block of texts into the cells from the cursor on; one text fills the selection. What does not fit is named. */
  private async fill(block: string[][]): Promise<void> {
    const sheet = this.drawn!;
    const { left, top, right, bottom } = this.range;
    const single = block.length === 1 && block[0]!.length === 1;
    const height = single ? bottom - top + 1 : block.length;
    const width = single ? right - left + 1 : Math.max(...block.map((each) => each.length));
    const edits = [];
    const wrong: string[] = [];
    for (let dy = 0; dy < height && top + dy < sheet.total(this.desk.unit); dy++) {
      const row = sheet.row(top + dy, this.desk.unit);
      for (let dx = 0; dx < width && left + dx < sheet.columns.length; dx++) {
        const text = single ? block[0]![0]! : block[dy]?.[dx];
        if (text === undefined) continue;
        try {
          if (!row) throw new Error("a row has not come yet; scroll to it first");
          const column = sheet.columns[left + dx]!;
          if (column.own?.kind !== "reference") edits.push(sheet.edit(row, left + dx, text));
          else {
            const found = text ? (await sheet.choices(left + dx, text)).find((each) => each.label === text) : null;
            if (found === undefined) throw new Error(`there is no ${column.own.target} “${text}”`);
            edits.push(sheet.choose(row, left + dx, found));
          }
        } catch (error) {
          wrong.push(textOf(error));
        }
      }
    }
    if (edits.length) await this.desk.unit.record(edits);
    if (wrong.length) this.desk.say(`${wrong.length} ${wrong.length === 1 ? "cell does" : "cells do"} not fit: ${wrong[0]}.`, true);
  }
}

customElements.define("cs-sheet", SheetPart);
