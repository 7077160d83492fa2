// The whole page: which place the address names, and the frame around it.

import { html, nothing, type TemplateResult } from "lit";
import { Desk } from "../core/desk.ts";
import { changesOn, keepView, keptAddress, kindOf, LONGEST, readView, withChanges, type KeptView } from "../core/kept.ts";
import { addressOf, placeOf, type Place } from "../core/routes.ts";
import { Part } from "./part.ts";
import { icon } from "./icons.ts";
import { viewName, viewOf, viewsOf } from "../views/views.ts";
import "./sign-in.ts";
import "./nav.ts";
import "./sheet.ts";
import "./query.ts";
import "./call-sheet.ts";
import "./board.ts";
import "./entity.ts";
import "./pivot.ts";
import "./grid.ts";
import "./timeline.ts";
import "./dashboard.ts";
import "./keep.ts";
import type { Keep } from "./keep.ts";
import { type Palette } from "./palette.ts";
import "./palette.ts";
import type { SheetPart } from "./sheet.ts";

const base = new URL(document.baseURI);
/** The address of the server or workspace: what stands before the page's own folder. */
const prefix = base.pathname.replace(/\/explorer\/$/, "");

export class App extends Part {
  static override properties = { ...Part.properties, place: { state: true }, panel: { state: true } };

  declare place: Place;
  declare panel: boolean;
  /** The kept view that is shown, if the address is one's. */
  private kept: KeptView | null = null;

  constructor() {
    super();
    this.desk = new Desk(prefix);
    this.place = { is: "home" };
    this.panel = false;
    this.addEventListener("go", (event) => this.visit((event as CustomEvent<string>).detail, true));
    window.addEventListener("popstate", () => this.follow());
    document.addEventListener("keydown", (event) => this.key(event));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const code = new URLSearchParams(location.hash.slice(1)).get("code") ?? "";
    // The code is good once; it does not stay in the address, nor in the history.
    if (code) history.replaceState(null, "", location.pathname + location.search);
    this.desk.addEventListener("change", () => this.arrive());
    void this.desk.start(code);
  }

  private arrived = false;

  private arrive(): void {
    if (this.desk.state !== "ready") {
      this.arrived = false;
      return;
    }
    if (this.arrived) return;
    this.arrived = true;
    this.follow();
  }

  /** Show what the address names. */
  private follow(): void {
    const here = location.pathname.slice(base.pathname.length);
    const place = placeOf(here, location.search);
    if (place.is === "kept") return void this.openKept(place.key, place.changes);
    this.kept = null;
    this.place = place;
    this.openPlace();
  }

  /** The view of a key, with what the address changes of it. */
  private async openKept(key: string, changes: string): Promise<void> {
    try {
      const view = this.kept?.key === key ? this.kept : await readView(this.desk.wire, key);
      this.kept = view;
      if (view.kind === "dashboard") this.place = { is: "dashboard", view };
      else {
        const [path = "", query = ""] = withChanges(view.place, changes).split("?", 2) as [string, string?];
        this.place = placeOf(path, query ? `?${query}` : "");
      }
      this.openPlace();
    } catch (error) {
      this.desk.refused(error);
      this.visit("", false);
    }
  }

  private openPlace(): void {
    if (this.place.is === "home") {
      this.visit(addressOf(this.desk.home()), false);
      return;
    }
    if (this.place.is === "pivot" || this.place.is === "dashboard") this.desk.leaveSheet();
    else if (this.place.is === "sheet") void this.desk.open(this.place);
    else if (this.place.is === "board") void this.desk.openBoard(this.place);
    else if (this.place.is === "grid" || this.place.is === "timeline") void this.desk.openView(viewOf(this.place));
    else if (this.place.is === "entity") void this.desk.openEntity(this.place.type, this.place.key);
  }

  private visit(address: string, kept: boolean): void {
    if (address.length > LONGEST && !address.startsWith("k/")) return void this.visitLong(address, kept);
    const changes = this.kept && this.kept.kind !== "dashboard" && !address.startsWith("k/") ? changesOn(this.kept.place, address) : null;
    if (changes !== null) address = keptAddress(this.kept!.key, changes);
    const url = new URL(address, base).href;
    if (kept) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
    this.follow();
  }

  /** An address that is too long is kept as a view without a name. */
  private async visitLong(address: string, kept: boolean): Promise<void> {
    try {
      const { key } = await keepView(this.desk.wire, { kind: kindOf(address), place: address, name: "" });
      this.visit(keptAddress(key, ""), kept);
    } catch (error) {
      this.desk.refused(error);
    }
  }

