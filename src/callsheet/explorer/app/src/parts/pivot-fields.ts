// What a cube has, and the shelves it is put on: by dragging, or by keys.

import { html, nothing, type TemplateResult } from "lit";
import type { Pivot, Level } from "../core/pivot.ts";
import type { PivotRequest } from "../core/pivot-place.ts";
import { levelTitle, memberCondition, moved, placed, removed, shelfOf, SHELVES, TITLES, type Shelf } from "../core/shelves.ts";
import { memberText, PivotTable, type PivotAnswer } from "../core/pivot-table.ts";
import { icon } from "./icons.ts";
import { Part } from "./part.ts";

const KIND = "application/x-callsheet-field";

/** A change of what the pivot shows. */
export function asks(part: Part, request: PivotRequest): void {
  part.dispatchEvent(new CustomEvent("ask", { detail: request, bubbles: true }));
}

export class PivotFields extends Part {
  static override properties = { ...Part.properties, pivot: { attribute: false }, version: { attribute: false }, typed: { state: true } };

  declare pivot: Pivot;
  declare version: number;
  declare typed: string;

  constructor() {
    super();
    this.typed = "";
  }

  override render(): TemplateResult | typeof nothing {
    const facts = this.pivot.facts;
    if (!facts) return nothing;
    const word = this.typed.trim().toLowerCase();
    const fits = (...texts: string[]): boolean => texts.some((each) => each.toLowerCase().includes(word));
    const groups = new Map<string, Level[]>();
    for (const level of facts.levels) {
      if (!fits(level.name, level.hierarchy)) continue;
      groups.set(level.hierarchy, [...(groups.get(level.hierarchy) ?? []), level]);
    }
    return html`<div class="fields" role="group" aria-label="Levels and measures">
      <input type="search" class="narrow" aria-label="Find a level or a measure" placeholder="Find a field" .value=${this.typed}
        @input=${(event: Event) => (this.typed = (event.target as HTMLInputElement).value)}>
      <h2>Measures</h2>
      ${facts.measures.filter((each) => fits(each.name)).map((each) => this.field(each.name, each.name, each.description))}
      <form class="own" @submit=${this.own}><input type="text" aria-label="A measure of your own" placeholder="New measure: sum(bid) / 8"></form>
      <h2>Levels</h2>
      ${[...groups].map(([hierarchy, levels]) => {
        const single = levels.length === 1 && levels[0]!.name === hierarchy;
        return html`${single ? nothing : html`<h3>${hierarchy}</h3>`}${levels.map((each) => this.field(each.key, each.name, each.path, single ? "" : "deep"))}`;
      })}
    </div>`;
  }

  private field(name: string, text: string, said: string, more = ""): TemplateResult {
    const shelf = shelfOf(this.pivot.request, name);
    return html`<button class="fl ${shelf ? "on" : ""} ${more}" draggable="true" aria-pressed=${shelf !== null} title=${said || text}
      @dragstart=${(event: DragEvent) => event.dataTransfer!.setData(KIND, name)}
      @click=${() => this.toggle(name)} @keydown=${(event: KeyboardEvent) => this.key(event, name)}>
      <span>${text}</span>${shelf ? html`<i>${TITLES[shelf].toLowerCase()}</i>` : nothing}</button>`;
  }

  private toggle(name: string): void {
    const { facts, request } = this.pivot;
    asks(this, shelfOf(request, name) ? removed(request, name) : placed(facts!, request, name, "rows"));
  }

