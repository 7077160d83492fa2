// A dashboard: tiles on twelve columns, one filter for all, one position for all numbers.

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { changed, COLUMNS, Dashboard, dashboardOf, type Tile, type TileState } from "../core/dashboard.ts";
import { textOf } from "../core/desk.ts";
import { keepView, type KeptView } from "../core/kept.ts";
import type { Update } from "../core/live.ts";
import { icon } from "./icons.ts";
import { Part } from "./part.ts";
import "./chart.ts";

const LINES = 200;

export class DashboardPart extends Part {
  static override properties = { ...Part.properties, view: { attribute: false }, editing: { state: true } };

  declare view: KeptView;
  declare editing: boolean;
  private board: Dashboard | null = null;
  private shown: KeptView | null = null;
  private keeping: Promise<unknown> = Promise.resolve();
  private readonly heard = (event: Event): void => this.board?.reached((event as CustomEvent<Update>).detail);

  constructor() {
    super();
    this.editing = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.desk.addEventListener("update", this.heard);
  }

  override disconnectedCallback(): void {
    this.desk.removeEventListener("update", this.heard);
    this.board?.close();
    super.disconnectedCallback();
  }

  override willUpdate(): void {
    if (this.view === this.shown) return;
    this.shown = this.view;
    this.board?.close();
    this.board = new Dashboard(this.desk.wire, dashboardOf(this.view.place), () => this.requestUpdate());
    void this.board.ask();
  }

  override updated(_: PropertyValues): void {
    for (const tile of this.querySelectorAll<HTMLElement>(".tile")) {
      const { x, y, w, h } = this.board!.data.tiles[Number(tile.dataset.place)]!;
      // Set by script: the content policy knows no styles in markup.
      tile.style.gridColumn = `${x + 1} / span ${w}`;
      tile.style.gridRow = `${y + 1} / span ${h}`;
    }
    const { position, milliseconds, data } = this.board!;
    const at = position === null ? "" : ` at position ${position.toLocaleString("en")} · ${milliseconds} ms`;
    this.desk.captioned(this.view.name, `${data.tiles.length} tiles${at} · kept by ${this.view.owner}`);
  }

  override render(): TemplateResult {
    const { data, states, fault } = this.board!;
    return html`<div class="bar pvb"><span class="sub">All tiles where</span>
        ${data.filter.map((text, place) => html`<span class="cond"><code>${text}</code><button class="ib" aria-label="Remove ${text}" @click=${() => this.filter(data.filter.filter((_, at) => at !== place))}>${icon("x")}</button></span>`)}
        <form @submit=${this.condition}><input class="condi" type="text" aria-label="A condition for all tiles" placeholder="+ condition" size="14"></form>
        <span class="grow"></span>
        ${this.view.own ? html`<button class="btn" aria-pressed=${this.editing} @click=${() => (this.editing = !this.editing)}>${this.editing ? "Done" : "Edit"}</button>` : nothing}</div>
      ${fault ? html`<div class="strip bad" role="alert">${fault}</div>` : nothing}
      <div class="db ${this.editing ? "editing" : ""}">${data.tiles.map((tile, place) => this.tile(tile, place, states[place]))}
        ${data.tiles.length ? nothing : html`<p class="nothing" role="status">No tiles yet. Open a pivot, and choose <b>Add to dashboard</b>.</p>`}</div>`;
  }

  private tile(tile: Tile, place: number, state: TileState | undefined): TemplateResult {
    return html`<section class="tile ${tile.kind}" data-place=${place} aria-label=${tile.title} tabindex=${this.editing ? 0 : nothing} @keydown=${(event: KeyboardEvent) => this.key(event, place)}
        draggable=${this.editing ? "true" : nothing} @dragstart=${(event: DragEvent) => event.dataTransfer!.setData("text/plain", String(place))}
        @dragover=${(event: DragEvent) => this.editing && event.preventDefault()} @drop=${(event: DragEvent) => this.drop(event, place)}>
      <h2><a href=${tile.address} @click=${(event: MouseEvent) => this.lead(event, tile.address)}>${tile.title}</a>
        ${this.editing ? html`<button class="ib" aria-label="Remove ${tile.title}" @click=${() => this.take(place)}>${icon("x")}</button>` : nothing}</h2>
      ${!state ? html`<div class="wait" aria-busy="true"><i></i><i></i></div>`
        : state.fault ? html`<p class="wrong" role="alert">${state.fault}</p>`
        : tile.kind === "number" ? this.number(state)
        : tile.kind === "chart" ? html`<cs-chart .desk=${this.desk} .table=${state.table} .chosen=${state.table!.request.chart} .small=${true}></cs-chart>`
        : this.lines(state)}</section>`;
  }

