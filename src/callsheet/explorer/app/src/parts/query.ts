// The query bar: the text of the query itself, with the place of an error.

import { html, nothing, type TemplateResult } from "lit";
import { addressOf, type Place } from "../core/routes.ts";
import { viewOf, type ViewPlace } from "../views/views.ts";
import { icon } from "./icons.ts";
import { Part } from "./part.ts";
import type { SheetPart } from "./sheet.ts";
import "./columns.ts";

/** How long after the last key the rows follow, in milliseconds. */
const PAUSE = 40;

export class Query extends Part {
  static override properties = { ...Part.properties, place: { attribute: false } };

  declare place: Place;
  private waiting: ReturnType<typeof setTimeout> | undefined;

  override render(): TemplateResult {
    const { fault, loading } = this.desk;
    const text = "query" in this.place ? this.place.query : "";
    return html`<form class="bar" role="search" @submit=${this.send}>
      <input class="qi ${fault ? "bad" : ""}" name="q" spellcheck="false" autocomplete="off" aria-label="Query"
        aria-invalid=${fault ? "true" : "false"} aria-describedby="fault" .value=${text} @input=${this.typed}>
      <span class="busy ${loading ? "on" : ""}" aria-hidden="true"></span>
      ${this.place.is === "sheet" ? this.tools() : nothing}
    </form>
    <div id="fault">${this.fault(text)}</div>`;
  }

  private tools(): TemplateResult {
    return html`<cs-columns .desk=${this.desk} .place=${this.place}></cs-columns>
      <button type="button" class="btn ghost" title="New (N)" @click=${() => this.sheet?.add()}>${icon("plus")}<span>New</span></button>
      <button type="button" class="btn ghost" title="Delete the selected rows (Ctrl Delete)" @click=${() => this.sheet?.drop()}>${icon("bin")}<span>Delete</span></button>
`;
  }

  private fault(text: string): TemplateResult | typeof nothing {
    const { fault } = this.desk;
    if (!fault) return nothing;
    return html`<p class="strip bad" role="alert">
      ${fault.position === null ? nothing : html`<code class="caret">${before(text, fault.position)}<mark>${after(text, fault.position)}</mark></code>`}
      <span>${fault.error}</span></p>`;
  }

  private get sheet(): SheetPart | null {
    return document.querySelector("cs-sheet");
  }

  private typed(): void {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.show(false), PAUSE);
  }

  private send(event: Event): void {
    event.preventDefault();
    clearTimeout(this.waiting);
    this.show(true);
  }

  /** Show the query as it is typed: `kept` makes an entry of its own in the history of the browser. */
  private show(kept: boolean): void {
    const query = this.querySelector<HTMLInputElement>("input")!.value;
    if (!("query" in this.place)) return;
    const next = { ...this.place, query } as Place & { query: string };
    if ("sort" in next && query.split(" ")[0] !== this.place.query.split(" ")[0]) next.sort = "";
    if (kept) return this.go(addressOf(next));
    history.replaceState(null, "", new URL(addressOf(next), document.baseURI).href);
    this.place = next;
    if (next.is === "sheet") void this.desk.open(next);
    else if (next.is === "board") void this.desk.openBoard(next);
    else void this.desk.openView(viewOf(next as ViewPlace));
  }
}

const before = (text: string, position: number): string => text.slice(Math.max(0, position - 24), position);
const after = (text: string, position: number): string => text.slice(position, position + 24) || "␣";

customElements.define("cs-query", Query);