  private key(event: KeyboardEvent): void {
    if (this.desk.state !== "ready") return;
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test((event.target as HTMLElement).tagName);
    if ((event.ctrlKey || event.metaKey) && event.key === "k") {
      event.preventDefault();
      this.querySelector<Palette>("cs-palette")!.show();
    } else if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      event.preventDefault();
      void this.desk.commit();
    } else if (typing || event.ctrlKey || event.metaKey || event.altKey) {
      if (!typing && (event.ctrlKey || event.metaKey) && event.key === "z") {
        event.preventDefault();
        void this.desk.unit.undo();
      }
    } else if (event.key === "c") this.panel = !this.panel;
    else if (event.key === "/") {
      event.preventDefault();
      this.querySelector<HTMLElement>("cs-query textarea, cs-query input")?.focus();
    }
  }

  override render(): TemplateResult {
    const { desk } = this;
    if (desk.state === "starting") return html`<main class="quiet" aria-busy="true"></main>`;
    if (desk.state === "failed")
      return html`<main class="quiet"><div class="failed" role="alert"><h1>The page cannot be shown</h1><p>${desk.reason}</p>
        <button class="btn" @click=${() => location.reload()}>Try again</button></div></main>`;
    if (desk.state === "signed out") return html`<cs-sign-in .desk=${desk}></cs-sign-in>`;
    return html`<a class="skip" href="#stage" @click=${this.skip}>To the rows</a>
      <div class="app">
        <cs-nav .desk=${desk} .place=${this.place}></cs-nav>
        <main class="main">
          ${this.top()}
          ${this.place.is === "entity" || this.place.is === "pivot" || this.place.is === "dashboard" ? nothing : html`<cs-query .desk=${desk} .place=${this.place}></cs-query>`}
          <div class="body">
            ${this.stage()}
            ${this.panel ? html`<cs-call-sheet .desk=${desk} @close=${() => (this.panel = false)}></cs-call-sheet>` : nothing}
          </div>
          ${this.status()}
        </main>
      </div>
      <cs-keep .desk=${desk} .view=${this.kept} .address=${this.keptPlace()}></cs-keep>
      <cs-palette .desk=${desk} .actions=${this.actions()}></cs-palette>
      ${this.toast()}`;
  }

  /** The part that shows the place. */
  private stage(): TemplateResult {
    const { desk, place } = this;
    if (place.is === "entity") return html`<cs-entity id="stage" .desk=${desk} .place=${place} tabindex="-1"></cs-entity>`;
    if (place.is === "board") return html`<cs-board id="stage" .desk=${desk} .place=${place} tabindex="-1"></cs-board>`;
    if (place.is === "pivot") return html`<cs-pivot id="stage" .desk=${desk} .place=${place} tabindex="-1"></cs-pivot>`;
    if (place.is === "dashboard") return html`<cs-dashboard id="stage" .desk=${desk} .view=${place.view} tabindex="-1"></cs-dashboard>`;
    if (place.is === "timeline") return html`<cs-timeline id="stage" .desk=${desk} .place=${place} tabindex="-1"></cs-timeline>`;
    if (place.is === "grid") return html`<cs-grid id="stage" .desk=${desk} .place=${place} tabindex="-1"></cs-grid>`;
    return html`<cs-sheet id="stage" .desk=${desk} .place=${place} tabindex="-1"></cs-sheet>`;
  }

  /** What the palette can do. */
  private actions(): Palette["actions"] {
    const sheet = (): SheetPart | null => this.querySelector("cs-sheet");
    const { unit } = this.desk;
    return [
      { text: "Call sheet", hint: "C", run: () => (this.panel = !this.panel) },
      { text: "Commit the call sheet", hint: "Ctrl Enter", run: () => void this.desk.commit() },
      { text: "Take back the last edit", hint: "Ctrl Z", run: () => void unit.undo() },
      { text: "New row", hint: "N", run: () => void sheet()?.add() },
      { text: "Delete the selected rows", hint: "Ctrl Delete", run: () => void sheet()?.drop() },
      { text: "Light or dark", hint: "", run: () => this.dispatchEvent(new Event("dress")) },
      { text: "Sign out", hint: "", run: () => void this.desk.signOut(false) },
      { text: "Sign out everywhere", hint: "all browsers and sessions", run: () => void this.desk.signOut(true) },
    ];
  }

  private skip(event: Event): void {
    event.preventDefault();
    this.querySelector<HTMLElement>("#stage")?.focus();
  }

  /** What the part in sight says of itself, if it asks by itself. */
  private get caption(): Desk["caption"] {
    return this.place.is === "pivot" || this.place.is === "dashboard" ? this.desk.caption : null;
  }

  /** What would be kept of the place in sight. */
  private keptPlace(): string {
    return this.place.is === "dashboard" ? this.place.view.place : addressOf(this.place);
  }

  private top(): TemplateResult {
    const { desk } = this;
    const many = desk.unit.size;
    const where = desk.about?.workspace && desk.about.workspace !== "default" ? desk.about.workspace : desk.about?.server.description;
    return html`<header class="top">
      <div class="crumb"><span>${where}</span><span class="sl">/</span><h1>${this.caption?.title ?? (desk.view ?? desk.sheet)?.type.name ?? ""}</h1>${this.entityName()}</div>
      ${this.views()}
      <span class="grow"></span>
      <button class="btn keepb" @click=${() => this.querySelector<Keep>("cs-keep")!.show()}>${this.kept?.own ? "Kept view" : "Keep view"}</button>
      <button class="pill" aria-pressed=${this.panel} title="Call sheet (C)" @click=${() => (this.panel = !this.panel)}>
        <span class="pip ${many ? "" : "zero"}"></span><span class="lbl">Call sheet</span><b>${many}</b>
      </button>
    </header>`;
  }

  /** The views of one query. */
  private views(): TemplateResult | typeof nothing {
    const { place } = this;
    const type = (this.desk.view ?? this.desk.sheet)?.type.name;
    if (!("query" in place) || !type) return nothing;
    const here = viewName(place);
    return html`<nav class="tabs" aria-label="Views of this query">${viewsOf(this.desk.schema!, this.desk.about!.work ?? [], type, place.query).map(
      ([name, to]) => html`<a href=${addressOf(to)} aria-current=${name === here ? "page" : nothing}
        @click=${(event: MouseEvent) => this.open_(event, addressOf(to))}>${name}</a>`,
    )}</nav>`;
  }

  private open_(event: MouseEvent, address: string): void {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.visit(address, true);
  }

  private entityName(): TemplateResult | typeof nothing {
    const row = this.desk.sheet?.windows.first;
    if (this.place.is !== "entity" || !row) return nothing;
    return html`<span class="sl">/</span><b>${this.desk.sheet!.name(row)}</b>`;
  }

  private status(): TemplateResult {
    const { desk } = this;
    const shown = desk.view ?? desk.sheet?.windows;
    const rows = shown?.count ?? 0;
    const more = shown && !shown.counted ? "+" : "";
    const took = (desk.view ?? desk.sheet)?.milliseconds;
    const position = desk.live?.position;
    return html`<footer class="stat">
      ${this.caption ? html`<span>${this.caption.status}</span>` : html`<span><b>${rows.toLocaleString("en")}${more}</b> ${rows === 1 ? "row" : "rows"}</span>`}
      ${took === undefined ? nothing : html`<span>${took} ms</span>`}
      <span class="hint"><kbd>C</kbd>call sheet ${this.caption ? html`<kbd>?</kbd>why <kbd>Enter</kbd>drill` : html`<kbd>/</kbd>filter <kbd>Enter</kbd>edit <kbd>Ctrl Z</kbd>take back`}</span>
      <span class="grow"></span>
      ${
        desk.live?.connected
          ? html`<span class="live"><i></i>Live${position === null || position === undefined ? "" : ` · ${position.toLocaleString("en")}`}</span>`
          : html`<span class="live off" role="status">${icon("off")}Offline: what you see may be old</span>`
      }
    </footer>`;
  }

  private toast(): TemplateResult | typeof nothing {
    const { notice } = this.desk;
    if (!notice) return nothing;
    return html`<div class="toast ${notice.bad ? "bad" : ""}" role=${notice.bad ? "alert" : "status"}>
      <span>${notice.text}</span>
      ${notice.action ? html`<button class="lnk" @click=${notice.action.run}>${notice.action.label}</button>` : nothing}
      <button class="ib" aria-label="Close" @click=${() => this.desk.quiet()}>${icon("x")}</button>
    </div>`;
  }
}

customElements.define("cs-app", App);
