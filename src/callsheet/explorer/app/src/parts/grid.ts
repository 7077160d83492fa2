// A grouped sheet: rows with the work on each by step, groups with bars of statuses, totals of all rows below.

import { html, nothing, type TemplateResult } from "lit";
import { coming, peopleOf } from "../core/assigning.ts";
import type { Column } from "../core/columns.ts";
import { glyphOf } from "../core/glyphs.ts";
import type { Row } from "../core/records.ts";
import { addressOf, type Place } from "../core/routes.ts";
import type { Person, Task, WorkRow } from "../core/tasks.ts";
import { shown } from "../core/values.ts";
import type { Grid } from "../views/grid.ts";
import { barOf, makeCell, made, paint, who, type Face } from "./grid-cells.ts";
import { GridEdits } from "./grid-edits.ts";
import { Part } from "./part.ts";
import { Pool } from "./pool.ts";
import { moved, Selection } from "./selection.ts";

/** Pixels that the head and the foot cover. */
const HEAD = 30;
const FOOT = 34;
/** The least widths of the first column and of a step's. */
const FIRST = 188;
const STEP = 106;

export class GridPart extends Part {
  static override properties = { ...Part.properties, place: { attribute: false } };

  declare place: Place;
  readonly selection = new Selection();
  readonly edits = new GridEdits(this);
  private pool: Pool | null = null;
  private drawn: Grid | null = null;
  private pending = new Map<string, Person[]>();

  get grid(): Grid | null {
    const { view } = this.desk;
    return view && "lines" in view && "shares" in view ? (view as Grid) : null;
  }

  override render(): TemplateResult {
    return html`<div class="stage">
      <div class="grid" role="grid" tabindex="0" @keydown=${this.key} @mousedown=${this.press} @dblclick=${() => this.edits.open()} @paste=${(event: ClipboardEvent) => this.edits.paste(event)}>
        <div class="ghead" role="row"></div><div class="gbody" role="rowgroup"></div><div class="gfoot" role="row"></div>
      </div>
      ${this.grid && !this.grid.count ? html`<p class="nothing" role="status">No ${this.grid.type.name} fulfils this query.</p>` : nothing}
      ${this.edits.bar()}
    </div>`;
  }

  override firstUpdated(): void {
    new ResizeObserver(() => this.pool?.draw(false)).observe(this.scroller);
  }

  override updated(): void {
    const { grid } = this;
    if (!grid) return;
    if (grid !== this.drawn) this.begin(grid);
    this.pending = grid.work ? coming(grid.work, this.desk.unit) : new Map();
    this.describe(grid);
    this.pool!.draw(true);
    this.foot(grid);
  }

  get scroller(): HTMLElement {
    return this.querySelector<HTMLElement>(".grid")!;
  }

  /** How many columns there are, steps included. */
  get width(): number {
    return this.drawn ? this.drawn.sheet.columns.length + this.drawn.steps.length : 0;
  }

  private begin(grid: Grid): void {
    const same = this.drawn?.request.query === grid.request.query && this.drawn.request.group === grid.request.group;
    this.drawn = grid;
    if (!same) {
      this.selection.move({ x: 0, y: grid.groups.length ? 1 : 0 }, 1e6, 1e6, false);
      this.scroller.scrollTop = 0;
    }
    this.pool?.clear();
    const body = this.querySelector<HTMLElement>(".gbody")!;
    const height = (): number => Number.parseFloat(getComputedStyle(this).getPropertyValue("--row")) || 36;
    const rowHeight = height();
    this.pool = new Pool(this.scroller, body, () => this.row(grid), (element, line) => this.fill(element, line), () => rowHeight, () => grid.lines.length);
    const widths = grid.sheet.columns.slice(1).map((each) => (isNumber(each) ? "86px" : each.attribute.type === "date" ? "74px" : grid.steps.length ? "140px" : "minmax(140px, 1fr)"));
    this.scroller.style.setProperty("--gcols", [`minmax(${FIRST}px, 1.5fr)`, ...widths, ...grid.steps.map(() => `minmax(${STEP}px, 1fr)`)].join(" "));
    this.scroller.style.setProperty("--gwidth", `${FIRST + widths.reduce((sum, each) => sum + Number.parseInt(each.replace("minmax(", ""), 10), 0) + grid.steps.length * STEP}px`);
    this.head(grid);
  }

