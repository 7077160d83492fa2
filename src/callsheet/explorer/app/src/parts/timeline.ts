// The timeline: a bar for each row, dragged or moved by Alt and the arrows, with what waits for what.

import { html, type TemplateResult } from "lit";
import { broken, dayText, shortDay, today, weekday, weekOf, type Span } from "../core/days.ts";
import type { Row } from "../core/records.ts";
import { addressOf, type Place } from "../core/routes.ts";
import type { Timeline } from "../views/timeline.ts";
import { made } from "./grid-cells.ts";
import { Part } from "./part.ts";
import { Pool } from "./pool.ts";

/** Pixels of a day, of the names beside the bars, of the head; days before the first and after the last. */
const DAY = 28;
const NAMES = 260;
const HEAD = 46;
const AROUND = 7;
const SVG = "http://www.w3.org/2000/svg";

export class TimelinePart extends Part {
  static override properties = { ...Part.properties, place: { attribute: false } };

  declare place: Place;
  private drawn: Timeline | null = null;
  private pool: Pool | null = null;
  private first = 0;
  private last = 0;
  private cursor = 0;
  /** The line that each row in sight has. */
  private lines = new Map<string, number>();
  private dragged: { line: number; from: number; by: number } | null = null;

  get timeline(): Timeline | null {
    const { view } = this.desk;
    return view && "dependencies" in view ? (view as Timeline) : null;
  }

  override render(): TemplateResult {
    return html`<div class="stage"><div class="timeline" role="grid" tabindex="0" aria-label="Timeline" @keydown=${this.key} @pointerdown=${this.press}
      @pointermove=${this.drag} @pointerup=${this.drop} @dblclick=${this.open}>
      <div class="tl-head" aria-hidden="true"></div><div class="tl-body" role="rowgroup"></div></div></div>`;
  }

  override updated(): void {
    const { timeline } = this;
    if (!timeline) return;
    if (timeline !== this.drawn) this.begin(timeline);
    this.paint();
  }

  private get scroller(): HTMLElement {
    return this.querySelector<HTMLElement>(".timeline")!;
  }

  private begin(timeline: Timeline): void {
    this.drawn = timeline;
    this.pool?.clear();
    const now = today();
    this.first = (timeline.first ?? now) - AROUND;
    this.first -= weekday(this.first);
    this.last = Math.min(this.first + 1_500, (timeline.last ?? now) + 4 * AROUND);
    this.cursor = timeline.grid.groups.length ? 1 : 0;
    const width = NAMES + (this.last - this.first + 1) * DAY;
    const body = this.querySelector<HTMLElement>(".tl-body")!;
    this.scroller.style.setProperty("--tl-width", `${width}px`);
    this.scroller.style.setProperty("--tl-today", `${NAMES + (now - this.first) * DAY}px`);
    body.classList.toggle("now", now >= this.first && now <= this.last);
    const row = Number.parseFloat(getComputedStyle(this).getPropertyValue("--row")) || 36;
    this.pool = new Pool(this.scroller, body, () => this.line(), (element, line) => this.fill(element, line), () => row, () => timeline.grid.lines.length);
    this.scroller.addEventListener("scroll", () => requestAnimationFrame(() => this.connect()), { passive: true });
    this.head();
    body.querySelector("svg")?.remove();
    const layer = document.createElementNS(SVG, "svg");
    layer.setAttribute("class", "tl-links");
    layer.setAttribute("aria-hidden", "true");
    body.append(layer);
    const near = now >= this.first && now <= this.last ? now : (timeline.first ?? now);
    this.scroller.scrollLeft = Math.max(0, (near - this.first - 6) * DAY);
  }

  private head(): void {
    const weeks: HTMLElement[] = [];
    for (let day = this.first; day <= this.last; day += 7) {
      const week = made("tl-week", "div");
      week.textContent = `${shortDay(day)} · week ${weekOf(day)}`;
      week.style.left = `${NAMES + (day - this.first) * DAY}px`;
      weeks.push(week);
      for (let each = day; each < day + 5; each++) {
        const one = made("tl-day", "div");
        one.textContent = shortDay(each).split(" ")[0]!;
        one.style.left = `${NAMES + (each - this.first) * DAY}px`;
        weeks.push(one);
      }
    }
    this.querySelector(".tl-head")!.replaceChildren(made("tl-corner", "div"), ...weeks);
  }

