// A pivot: what a cube has, what is shown of it, and its numbers; all of it is in the address.

import { html, nothing, type TemplateResult } from "lit";
import { textOf } from "../core/desk.ts";
import type { Update } from "../core/live.ts";
import { Pivot, type CubeList, type Why } from "../core/pivot.ts";
import type { PivotRequest, Share } from "../core/pivot-place.ts";
import { momentText } from "../core/pivot-table.ts";
import { addressOf, type Place } from "../core/routes.ts";
import { icon } from "./icons.ts";
import { Part } from "./part.ts";
import type { CellChoice, PivotGrid } from "./pivot-table.ts";
import "./pivot-fields.ts";
import "./pivot-table.ts";
import "./why.ts";
import "./chart.ts";
import { added, dashboardOf, type TileKind } from "../core/dashboard.ts";
import { keepView, listViews, type KeptView } from "../core/kept.ts";
import { pivotCsv } from "../core/saving.ts";
import { saved } from "./saving.ts";
import type { PivotShelves } from "./pivot-fields.ts";

/** How far back "why" looks where only one moment is shown, in days. */
const BACK = 30;

export class PivotPart extends Part {
  static override properties = { ...Part.properties, place: { attribute: false }, list: { state: true }, boards: { state: true }, reason: { state: true } };

  declare place: Extract<Place, { is: "pivot" }>;
  declare list: CubeList | null;
  declare boards: KeptView[];
  declare reason: { choice: CellChoice; found: Why | null; fault: string } | null;
  private pivot: Pivot | null = null;
  private asked = "";
  private readonly heard = (event: Event): void => this.pivot?.reached((event as CustomEvent<Update>).detail);

  constructor() {
    super();
    this.list = this.reason = null;
    this.boards = [];
    this.addEventListener("chart", (event) => this.ask({ ...this.pivot!.request, chart: (event as CustomEvent<string>).detail }));
    this.addEventListener("ask", (event) => this.ask((event as CustomEvent<PivotRequest>).detail));
    this.addEventListener("drill", (event) => void this.drill((event as CustomEvent<CellChoice | null>).detail));
    this.addEventListener("why", (event) => void this.why((event as CustomEvent<CellChoice>).detail));
    this.addEventListener("shut", () => this.shut());
    this.addEventListener("pick", (event) => void this.querySelector<PivotShelves>("cs-pivot-shelves")?.pick((event as CustomEvent<string>).detail));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.desk.addEventListener("update", this.heard);
    void this.lists();
  }

  override disconnectedCallback(): void {
    this.desk.removeEventListener("update", this.heard);
    this.pivot?.close();
    super.disconnectedCallback();
  }

  private async lists(): Promise<void> {
    try {
      const [list, views] = await Promise.all([this.desk.wire.get<CubeList>("/explorer/x/cubes"), listViews(this.desk.wire)]);
      this.list = list;
      this.boards = views.filter((each) => each.kind === "dashboard" && each.own);
    } catch (error) {
      this.desk.refused(error);
    }
  }

  override willUpdate(): void {
    const address = addressOf(this.place);
    if (address === this.asked) return;
    this.asked = address;
    this.reason = null;
    this.pivot ??= new Pivot(this.desk.wire, this.place.request, () => this.requestUpdate());
    void this.pivot.show(this.place.request);
  }

  /** Show another request: its address is where the page goes. */
  private ask(request: PivotRequest): void {
    this.go(addressOf({ is: "pivot", request }));
  }

  override updated(): void {
    const { pivot } = this;
    if (!pivot) return;
    const answer = pivot.table?.answer;
    const all = answer ? `${pivot.table!.rows(new Set()).length - 1} rows · ${answer.milliseconds} ms` : "";
    this.desk.captioned(pivot.request.cube, answer ? `${all} · ${this.asOf()}` : "");
  }

  /** The position that every number is of, in words. */
  private asOf(): string {
    const { answer } = this.pivot!.table!;
    if (answer.at.length === 1) return `Position ${(answer.at[0] ?? answer.position ?? 0).toLocaleString("en")} for every number shown`;
    return `Positions ${answer.at.map((each) => (each ?? answer.position ?? 0).toLocaleString("en")).join(" and ")}`;
  }