  private describe(grid: Grid): void {
    const { scroller } = this;
    scroller.setAttribute("aria-label", `${grid.type.name}: rows`);
    scroller.setAttribute("role", grid.groups.length ? "treegrid" : "grid");
    scroller.setAttribute("aria-rowcount", String(grid.lines.length + 2));
    scroller.setAttribute("aria-colcount", String(this.width));
    scroller.setAttribute("aria-multiselectable", "true");
  }

  // Drawing

  private head(grid: Grid): void {
    const titles = [...grid.sheet.columns.map((each) => each.title), ...grid.steps.map((each) => each.label)];
    const cells = titles.map((title, x) => {
      const cell = made(x < grid.sheet.columns.length && isNumber(grid.sheet.columns[x]!) ? "gc num" : "gc", "div");
      cell.setAttribute("role", "columnheader");
      cell.textContent = title;
      cell.title = title;
      cell.dataset.x = String(x);
      if (x < grid.sheet.columns.length) {
        const path = pathOf(grid.sheet.columns[x]!);
        const { sort } = grid.request;
        cell.setAttribute("aria-sort", sort === path ? "ascending" : sort === `-${path}` ? "descending" : "none");
      }
      return cell;
    });
    this.querySelector(".ghead")!.replaceChildren(...cells);
    const feet = titles.map((_, x) => makeCell(x ? "gridcell" : "rowheader"));
    this.querySelector(".gfoot")!.replaceChildren(...feet);
  }

  private row(grid: Grid): HTMLElement {
    const element = made("grow-line", "div");
    element.setAttribute("role", "row");
    for (let x = 0; x < this.width; x++) {
      const cell = makeCell(x ? "gridcell" : "rowheader");
      if (x === 0 && grid.type.attributes.has("thumbnail")) {
        const picture = document.createElement("img");
        picture.loading = "lazy";
        picture.alt = "";
        picture.width = 46;
        picture.height = 26;
        picture.hidden = true;
        cell.append(picture);
      }
      element.append(cell);
    }
    return element;
  }

  private fill(element: HTMLElement, line: number): void {
    const grid = this.drawn!;
    const at = grid.lines.at(line);
    const cells = element.children as unknown as HTMLElement[];
    element.setAttribute("aria-rowindex", String(line + 2));
    const row = at.is === "row" ? grid.row(at.place) : undefined;
    element.className = at.is === "group" ? "grow-line group" : "grow-line";
    if (at.is === "group") element.setAttribute("aria-expanded", String(!grid.lines.isShut(at.group)));
    else element.removeAttribute("aria-expanded");
    for (let x = 0; x < cells.length; x++) {
      const cell = cells[x]!;
      paint(cell, at.is === "group" ? this.groupFace(grid, at.group, x, line) : this.rowFace(grid, row, x, line));
      const current = this.selection.is(x, line);
      if (current && cell.id !== "gcell") {
        this.querySelector("#gcell")?.removeAttribute("id");
        cell.id = "gcell";
        this.scroller.setAttribute("aria-activedescendant", "gcell");
      } else if (!current && cell.id) cell.removeAttribute("id");
      if (x === 0 && cell.children.length > 2) picture(cell.children[2] as HTMLImageElement, row ? grid.picture(row) : null);
    }
    if (at.is === "row") grid.windows.expect(at.place, at.place + 1);
  }

  private groupFace(grid: Grid, group: number, x: number, line: number): Face {
    const { label, count } = grid.groups[group]!;
    const face = this.face(x, line);
    const column = grid.sheet.columns[x];
    if (x === 0) {
      const text = label === null || label === "" ? "none" : typeof label === "number" ? label.toLocaleString("en") : String(label);
      return { ...face, names: `${face.names} ghd ${grid.lines.isShut(group) ? "shut" : ""}`, text, side: count.toLocaleString("en"), title: text };
    }
    if (column) {
      const total = grid.total(column, group);
      return { ...face, names: `${face.names} num`, text: total ? shown(column.attribute, total) : "", title: total ? `sum of ${column.title}` : "" };
    }
    return { ...face, names: `${face.names} bars`, ...barOf(grid.shares.groups[group]?.[x - grid.sheet.columns.length], grid.steps[x - grid.sheet.columns.length]!.label) };
  }

  private face(x: number, line: number): Face {
    const selected = this.selection.holds(x, line);
    const names = `${selected ? "sel" : ""} ${this.selection.is(x, line) ? "cur" : ""}`;
    return { names, text: "", glyph: null, side: "", bar: "", title: "", selected };
  }