  private line(): HTMLElement {
    const element = made("tl-line", "div");
    element.setAttribute("role", "row");
    const name = made("tl-name", "div");
    name.setAttribute("role", "rowheader");
    name.append(made("st"), made("days"));
    const cell = made("tl-cell", "div");
    cell.setAttribute("role", "gridcell");
    cell.append(made("tl-old"), made("tl-bar"), made("tl-said"));
    element.append(name, cell);
    return element;
  }

  private paint(): void {
    const { grid } = this.drawn!;
    this.scroller.setAttribute("aria-rowcount", String(grid.lines.length));
    this.lines.clear();
    this.pool!.draw(true);
    const rows: Row[] = [];
    for (const [, row] of grid.windows.here()) rows.push(row);
    this.drawn!.want(rows);
    this.connect();
  }

  private fill(element: HTMLElement, line: number): void {
    const timeline = this.drawn!;
    const { grid } = timeline;
    const at = grid.lines.at(line);
    const row = at.is === "row" ? grid.row(at.place) : undefined;
    const [name, cell] = element.children as unknown as [HTMLElement, HTMLElement];
    const [word, days] = name.children as unknown as [HTMLElement, HTMLElement];
    const [old, bar, said] = cell.children as unknown as [HTMLElement, HTMLElement, HTMLElement];
    element.setAttribute("aria-rowindex", String(line + 1));
    const current = line === this.cursor;
    element.className = `tl-line ${at.is === "group" ? "group" : ""} ${current ? "cur" : ""}`;
    if (current) element.id = "tline";
    else if (element.id) element.removeAttribute("id");
    if (current) this.scroller.setAttribute("aria-activedescendant", "tline");
    old.hidden = bar.hidden = true;
    said.textContent = "";
    if (at.is === "group") {
      word.className = "st";
      word.textContent = String(grid.groups[at.group]!.label ?? "none");
      days.textContent = grid.groups[at.group]!.count.toLocaleString("en");
      return;
    }
    if (!row) return;
    this.lines.set(row.key, line);
    const status = timeline.column("status");
    const text = status < 0 ? "" : (this.desk.unit.of([row.type, row.key], "status")?.shown.value ?? String(grid.sheet.value(row, status) ?? ""));
    const glyph = status < 0 ? null : grid.sheet.glyph(row, status, text);
    word.className = glyph ? `st gl-${glyph}` : "st";
    word.textContent = grid.sheet.name(row);
    const kept = timeline.span(row, null);
    const span = this.spanAt(row, line);
    days.textContent = span ? String(span.end - span.start + 1) : "";
    if (!span) return;
    const moved = kept !== null && (kept.start !== span.start || kept.end !== span.end);
    const coming = this.desk.incoming.has(row.key);
    const conflict = [timeline.dates.start, timeline.dates.end].some((each) => this.desk.unit.conflictOf([row.type, row.key], each));
    bar.hidden = false;
    bar.className = `tl-bar ${glyph ? `edge-${glyph}` : ""} ${conflict ? "conf" : moved ? "pend" : coming ? "inc" : ""}`;
    bar.textContent = grid.sheet.name(row);
    bar.title = `${shortDay(span.start)} to ${shortDay(span.end)}${text ? `, ${text}` : ""}`;
    put(bar, span, this.first);
    cell.setAttribute("aria-label", `${grid.sheet.name(row)}: ${bar.title}`);
    old.hidden = !moved;
    if (moved) put(old, kept, this.first);
    said.style.left = `${(span.end + 1 - this.first) * DAY + 8}px`;
  }

  /** The span of a row, while it is dragged where it would be. */
  private spanAt(row: Row, line: number): Span | null {
    const span = this.drawn!.span(row, this.desk.unit);
    const by = this.dragged?.line === line ? this.dragged.by : 0;
    return span && { start: span.start + by, end: span.end + by };
  }

  /** Draw what waits for what among the lines in sight; what is broken is red, and said. */
  private connect(): void {
    const timeline = this.drawn;
    const layer = this.querySelector(".tl-links");
    if (!timeline || !layer || !this.pool) return;
    const [from, to] = this.pool.range;
    const height = this.pool.height();
    const paths: Element[] = [];
    for (const [key, line] of this.lines) {
      if (line < from - 1 || line > to || !this.pool.at(line)) continue;
      const row = this.rowAt(line);
      const words: string[] = [];
      for (const { before, lag, ends } of timeline.dependencies.get(key) ?? []) {
        const other = this.lines.get(before);
        const first = other === undefined ? null : this.rowAt(other);
        if (!row || !first || other === undefined) continue;
        const [earlier, later] = [this.spanAt(first, other), this.spanAt(row, line)];
        if (!earlier || !later) continue;
        const wrong = ends ? broken(earlier, later, lag, timeline.grid.sheet.name(first)) : "";
        if (wrong) words.push(wrong);
        const x1 = NAMES + (earlier.end + 1 - this.first) * DAY;
        const x2 = NAMES + (later.start - this.first) * DAY + 8;
        const y1 = (other + 0.5) * height;
        const y2 = line * height + (line > other ? 7 : height - 7);
        const path = document.createElementNS(SVG, "path");
        path.setAttribute("d", wrong ? `M${x1} ${y1}h8V${(y1 + y2) / 2}H${x2}V${y2}` : `M${x1} ${y1}H${x2}V${y2}`);
        path.setAttribute("class", wrong ? "bad" : "");
        paths.push(path);
      }
      const said = this.pool.at(line)!.querySelector<HTMLElement>(".tl-said")!;
      if (said.textContent !== words.join("; ")) said.textContent = words.join("; ");
    }
    layer.replaceChildren(...paths);
  }