  override render(): TemplateResult | typeof nothing {
    const { pivot } = this;
    if (!pivot) return nothing;
    const answer = pivot.table?.answer;
    const empty = answer && answer.totals.length > 0 && pivot.table!.root.children.length === 0 && pivot.request.rows.length > 0;
    return html`${this.bar(pivot)}
      ${pivot.fault ? html`<div class="strip bad" role="alert">${icon("warn")}<span>${pivot.fault}</span>${pivot.table ? html`<span class="sub">Below are the numbers of the last question that worked.</span>` : nothing}</div>` : nothing}
      <div class="pv">
        <cs-pivot-fields .desk=${this.desk} .pivot=${pivot} .version=${pivot.version}></cs-pivot-fields>
        <div class="pvm">
          <cs-pivot-shelves .desk=${this.desk} .pivot=${pivot} .version=${pivot.version}></cs-pivot-shelves>
          ${answer?.truncated ? html`<div class="strip">Only the first ${answer.truncated.toLocaleString("en")} groups are shown; a filter, or fewer levels, shows all.</div>` : nothing}
          <div class="pvt ${pivot.request.look === "chart" ? "away" : ""}">
            <cs-pivot-grid .desk=${this.desk} .pivot=${pivot} .version=${pivot.version}></cs-pivot-grid>
            ${empty ? html`<p class="nothing" role="status">Nothing fulfils ${pivot.request.where.length ? html`the filter <code>${pivot.request.where.join(" and ")}</code>` : "this"}.
              ${pivot.request.where.length ? html`<button class="btn" @click=${() => this.ask({ ...pivot.request, where: [] })}>Remove the filter</button>` : nothing}</p>` : nothing}
            ${!answer && !pivot.fault ? html`<div class="wait" aria-busy="true">${[...Array(8)].map(() => html`<i></i>`)}</div>` : nothing}
          </div>
          ${pivot.table && pivot.request.look !== "table" ? html`<div class="chartbox"><cs-chart .desk=${this.desk} .table=${pivot.table} .chosen=${pivot.request.chart}></cs-chart></div>` : nothing}
          ${this.reason ? this.whyBox(this.reason) : nothing}
        </div>
      </div>`;
  }

  private bar(pivot: Pivot): TemplateResult {
    const { request } = pivot;
    const facts = pivot.facts;
    return html`<div class="bar pvb">
      ${this.states(request)}
      <span class="grow"></span>
      <div class="tabs" role="group" aria-label="What is drawn">${(["both", "table", "chart"] as const).map((look) => html`<button aria-pressed=${request.look === look} @click=${() => this.ask({ ...request, look })}>${look[0]!.toUpperCase() + look.slice(1)}</button>`)}</div>
      <label class="pickl"><span>Show as</span><select aria-label="Show as" @change=${(event: Event) => this.ask({ ...request, share: (event.target as HTMLSelectElement).value as Share })}>
        ${[["", "Numbers"], ["parent", "Share of parent"], ["total", "Share of total"]].map(([value, text]) => html`<option value=${value!} ?selected=${request.share === value}>${text}</option>`)}</select></label>
      <details class="drop right"><summary class="btn">Save${icon("down")}</summary><div class="menu-in">
        <button @click=${() => pivot.table && saved(`${request.cube}.csv`, pivotCsv(pivot.table))}>As CSV, as shown</button>
        <button @click=${() => print()}>As PDF: print</button>
        ${this.boards.map((each) => html`<button @click=${() => void this.tile(each)}>Add to ${each.name}</button>`)}
        <button @click=${() => void this.tile(null)}>Add to a new dashboard</button></div></details>
      ${facts?.filter ? html`<span class="sub" title="The cube's own filter"><code>${facts.filter}</code></span>` : nothing}
    </div>`;
  }

