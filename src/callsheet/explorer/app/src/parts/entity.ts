// One entity: each of its values, which can be edited in place, and its history.

import { html, nothing, type TemplateResult } from "lit";
import type { Column } from "../core/columns.ts";
import type { Commit } from "../core/desk.ts";
import type { Row } from "../core/records.ts";
import { addressOf, type Place } from "../core/routes.ts";
import type { Sheet } from "../core/sheet.ts";
import { shown } from "../core/values.ts";
import { unpack } from "../core/wire.ts";
import { Editor } from "./editor.ts";
import { icon } from "./icons.ts";
import { Part } from "./part.ts";
import "./around.ts";

export class EntityPart extends Part {
  static override properties = { ...Part.properties, place: { attribute: false } };

  declare place: Place;
  private editor: Editor | null = null;

  override render(): TemplateResult {
    const { sheet } = this.desk;
    const row = sheet?.windows.first;
    if (!sheet || !row || this.place.is !== "entity" || row.key !== this.place.key)
      return html`<p class="nothing" role="status">${this.desk.loading ? "" : "There is no such entity, or you may not see it."}</p>`;
    return html`<div class="stage">
      <section class="values" aria-label="Values"><h2>${sheet.name(row)}</h2>
        <cs-around show="media" .desk=${this.desk} .entity=${[row.type, row.key]} .name=${sheet.name(row)} .fps=${fpsOf(sheet, row)}></cs-around>
        <dl>${sheet.columns.map((column, x) => this.value(sheet, row, column, x))}</dl></section>
      <section class="events" aria-label="History"><h2>History</h2>
        <ol>${this.desk.history.map((each) => this.commit(each))}</ol>
        <cs-around show="relations" .desk=${this.desk} .entity=${[row.type, row.key]} .name=${sheet.name(row)}></cs-around></section>
    </div>`;
  }

  private value(sheet: Sheet, row: Row, column: Column, x: number): TemplateResult {
    const own = column.own?.name;
    const edit = own ? this.desk.unit.of([row.type, row.key], own) : undefined;
    const conflict = own ? this.desk.unit.conflictOf([row.type, row.key], own) : undefined;
    const text = edit ? edit.shown.value : shown(column.attribute, sheet.value(row, x));
    const reference = sheet.reference(row, x) as [string, string] | null | undefined;
    const said = text || html`<span class="none">empty</span>`;
    return html`<dt>${column.title}</dt><dd class=${conflict ? "conf" : edit ? "pend" : ""}>
      ${
        column.own
          ? html`<button class="value" aria-label="${text || "empty"}: edit ${column.title}" @click=${(event: Event) => this.edit(event, sheet, row, column, x, text)}>${said}</button>`
          : html`<span>${said}</span>`
      }
      ${reference && !edit ? html`<a class="ib" href=${addressOf({ is: "entity", type: reference[0], key: reference[1] })}
        aria-label="Show ${text}" @click=${(event: MouseEvent) => this.follow(event, reference)}>${icon("table")}</a>` : nothing}</dd>`;
  }

  private follow(event: MouseEvent, [type, key]: [string, string]): void {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.go(addressOf({ is: "entity", type, key }));
  }

  private edit(event: Event, sheet: Sheet, row: Row, column: Column, x: number, text: string): void {
    const button = event.currentTarget as HTMLElement;
    this.editor?.close();
    const choices = column.own!.kind === "reference" ? (part: string) => sheet.choices(x, part) : null;
    this.editor = new Editor(this.querySelector(".stage")!, button.closest("dd")!, column.own!, text, choices);
    this.editor.sent = () => void this.desk.commit();
    this.editor.done = async (given, choice) => {
      await this.desk.unit.record([choices ? sheet.choose(row, x, choice) : sheet.edit(row, x, given)]);
    };
    this.editor.left = () => {
      this.editor = null;
      button.focus();
    };
  }

  private commit(commit: Commit): TemplateResult {
    const time = new Date(String(unpack(commit.time)));
    const [change] = commit.changes;
    const names = Object.keys({ ...change?.before, ...change?.after }).filter((name) => !OF_THE_SERVER.has(name));
    return html`<li><div class="by"><b>${commit.user || "the server"}</b><time datetime=${time.toISOString()}>${time.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}</time>
        <span class="grow"></span>
        <button class="lnk" title="Put what takes the whole commit back on the call sheet" @click=${() => void this.desk.takeBack(commit.commit_id)}>Undo</button>
        <code>${commit.position}</code></div>
      ${
        change?.kind === "update"
          ? names.map((name) => html`<div class="change"><code>${name}</code><s>${plain(change.before?.[name])}</s><span aria-hidden="true">›</span><span>${plain(change.after?.[name])}</span></div>`)
          : html`<div>${change?.kind === "create" ? "Created" : "Deleted"}</div>`
      }</li>`;
  }
}

/** The frames of a second, where an entity has them. */
function fpsOf(sheet: Sheet, row: Row): number {
  const x = sheet.columns.findIndex((each) => each.own?.name === "fps");
  return x < 0 ? 24 : Number(sheet.value(row, x)) || 24;
}

/** What the server writes by itself at each change. */
const OF_THE_SERVER = new Set(["updated_at", "updated_by"]);

function plain(value: unknown): string {
  const found = unpack(value);
  if (found === null || found === undefined || found === "") return "empty";
  const text = Array.isArray(found) ? String(found[0]) : String(found);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

customElements.define("cs-entity", EntityPart);
