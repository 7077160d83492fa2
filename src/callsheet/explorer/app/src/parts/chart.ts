// A chart of a pivot: drawn by Vega, with its numbers as a table for those who hear them.

import { html, nothing, type TemplateResult } from "lit";
import { chartRows, chartSpec, MARKS, ownSpec } from "../core/chart-spec.ts";
import { textOf } from "../core/desk.ts";
import type { PivotTable } from "../core/pivot-table.ts";
import type { Drawn } from "../core/vega.ts";
import { Part } from "./part.ts";
import { pictureOf, saved } from "./saving.ts";

const HEARD = 200;
const COLOURS = ["--accent", "--st-retake", "--st-done", "--st-review", "--st-hold", "--inc", "--st-wip", "--st-wait", "--conf", "--pend", "--ink", "--accent-line"];

export class Chart extends Part {
  static override properties = { ...Part.properties, table: { attribute: false }, chosen: { attribute: false }, small: { attribute: false }, fault: { state: true }, refused: { state: true }, editing: { state: true } };

  declare table: PivotTable;
  /** The kind of mark, or one's own specification as text. */
  declare chosen: string;
  /** Within a tile: without its bar. */
  declare small: boolean;
  declare fault: string;
  /** What is wrong with a specification that was not taken. */
  declare refused: string;
  declare editing: boolean;
  private drawn: Drawn | null = null;
  private drawnOf: unknown[] = [];
  private turn = 0;
  private readonly watch = new ResizeObserver(() => void this.draw(true));

  constructor() {
    super();
    this.small = this.editing = false;
    this.fault = this.refused = "";
  }

  override disconnectedCallback(): void {
    this.watch.disconnect();
    this.drawn?.close();
    this.drawn = null;
    super.disconnectedCallback();
  }

  override updated(): void {
    const picture = this.querySelector(".picture");
    if (picture) this.watch.observe(picture);
    void this.draw(false);
  }

  private async draw(resized: boolean): Promise<void> {
    const theme = document.documentElement.dataset.theme;
    const of = [this.table, this.chosen, theme];
    if (!resized && of.every((each, place) => each === this.drawnOf[place])) return;
    this.drawnOf = of;
    const turn = ++this.turn;
    const into = this.querySelector<HTMLElement>(".picture");
    if (!into || !into.clientWidth || !into.clientHeight) return;
    try {
      const spec = ownSpec(this.chosen) ?? chartSpec(this.table, this.chosen);
      const { draw } = await import("../core/vega.ts");
      if (turn !== this.turn) return;
      this.drawn?.close();
      into.replaceChildren();
      const drawn = await draw(into, spec, chartRows(this.table), look());
      if (turn !== this.turn) return drawn.close();
      this.drawn = drawn;
      this.fault = "";
    } catch (error) {
      if (turn === this.turn) this.fault = textOf(error);
    }
  }

  override render(): TemplateResult {
    const measure = this.table.answer.measures[0]!.name;
    const title = `${measure}${this.table.rowLevels.length ? ` by ${this.table.rowLevels.at(-1)}` : ""}`;
    return html`${this.small ? nothing : this.bar(title)}
      ${this.refused || this.fault ? html`<p class="wrong" role="alert">${this.refused || this.fault}</p>` : nothing}
      <div class="picture" aria-hidden="true"></div>
      ${this.heard(title)}
      ${this.editing ? this.editor() : nothing}`;
  }

  private bar(title: string): TemplateResult {
    const own = this.chosen.trim().startsWith("{");
    return html`<div class="chart-h"><b>${title}</b><span class="grow"></span>
      <select aria-label="Kind of chart" @change=${(event: Event) => this.choose((event.target as HTMLSelectElement).value)}>
        ${own ? html`<option selected>own</option>` : nothing}
        ${["", ...MARKS].map((each) => html`<option value=${each} ?selected=${this.chosen === each}>${each || "as it fits"}</option>`)}</select>
      <button class="btn ghost" @click=${() => this.edit()}>Edit spec</button>
      <button class="btn ghost" @click=${() => void this.save("png")}>PNG</button>
      <button class="btn ghost" @click=${() => void this.save("svg")}>SVG</button></div>`;
  }

  private async save(kind: "png" | "svg"): Promise<void> {
    if (!this.drawn) return;
    if (kind === "svg") saved("chart.svg", await this.drawn.svg(), "image/svg+xml");
    else saved("chart.png", pictureOf(await this.drawn.png()));
  }

  private choose(chosen: string): void {
    this.dispatchEvent(new CustomEvent("chart", { detail: chosen, bubbles: true }));
  }

  private edit(): void {
    this.editing = true;
    void this.updateComplete.then(() => this.querySelector("dialog")!.showModal());
  }

  private editor(): TemplateResult {
    const text = this.chosen.trim().startsWith("{") ? this.chosen : JSON.stringify(chartSpec(this.table, this.chosen), null, 2);
    return html`<dialog class="menu spec" aria-label="The chart's specification" @close=${() => (this.editing = false)}>
      <form method="dialog" @submit=${(event: SubmitEvent) => this.edited(event)}>
        <h2>Vega-Lite, over the numbers of this pivot</h2>
        <textarea aria-label="Specification" spellcheck="false" rows="18" .value=${text}></textarea>
        <div class="row"><button class="btn primary">Draw</button><button class="btn ghost" value="no">Cancel</button></div></form></dialog>`;
  }

  private edited(event: SubmitEvent): void {
    if ((event.submitter as HTMLButtonElement | null)?.value === "no") return;
    try {
      const spec = ownSpec(this.querySelector("textarea")!.value);
      this.refused = "";
      this.choose(spec ? JSON.stringify(spec) : "");
    } catch (error) {
      this.refused = textOf(error);
    }
  }

  /** The numbers as a table that is heard, not seen. */
  private heard(title: string): TemplateResult {
    const rows = chartRows(this.table);
    const names = Object.keys(rows[0] ?? {});
    return html`<table class="heard"><caption>${title}</caption><thead><tr>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>${rows.slice(0, HEARD).map((row) => html`<tr>${names.map((name) => html`<td>${String(row[name] ?? "")}</td>`)}</tr>`)}</tbody></table>`;
  }
}

/** Colours and type of the page, for the chart. */
function look(): Record<string, unknown> {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { labelColor: of("--ink-2"), titleColor: of("--ink-2"), gridColor: of("--line"), domainColor: of("--line-2"), tickColor: of("--line-2"), labelFont: of("--sans"), titleFont: of("--sans"), titleFontWeight: 500 };
  return {
    axis, view: { stroke: null }, font: of("--sans"),
    legend: { labelColor: of("--ink-2"), titleColor: of("--ink-2"), labelFont: of("--sans"), titleFont: of("--sans") },
    range: { category: COLOURS.map(of) }, mark: { color: of("--accent") }, bar: { color: of("--accent") }, line: { color: of("--accent") }, area: { color: of("--accent"), opacity: 0.7 }, point: { color: of("--accent") },
  };
}

customElements.define("cs-chart", Chart);
