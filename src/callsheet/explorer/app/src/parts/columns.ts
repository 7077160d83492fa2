// Which columns a sheet has: those of its type to tick, and any path to type.

import { html, type TemplateResult } from "lit";
import { allColumns, columnAt, pathText } from "../core/columns.ts";
import { addressOf, type Place } from "../core/routes.ts";
import { icon } from "./icons.ts";
import { Part } from "./part.ts";

export class Columns extends Part {
  static override properties = { ...Part.properties, place: { attribute: false } };

  declare place: Place;

  override render(): TemplateResult {
    const { sheet, schema } = this.desk;
    const shown = this.names();
    const known = sheet ? allColumns(schema!, sheet.type).map((each) => String(each.path[0])) : [];
    const every = [...shown, ...known.filter((name) => !shown.includes(name))];
    return html`<button type="button" class="btn ghost" popovertarget="columns" title="Columns">${icon("cols")}<span>Columns</span></button>
      <div id="columns" class="menu" popover role="group" aria-label="Columns">
        <input type="text" placeholder="parent.name" aria-label="Add a path" @keydown=${this.typed}>
        ${every.map((name) => html`<label><input type="checkbox" .checked=${shown.includes(name)} @change=${(event: Event) => this.tick(name, event)}>${name}</label>`)}
      </div>`;
  }

  /** The paths of the columns in sight; a reference by its own name. */
  private names(): string[] {
    return (this.desk.sheet?.columns ?? []).map((each) => pathText(each.reference ?? each.path));
  }

  private tick(name: string, event: Event): void {
    const on = (event.target as HTMLInputElement).checked;
    const names = this.names().filter((each) => each !== name);
    this.show(on ? [...names, name] : names);
  }

  private typed(event: KeyboardEvent): void {
    if (event.key !== "Enter") return;
    event.preventDefault();
    const field = event.target as HTMLInputElement;
    const path = field.value.trim();
    const { sheet, schema } = this.desk;
    if (!sheet || !path) return;
    if (!columnAt(schema!, sheet.type, path.split("."))) {
      this.desk.say(`There is no value at ${sheet.type.name}.${path}.`, true);
      return;
    }
    field.value = "";
    this.show([...this.names(), path]);
  }

  private show(columns: string[]): void {
    if (this.place.is === "sheet" && columns.length) this.go(addressOf({ ...this.place, columns }));
  }
}

customElements.define("cs-columns", Columns);