  private number(state: TileState): TemplateResult {
    const table = state.table!;
    // Of several moments the last one is the figure; the others, and the change, stand behind it.
    const figure = table.columns.filter((each) => each.kind === "value" && each.measure === 0).at(-1)!;
    const more = table.columns.filter((each) => each !== figure).slice(0, 3);
    return html`<p class="figure"><b>${table.text(table.root, figure) || "–"}</b> <span class="sub">${more.map((each) => `${each.heads.join(" ")} ${table.text(table.root, each)}`).join(" · ")}</span></p>`;
  }

  private lines(state: TileState): TemplateResult {
    const table = state.table!;
    const rows = table.rows(new Set());
    return html`<div class="small" tabindex="0" role="group" aria-label="Numbers"><table><thead>${Array.from({ length: table.heads }, (_, line) => html`<tr><th>${line === table.heads - 1 ? table.rowLevels.join(", ") : ""}</th>${table.columns.map((each) => html`<th scope="col">${each.heads[line]}</th>`)}</tr>`)}</thead>
      <tbody>${rows.slice(0, LINES).map((row) => html`<tr class=${row === table.root ? "all" : ""}><th scope="row" class="d${Math.min(row.depth, 6)}">${table.label(row)}</th>${table.columns.map((each) => html`<td>${table.text(row, each)}</td>`)}</tr>`)}</tbody></table>
      ${rows.length > LINES ? html`<p class="sub">and ${rows.length - LINES} more rows</p>` : nothing}</div>`;
  }

  // Changing

  private key(event: KeyboardEvent, place: number): void {
    if (!this.editing || event.target !== event.currentTarget) return;
    const tile = this.board!.data.tiles[place]!;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] as [number, number] | undefined;
    if (way) this.change(place, event.shiftKey ? { w: tile.w + way[0], h: tile.h + way[1] } : { x: Math.min(tile.x + way[0], COLUMNS - tile.w), y: tile.y + way[1] });
    else if (event.key === "Delete") this.take(place);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private drop(event: DragEvent, onto: number): void {
    event.preventDefault();
    const place = Number(event.dataTransfer!.getData("text/plain"));
    const target = this.board!.data.tiles[onto];
    if (this.board!.data.tiles[place] && target && place !== onto) this.change(place, { x: target.x, y: target.y });
  }

  private change(place: number, change: Partial<Tile>): void {
    void this.keep({ ...this.board!.data, ...changed(this.board!.data, place, change) }, false);
  }

  private take(place: number): void {
    void this.keep({ ...this.board!.data, tiles: this.board!.data.tiles.filter((_, at) => at !== place) }, true);
  }

  private readonly condition = (event: Event): void => {
    event.preventDefault();
    const input = (event.target as HTMLFormElement).querySelector("input")!;
    const text = input.value.trim();
    if (text) this.filter([...this.board!.data.filter, text]);
    input.value = "";
  };

  /** Another filter is everybody's own until the owner keeps it while editing. */
  private filter(filter: string[]): void {
    if (this.editing) void this.keep({ ...this.board!.data, filter }, true);
    else {
      this.board!.data = { ...this.board!.data, filter };
      void this.board!.ask();
    }
  }

  private async keep(data: Dashboard["data"], ask: boolean): Promise<void> {
    this.board!.data = data;
    if (ask) void this.board!.ask();
    this.requestUpdate();
    const { key, name, shared, people, roles, description } = this.view;
    const view = { key, name, kind: "dashboard", place: JSON.stringify(data), shared, people, roles, description };
    try {
      // One after the other: the last one is what stays.
      await (this.keeping = this.keeping.catch(() => null).then(() => keepView(this.desk.wire, view)));
    } catch (error) {
      this.desk.say(textOf(error), true);
    }
  }
}

customElements.define("cs-dashboard", DashboardPart);