  private rowFace(grid: Grid, row: WorkRow | undefined, x: number, line: number): Face {
    const face = this.face(x, line);
    if (!row) return { ...face, names: `${face.names} absent` };
    const column = grid.sheet.columns[x];
    if (column) return this.valueFace(grid, row, column, x, face);
    const tasks = grid.tasks(row, x - grid.sheet.columns.length);
    const [task] = tasks;
    if (!task) return { ...face, names: `${face.names} stp empty`, text: "" };
    return this.taskFace(grid, task, tasks.length, face);
  }

  private valueFace(grid: Grid, row: WorkRow, column: Column, x: number, face: Face): Face {
    const { unit } = this.desk;
    const edit = column.own ? unit.of([row.type, row.key], column.own.name) : undefined;
    const conflict = column.own ? unit.conflictOf([row.type, row.key], column.own.name) : undefined;
    const inc = this.desk.incoming.get(row.key);
    const whole = edit ? edit.shown.value : shown(column.attribute, grid.sheet.value(row, x));
    const text = column.attribute.type === "date" ? shortDate(whole) : whole;
    const mark = conflict ? "conf" : edit ? "pend" : inc && !grid.work ? "inc" : "";
    const names = `${face.names} ${mark} ${isNumber(column) ? "num" : ""} ${x === 0 ? "rowhd" : ""} ${unit.isDeleted([row.type, row.key]) ? "gone" : ""}`;
    return { ...face, names, text, glyph: grid.sheet.glyph(row, x, text), title: text !== whole || text.length > 20 ? whole : "", side: x === 0 ? grid.about(row) : "" };
  }

  private taskFace(grid: Grid, task: Task, many: number, face: Face): Face {
    const { unit } = this.desk;
    const { work } = grid;
    const edit = unit.of([task.type, task.key], work!.status);
    const conflict = unit.conflictOf([task.type, task.key], work!.status);
    const { people, changed } = peopleOf(task, unit, this.pending);
    const inc = this.desk.incoming.get(task.key);
    const due = work!.due ? unit.of([task.type, task.key], work!.due) : undefined;
    const mark = conflict ? "conf" : edit || changed || due ? "pend" : inc ? "inc" : "";
    const label = edit ? edit.shown.value : task.label;
    const state = edit ? grid.statuses.find((each) => each.label === label)?.state : task.state;
    const glyph = glyphOf(label, state);
    const names = people.map((each) => each.label);
    const more = many > 1 ? `, one of ${many}` : "";
    const title = inc && mark === "inc" ? `${inc.user} has just changed this` : `${label}, ${names.join(", ") || "nobody"}${due ? `, due ${due.shown.value}` : task.due ? `, due ${task.due}` : ""}${more}`;
    return { ...face, names: `${face.names} stp ${mark} ${glyph ? `is-${glyph}` : ""}`, text: label, glyph, side: who(names), title };
  }

  private foot(grid: Grid): void {
    const cells = [...this.querySelector(".gfoot")!.children] as HTMLElement[];
    const work = this.desk.unit.size > 0;
    for (const [x, cell] of cells.entries()) {
      const column = grid.sheet.columns[x];
      const plain: Face = { names: "", text: "", glyph: null, side: "", bar: "", title: "", selected: false };
      if (x === 0) paint(cell, { ...plain, text: `${grid.count.toLocaleString("en")} ${grid.count === 1 ? "row" : "rows"}`, side: work ? "without yours" : "", title: work ? "what waits on the call sheet is not in these numbers" : "" });
      else if (column) {
        const total = grid.total(column, null);
        paint(cell, { ...plain, names: "num", text: total === undefined || total === null ? "" : shown(column.attribute, total), title: total === undefined ? "" : `sum of ${column.title} of all rows` });
      } else paint(cell, { ...plain, names: "bars", ...barOf(grid.shares.all[x - grid.sheet.columns.length], grid.steps[x - grid.sheet.columns.length]!.label) });
    }
  }

  // Moving

  /** The cell of an event, by its element. */
  private cellOf(target: EventTarget | null): { x: number; y: number } | null {
    const cell = (target as HTMLElement).closest<HTMLElement>(".gbody .gc");
    if (!cell?.parentElement || !this.pool) return null;
    const y = this.pool.lineOf(cell.parentElement);
    return y < 0 ? null : { x: [...cell.parentElement.children].indexOf(cell), y };
  }