  private key(event: KeyboardEvent, name: string): void {
    const { facts, request } = this.pivot;
    const shelf: Shelf | undefined = event.key === "r" ? "rows" : event.key === "c" ? "cols" : event.key === "v" ? "values" : undefined;
    if (event.key === "f") this.dispatchEvent(new CustomEvent("pick", { detail: name, bubbles: true }));
    else if (shelf) asks(this, placed(facts!, request, name, shelf));
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const all = [...this.querySelectorAll<HTMLElement>(".fl")];
      all[all.indexOf(event.currentTarget as HTMLElement) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private own(event: Event): void {
    event.preventDefault();
    const input = (event.target as HTMLFormElement).querySelector("input")!;
    const text = input.value.trim();
    if (text) asks(this, placed(this.pivot.facts!, this.pivot.request, text, "values"));
    input.value = "";
  }
}

export class PivotShelves extends Part {
  static override properties = { ...Part.properties, pivot: { attribute: false }, version: { attribute: false }, picking: { state: true }, chosen: { state: true } };

  declare pivot: Pivot;
  declare version: number;
  /** The level whose members are chosen from, with those there are. */
  declare picking: { level: Level; members: unknown[] } | null;
  declare chosen: Set<string>;

  constructor() {
    super();
    this.picking = null;
    this.chosen = new Set();
  }

  override render(): TemplateResult | typeof nothing {
    const facts = this.pivot.facts;
    if (!facts) return nothing;
    return html`<div class="shelves">
      ${SHELVES.map((shelf) => html`<span class="cap" id="shelf-${shelf}">${TITLES[shelf]}</span>
        <div class="sh" role="group" aria-labelledby="shelf-${shelf}" @dragover=${this.over} @drop=${(event: DragEvent) => this.drop(event, shelf)}>
          ${this.pivot.request[shelf].map((name, place) => this.token(name, shelf, place))}
          ${this.pivot.request[shelf].length ? nothing : html`<span class="hole">${shelf === "values" ? this.firstMeasure() : "Drag a level here"}</span>`}
        </div>`)}
      <span class="cap" id="shelf-where">Filter</span>
      <div class="sh" role="group" aria-labelledby="shelf-where" @dragover=${this.over} @drop=${this.dropFilter}>
        ${this.pivot.request.where.map((text, place) => html`<span class="cond"><code>${text}</code><button class="ib" aria-label="Remove ${text}" @click=${() => this.unfilter(place)}>${icon("x")}</button></span>`)}
        <form @submit=${this.condition}><input type="text" aria-label="A condition in the query language" placeholder="+ condition" size="14"></form>
      </div>
      ${this.picking ? this.picker() : nothing}
    </div>`;
  }

  private firstMeasure(): string {
    return this.pivot.table?.answer.measures[0]?.name ?? "";
  }

  private token(name: string, shelf: Shelf, place: number): TemplateResult {
    return html`<button class="tok" draggable="true" aria-label="${name}, ${TITLES[shelf]} ${place + 1}; arrows move it, Delete removes it" data-name=${name}
      @dragstart=${(event: DragEvent) => event.dataTransfer!.setData(KIND, name)}
      @dragover=${this.over} @drop=${(event: DragEvent) => this.drop(event, shelf, place)}
      @keydown=${(event: KeyboardEvent) => this.key(event, name)}>${levelTitle(this.pivot.facts!, name)}
      <span class="gone" role="presentation" @click=${() => asks(this, removed(this.pivot.request, name))}>${icon("x")}</span></button>`;
  }

  private key(event: KeyboardEvent, name: string): void {
    const { facts, request } = this.pivot;
    const ways = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" } as const;
    if (event.key in ways) asks(this, moved(facts!, request, name, ways[event.key as keyof typeof ways]));
    else if (event.key === "Delete" || event.key === "Backspace") asks(this, removed(request, name));
    else if (event.key === "f") void this.pick(name);
    else return;
    event.preventDefault();
    event.stopPropagation();
    void this.updateComplete.then(() => this.querySelector<HTMLElement>(`.tok[data-name="${CSS.escape(name)}"]`)?.focus());
  }

  private readonly over = (event: DragEvent): void => {
    if (event.dataTransfer?.types.includes(KIND)) event.preventDefault();
  };

  private drop(event: DragEvent, shelf: Shelf, before?: number): void {
    event.preventDefault();
    event.stopPropagation();
    const name = event.dataTransfer!.getData(KIND);
    if (name) asks(this, placed(this.pivot.facts!, this.pivot.request, name, shelf, before));
  }

  private readonly dropFilter = (event: DragEvent): void => {
    event.preventDefault();
    void this.pick(event.dataTransfer!.getData(KIND));
  };

  private readonly condition = (event: Event): void => {
    event.preventDefault();
    const input = (event.target as HTMLFormElement).querySelector("input")!;
    const text = input.value.trim();
    if (text) asks(this, { ...this.pivot.request, where: [...this.pivot.request.where, text] });
    input.value = "";
  };

  private unfilter(place: number): void {
    asks(this, { ...this.pivot.request, where: this.pivot.request.where.filter((_, at) => at !== place) });
  }

  // Members of a level, to choose from

  /** Show the members that a level has under the other conditions. */
  async pick(name: string): Promise<void> {
    const level = this.pivot.facts!.levels.find((each) => each.key === name);
    if (!level) return;
    const { cube, where } = this.pivot.request;
    const request = { ...this.pivot.request, rows: [name], cols: [], values: [], scenarios: [null], at: [null] };
    try {
      const answer = await this.desk.wire.post<PivotAnswer>("/explorer/x/cube", { cube, rows: [name], where });
      const table = new PivotTable(answer, request);
      const leaves = table.rows(new Set()).filter((each) => each.depth === answer.rows);
      this.picking = { level, members: [...new Map(leaves.map((each) => [JSON.stringify(each.path.at(-1)), each.path.at(-1)])).values()].slice(0, 500) };
      this.chosen = new Set();
    } catch (error) {
      this.desk.refused(error);
      return;
    }
    await this.updateComplete;
    this.querySelector("dialog")!.showModal();
  }

  private picker(): TemplateResult {
    const { level, members } = this.picking!;
    return html`<dialog class="menu members" aria-label="Members of ${level.name}" @close=${() => (this.picking = null)}>
      <form method="dialog" @submit=${this.keepMembers}><h2>${level.hierarchy === level.name ? "" : `${level.hierarchy} · `}${level.name}</h2>
        ${members.map((each) => html`<label><input type="checkbox" .checked=${this.chosen.has(JSON.stringify(each))}
          @change=${(event: Event) => this.tick(JSON.stringify(each), (event.target as HTMLInputElement).checked)}><span>${memberText(each)}</span></label>`)}
        <div class="row"><button class="btn primary">Keep only these</button><button class="btn ghost" value="no" formnovalidate>Cancel</button></div></form>
    </dialog>`;
  }

  private tick(key: string, on: boolean): void {
    const chosen = new Set(this.chosen);
    if (on) chosen.add(key);
    else chosen.delete(key);
    this.chosen = chosen;
  }

  private readonly keepMembers = (event: SubmitEvent): void => {
    const { level } = this.picking!;
    if ((event.submitter as HTMLButtonElement | null)?.value === "no" || !this.chosen.size) return;
    const text = memberCondition(level, [...this.chosen].map((each) => JSON.parse(each)));
    asks(this, { ...this.pivot.request, where: [...this.pivot.request.where, text] });
  };
}

customElements.define("cs-pivot-fields", PivotFields);
customElements.define("cs-pivot-shelves", PivotShelves);
