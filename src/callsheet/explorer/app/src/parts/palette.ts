// The palette: entities by name, views and actions, by a few letters.

import { html, nothing, type TemplateResult } from "lit";
import { addressOf } from "../core/routes.ts";
import type { Found } from "../core/desk.ts";
import { Part } from "./part.ts";

interface Item {
  group: string;
  text: string;
  hint: string;
  run: () => void;
}

const PAUSE = 100;

export class Palette extends Part {
  static override properties = { ...Part.properties, typed: { state: true }, found: { state: true }, at: { state: true } };

  declare typed: string;
  declare found: Found[];
  declare at: number;
  /** What the page can do, by name; the page says it. */
  actions: { text: string; hint: string; run: () => void }[] = [];
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private turn = 0;

  constructor() {
    super();
    this.typed = "";
    this.found = [];
    this.at = 0;
  }

  show(): void {
    this.typed = "";
    this.found = [];
    this.at = 0;
    void this.updateComplete.then(() => {
      this.querySelector("dialog")!.showModal();
      this.querySelector("input")!.focus();
    });
  }

  private items(): Item[] {
    const word = this.typed.trim().toLowerCase();
    const fits = (text: string): boolean => text.toLowerCase().includes(word);
    const entities = this.found.map((each) => ({
      group: "Entities",
      text: each.label,
      hint: [each.within, each.type].filter(Boolean).join(" · "),
      run: () => this.go(addressOf({ is: "entity", type: each.type, key: each.key })),
    }));
    const actions = this.actions.filter((each) => fits(each.text)).map((each) => ({ group: "Actions", ...each }));
    const types = [...(this.desk.schema?.types.values() ?? [])].filter((each) => !each.abstract && word && fits(each.name));
    const views = types.slice(0, 6).map((each) => ({
      group: "Views",
      text: each.name,
      hint: "sheet",
      run: () => this.go(addressOf({ is: "sheet", query: each.name, columns: [], sort: "" })),
    }));
    return [...entities, ...views, ...actions];
  }

  override render(): TemplateResult {
    const items = this.items();
    const at = Math.min(this.at, items.length - 1);
    return html`<dialog class="palette" aria-label="Find or do" @click=${this.outside}>
      <input type="text" role="combobox" aria-expanded="true" aria-controls="found" aria-activedescendant=${at >= 0 ? `item-${at}` : nothing}
        placeholder="Find an entity, a view, an action" .value=${this.typed} @input=${this.input} @keydown=${(event: KeyboardEvent) => this.key(event, items, at)}>
      <ul id="found" role="listbox" aria-label="Found">${items.map((each, place) => html`
        ${each.group === items[place - 1]?.group ? nothing : html`<li class="group" role="presentation">${each.group}</li>`}
        <li id="item-${place}" role="option" aria-selected=${place === at} @mousedown=${(event: Event) => this.choose(event, each)}><span>${each.text}</span><span class="sub">${each.hint}</span></li>`)}
      </ul>
      ${items.length ? nothing : html`<p class="nothing-found">Nothing is called so.</p>`}
    </dialog>`;
  }

  private input(event: Event): void {
    this.typed = (event.target as HTMLInputElement).value;
    this.at = 0;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => void this.look(), PAUSE);
  }

  private async look(): Promise<void> {
    const turn = ++this.turn;
    const found = await this.desk.search(this.typed);
    if (turn === this.turn) this.found = found;
  }

  private key(event: KeyboardEvent, items: Item[], at: number): void {
    event.stopPropagation();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (items.length) this.at = (at + (event.key === "ArrowDown" ? 1 : items.length - 1)) % items.length;
    } else if (event.key === "Enter") {
      event.preventDefault();
      const item = items[at];
      if (item) this.choose(event, item);
    }
  }

  private choose(event: Event, item: Item): void {
    event.preventDefault();
    this.querySelector("dialog")!.close();
    item.run();
  }

  private outside(event: MouseEvent): void {
    if ((event.target as HTMLElement).tagName === "DIALOG") this.querySelector("dialog")!.close();
  }
}

customElements.define("cs-palette", Palette);