  private press(event: MouseEvent): void {
    const head = (event.target as HTMLElement).closest<HTMLElement>(".ghead .gc");
    if (head) this.sort(Number(head.dataset.x));
    const at = this.cellOf(event.target);
    const grid = this.drawn;
    if (!at || !grid) return;
    event.preventDefault();
    this.focusRows();
    const line = grid.lines.at(at.y);
    if (line.is === "group" && at.x === 0 && !event.shiftKey) {
      grid.lines.toggle(line.group);
      this.requestUpdate();
    }
    this.selectTo(at, event.shiftKey);
    const drag = (moving: MouseEvent): void => {
      const to = this.cellOf(moving.target);
      if (to && !this.selection.is(to.x, to.y)) this.selectTo(to, true);
    };
    this.addEventListener("mouseover", drag);
    window.addEventListener("mouseup", () => this.removeEventListener("mouseover", drag), { once: true });
  }

  selectTo(to: { x: number; y: number }, extend: boolean): void {
    const grid = this.drawn;
    if (!grid) return;
    this.selection.move(to, this.width, grid.lines.length, extend);
    this.pool!.reveal(this.selection.cursor.y, HEAD, FOOT);
    this.requestUpdate();
  }

  focusRows(): void {
    this.scroller.focus({ preventScroll: true });
  }

  private key(event: KeyboardEvent): void {
    const grid = this.drawn;
    if (!grid || event.target !== this.scroller) return;
    const { cursor } = this.selection;
    const [first, end] = this.pool!.range;
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const to = event.altKey ? null : moved(event, cursor, Math.max(1, end - first - 3));
    const line = grid.lines.at(cursor.y);
    if (to) this.selectTo(to, event.shiftKey);
    else if ((event.ctrlKey || event.metaKey) && event.key === "a") {
      this.selection.anchor = { x: cursor.x, y: 0 };
      this.selection.cursor = { x: cursor.x, y: grid.lines.length - 1 };
      this.requestUpdate();
    } else if (event.key === "Escape") this.selectTo(cursor, false);
    else if (plain && line.is === "group" && (event.key === "Enter" || event.key === " ")) {
      grid.lines.toggle(line.group);
      this.requestUpdate();
    } else if (event.key === "Enter" && event.shiftKey) this.openRow();
    else if (!this.edits.key(event, plain)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  private sort(x: number): void {
    const column = this.drawn!.sheet.columns[x];
    if (this.place.is !== "grid" || !column) return;
    const path = pathOf(column);
    const sort = this.place.sort === path ? `-${path}` : this.place.sort === `-${path}` ? "" : path;
    this.go(addressOf({ ...this.place, sort }));
  }

  private openRow(): void {
    const grid = this.drawn!;
    const { x, y } = this.selection.cursor;
    const line = grid.lines.at(y);
    const row: Row | undefined = line.is === "row" ? grid.row(line.place) : undefined;
    if (!row) return;
    const [task] = x >= grid.sheet.columns.length ? grid.tasks(row, x - grid.sheet.columns.length) : [];
    this.go(addressOf({ is: "entity", type: task?.type ?? row.type, key: task?.key ?? row.key }));
  }

  /** The element of the cell that the cursor is in. */
  get cell(): HTMLElement | null {
    const { x, y } = this.selection.cursor;
    return (this.pool?.at(y)?.children[x] as HTMLElement | undefined) ?? null;
  }
}

/** `2026-12-19` as `19 Dec`, with the year if it is another than now. */
function shortDate(text: string): string {
  const [year, month, day] = text.split("-").map(Number);
  if (!year || !month || !day) return text;
  const name = MONTHS[month - 1] ?? "";
  return year === new Date().getFullYear() ? `${day} ${name}` : `${day} ${name} ${String(year).slice(2)}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function picture(image: HTMLImageElement, key: string | null): void {
  const address = key ? `x/thumb/${encodeURIComponent(key)}/92` : "";
  image.hidden = !key;
  if (key && image.getAttribute("src") !== address) image.src = address;
}

const isNumber = (column: Column): boolean => column.attribute.type === "number" || column.attribute.type === "integer";
const pathOf = (column: Column): string => (column.reference ?? column.path).join(".");

customElements.define("cs-grid", GridPart);