  private rowAt(line: number): Row | null {
    const at = this.drawn!.grid.lines.at(line);
    return at.is === "row" ? (this.drawn!.grid.row(at.place) ?? null) : null;
  }

  // Moving

  /** Record that a row begins and ends some days later. */
  private async shift(line: number, days: number): Promise<void> {
    const timeline = this.drawn!;
    const row = this.rowAt(line);
    const span = row && timeline.span(row, this.desk.unit);
    if (!row || !span || !days) return;
    const { start, end, due } = timeline.dates;
    const has = (name: string): boolean => Boolean(timeline.grid.sheet.value(row, timeline.column(name)) || this.desk.unit.of([row.type, row.key], name));
    const edits = [];
    if (has(start)) edits.push(timeline.grid.sheet.edit(row, timeline.column(start), dayText(span.start + days)));
    if (end !== start && has(end)) edits.push(timeline.grid.sheet.edit(row, timeline.column(end), dayText(span.end + days)));
    if (!edits.length && due) edits.push(timeline.grid.sheet.edit(row, timeline.column(due), dayText(span.end + days)));
    await this.desk.unit.record(edits);
  }

  private select(line: number): void {
    this.cursor = Math.max(0, Math.min(this.drawn!.grid.lines.length - 1, line));
    this.pool!.reveal(this.cursor, HEAD, 0);
    this.paint();
  }

  private key(event: KeyboardEvent): void {
    const timeline = this.drawn;
    if (!timeline || event.ctrlKey || event.metaKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20, Home: -1e9, End: 1e9 }[event.key];
    const at = timeline.grid.lines.at(this.cursor);
    if (event.altKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) void this.shift(this.cursor, event.key === "ArrowLeft" ? -1 : 1);
    else if (step !== undefined) this.select(this.cursor + step);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.scroller.scrollLeft += event.key === "ArrowLeft" ? -7 * DAY : 7 * DAY;
    else if (event.key === "t") this.scroller.scrollLeft = (today() - this.first - 6) * DAY;
    else if (event.key === "Enter" && at.is === "group") {
      timeline.grid.lines.toggle(at.group);
      this.requestUpdate();
    } else if (event.key === "Enter") this.open();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private open(): void {
    const row = this.rowAt(this.cursor);
    if (row) this.go(addressOf({ is: "entity", type: row.type, key: row.key }));
  }

  private press(event: PointerEvent): void {
    const target = event.target as HTMLElement;
    const element = target.closest<HTMLElement>(".tl-line");
    const line = element ? this.pool!.lineOf(element) : -1;
    if (line < 0) return;
    this.scroller.focus({ preventScroll: true });
    const at = this.drawn!.grid.lines.at(line);
    if (at.is === "group" && target.closest(".tl-name")) this.drawn!.grid.lines.toggle(at.group);
    this.select(line);
    if (!target.closest(".tl-bar")) return;
    event.preventDefault();
    this.dragged = { line, from: event.clientX, by: 0 };
    this.scroller.setPointerCapture(event.pointerId);
  }

  private drag(event: PointerEvent): void {
    if (!this.dragged) return;
    const by = Math.round((event.clientX - this.dragged.from) / DAY);
    if (by === this.dragged.by) return;
    this.dragged.by = by;
    this.paint();
  }

  private drop(): void {
    const { dragged } = this;
    this.dragged = null;
    if (dragged?.by) void this.shift(dragged.line, dragged.by);
  }
}

function put(element: HTMLElement, span: Span, first: number): void {
  element.style.left = `${(span.start - first) * DAY}px`;
  element.style.width = `${(span.end - span.start + 1) * DAY - 2}px`;
}

customElements.define("cs-timeline", TimelinePart);