  /** Scenarios and moments: which of them are shown. */
  private states(request: PivotRequest): TemplateResult {
    const known = this.list?.scenarios ?? [];
    const at = (change: PivotRequest["at"]): void => this.ask({ ...request, at: change.length ? change : [null] });
    const scenarios = (name: string | null): void => {
      const has = request.scenarios.includes(name);
      const next = has ? request.scenarios.filter((each) => each !== name) : [...request.scenarios, name];
      this.ask({ ...request, scenarios: next.length ? next : [null] });
    };
    return html`${known.length ? html`<details class="drop"><summary class="btn">${request.scenarios.map((each) => each ?? "As it is").join(", ")}${icon("down")}</summary>
        <div class="menu-in" role="group" aria-label="Scenarios">${[null, ...known.map((each) => each.name)].map((name) => html`<label><input type="checkbox" .checked=${request.scenarios.includes(name)} @change=${() => scenarios(name)}><span>${name ?? "As it is"}</span></label>`)}</div></details>` : nothing}
      ${request.at.map((each, place) => html`<span class="cond">${momentText(each)}${request.at.length > 1 ? html`<button class="ib" aria-label="Do not show ${momentText(each)}" @click=${() => at(request.at.filter((_, other) => other !== place))}>${icon("x")}</button>` : nothing}</span>`)}
      <label class="pickl"><span>and as of</span><input type="date" aria-label="Compare with a day" @change=${(event: Event) => {
        const day = (event.target as HTMLInputElement).value;
        if (day) at([day, ...request.at.filter((each) => each !== day)]);
      }}></label>`;
  }

  /** The pivot as a tile of a dashboard: a number without rows, else as it is drawn. */
  private async tile(board: KeptView | null): Promise<void> {
    const { request } = this.pivot!;
    const kind: TileKind = request.rows.length + request.cols.length === 0 ? "number" : request.look === "table" ? "pivot" : "chart";
    const title = [request.values[0] ?? this.pivot!.table?.answer.measures[0]?.name ?? request.cube, request.rows.at(-1)].filter(Boolean).join(" by ");
    const data = added(board ? dashboardOf(board.place) : { filter: [], tiles: [] }, { title, kind, address: addressOf({ is: "pivot", request }) });
    const { key, shared, people, roles, description } = board ?? {};
    try {
      const view = await keepView(this.desk.wire, { key, shared, people, roles, description, name: board?.name ?? "New dashboard", kind: "dashboard", place: JSON.stringify(data) });
      this.desk.dispatchEvent(new Event("views"));
      this.go(`k/${view.key}`);
    } catch (error) {
      this.desk.say(textOf(error), true);
    }
  }

  // From a cell

  private async drill(choice: CellChoice | null): Promise<void> {
    const cell = choice ?? this.reason?.choice;
    if (!cell) return;
    try {
      const query = await this.pivot!.drill(cell.row, cell.column);
      this.go(addressOf({ is: "sheet", query, columns: [], sort: "" }));
    } catch (error) {
      this.desk.say(textOf(error), true);
    }
  }

  private async why(choice: CellChoice): Promise<void> {
    const reason = (this.reason = { choice, found: null as Why | null, fault: "" });
    try {
      reason.found = await this.pivot!.why(choice.row, choice.column, BACK);
    } catch (error) {
      reason.fault = textOf(error);
    }
    if (this.reason === reason) this.reason = { ...reason };
    await this.updateComplete;
    this.querySelector<HTMLElement>(".why")?.focus();
  }

  private shut(): void {
    this.reason = null;
    this.querySelector<PivotGrid>("cs-pivot-grid")?.focusRows();
  }

  private whyBox(reason: { choice: CellChoice; found: Why | null; fault: string }): TemplateResult {
    const { row, column } = reason.choice;
    const table = this.pivot!.table!;
    const measure = table.answer.measures[column.measure]!;
    const path = [...row.path, ...column.member.path].map((each) => String(each ?? "(none)"));
    return html`<cs-why .desk=${this.desk} .about=${[measure.name, ...(path.length ? path : ["All"])].join(" · ")} .format=${measure.format} .found=${reason.found} .fault=${reason.fault}></cs-why>`;
  }
}

customElements.define("cs-pivot", PivotPart);
