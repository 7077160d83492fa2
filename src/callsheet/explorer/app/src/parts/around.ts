// Beside an entity's values: its newest version in a player, notes with replies, and what refers to it.

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { mentions, parts, threads, waiting, written, type Note } from "../core/notes.ts";
import type { Identity } from "../core/records.ts";
import { addressOf } from "../core/routes.ts";
import type { Update } from "../core/live.ts";
import { around, shownAs, type Around, type MediaFile, type Version } from "../views/around.ts";
import { Part } from "./part.ts";

const TYPES = new Set(["Note", "Recipient", "AssetVersion", "FileComponent", "SequenceComponent"]);
const FPS = 24;

export class AroundPart extends Part {
  static override properties = { ...Part.properties, entity: { attribute: false }, name: { attribute: false }, fps: { attribute: false }, show: {}, found: { state: true }, reply: { state: true }, chosen: { state: true }, compared: { state: true } };

  declare entity: Identity;
  declare name: string;
  declare fps: number;
  /** Which half: `media` and notes, or `relations`. */
  declare show: "media" | "relations";
  declare found: Around | null;
  declare reply: string | null;
  declare chosen: number;
  declare compared: boolean;
  private asked = "";
  private again: ReturnType<typeof setTimeout> | undefined;
  private readonly heard = (event: Event): void => this.hear((event as CustomEvent<Update>).detail);

  constructor() {
    super();
    this.found = this.reply = null;
    this.chosen = 0;
    this.compared = false;
    this.fps = FPS;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.desk.addEventListener("update", this.heard);
  }

  override disconnectedCallback(): void {
    clearTimeout(this.again);
    this.desk.removeEventListener("update", this.heard);
    super.disconnectedCallback();
  }

  override willUpdate(_: PropertyValues): void {
    const wanted = this.entity.join("/");
    if (wanted === this.asked) return;
    this.asked = wanted;
    this.found = this.reply = null;
    this.chosen = 0;
    void this.read();
  }

  private hear(update: Update): void {
    if (!TYPES.has(update.type)) return;
    clearTimeout(this.again);
    this.again = setTimeout(() => void this.read(), 100);
  }

  private async read(): Promise<void> {
    const asked = this.asked;
    try {
      const found = await around(this.desk.wire, this.entity);
      if (asked === this.asked) this.found = found;
    } catch (error) {
      this.desk.fail(error);
    }
  }

  override render(): TemplateResult | typeof nothing {
    if (!this.found) return nothing;
    return this.show === "media" ? html`${this.player()}${this.notes(this.found.notes)}` : this.relations(this.found);
  }

  // Files

  private player(): TemplateResult | typeof nothing {
    const { versions } = this.found!;
    const version = versions[this.chosen];
    if (!version) return nothing;
    const other = this.compared ? versions[this.chosen + 1] : undefined;
    return html`<section class="player" aria-label="Files" tabindex="0" @keydown=${this.step}>
      <div class="screens ${other ? "two" : ""}">${this.screen(version)}${other ? this.screen(other) : nothing}</div>
      <div class="row"><span class="sub">${version.label}${version.status ? `, ${version.status}` : ""}${version.comment ? `: ${version.comment}` : ""}</span><span class="grow"></span>
        <span class="frame sub" aria-live="off"></span>
        ${versions.length > 1 ? html`<button class="btn ghost" aria-pressed=${this.compared} @click=${() => (this.compared = !this.compared)}>Compare</button>` : nothing}</div>
      ${versions.length > 1 ? html`<ul class="strip-of">${versions.map((each, place) => this.thumb(each, place))}</ul>` : nothing}
    </section>`;
  }

  private screen(version: Version): TemplateResult {
    const file = version.files.find((each) => shownAs(each) === "movie") ?? version.files.find((each) => shownAs(each) !== "download");
    const rest = version.files.filter((each) => each !== file);
    return html`<figure>${file ? this.shown(file) : html`<p class="fine">No picture and no movie</p>`}
      ${rest.map((each) => html`<a class="lnk" href="x/media/${encodeURIComponent(each.key)}?download=1" download=${each.name}>${each.name}</a>`)}
      ${this.compared ? html`<figcaption class="sub">${version.label}</figcaption>` : nothing}</figure>`;
  }

  private shown(file: MediaFile): TemplateResult {
    const address = `x/media/${encodeURIComponent(file.key)}`;
    if (shownAs(file) === "picture") return html`<img src=${address} alt=${file.name}>`;
    if (shownAs(file) === "sound") return html`<audio controls src=${address} aria-label=${file.name}></audio>`;
    return html`<video controls preload="metadata" src=${address} aria-label=${file.name} @timeupdate=${this.tick} @seeked=${this.tick}></video>`;
  }

  private thumb(version: Version, place: number): TemplateResult {
    const picture = version.thumbnail ?? version.files.find((each) => shownAs(each) === "picture")?.key;
    return html`<li><button aria-pressed=${place === this.chosen} @click=${() => (this.chosen = place)}>
      ${picture ? html`<img loading="lazy" alt="" src="x/thumb/${encodeURIComponent(picture)}/184">` : html`<span class="blank"></span>`}
      <b>${version.label || "version"}</b><span class="sub">${version.status}</span></button></li>`;
  }

  private tick(event: Event): void {
    const video = event.target as HTMLVideoElement;
    const frame = this.querySelector(".frame");
    if (frame) frame.textContent = `frame ${Math.round(video.currentTime * (this.fps || FPS)) + 1}`;
  }

  /** Step frames by the arrows; Space plays. */
  private step(event: KeyboardEvent): void {
    if ((event.target as HTMLElement).tagName === "BUTTON" && event.key === " ") return;
    const videos = [...this.querySelectorAll("video")];
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!videos.length || (by === undefined && event.key !== " ")) return;
    event.preventDefault();
    for (const video of videos) {
      if (by !== undefined) {
        video.pause();
        video.currentTime = Math.max(0, video.currentTime + by / (this.fps || FPS));
      } else if (video.paused) void video.play();
      else video.pause();
    }
  }

  // Notes

  private notes(notes: Note[] | null): TemplateResult | typeof nothing {
    if (!notes) return nothing;
    const user = this.desk.about?.account ?? "";
    const all = [...waiting(this.desk.unit, this.entity, this.by, user), ...notes];
    return html`<section class="notes" aria-label="Notes"><h2>Notes <span class="n">${all.length || ""}</span></h2>
      ${this.writer(null)}
      <ol>${threads(all).map(({ note, replies }) => html`<li class=${note.pending ? "pend" : ""}>${this.note(note)}
        ${replies.length ? html`<ol>${replies.map((each) => html`<li class=${each.pending ? "pend" : ""}>${this.note(each)}</li>`)}</ol>` : nothing}
        ${this.reply === note.key ? this.writer(note.key) : note.pending ? nothing : html`<button class="lnk" @click=${() => (this.reply = note.key)}>Reply</button>`}</li>`)}</ol></section>`;
  }

  /** The attribute of a note that says what it is on. */
  private get by(): string {
    return this.entity[0] === "AssetVersion" ? "version" : "parent";
  }

  private note(note: Note): TemplateResult {
    const time = note.date ? new Date(note.date) : null;
    return html`<div class="by"><b>${note.author}</b>${time ? html`<time datetime=${time.toISOString()}>${time.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}</time>` : html`<span>not sent yet</span>`}${note.frame === null ? nothing : html`<code>${note.frame}</code>`}</div>
      <p>${parts(note.content).map((each) => (each.mention ? html`<span class="mention">${each.text}</span>` : each.text))}</p>`;
  }

  private writer(reply: string | null): TemplateResult {
    return html`<form @submit=${(event: Event) => this.write(event, reply)}>
      <textarea rows="2" aria-label=${reply ? "Reply" : "New note"} placeholder=${reply ? "Reply" : "Write a note; @name mentions somebody"}></textarea>
      <button class="btn">${reply ? "Reply" : "Add note"}</button></form>`;
  }

  /** Record a note: it waits on the call sheet. */
  private async write(event: Event, reply: string | null): Promise<void> {
    event.preventDefault();
    const field = (event.target as HTMLFormElement).querySelector("textarea")!;
    const content = field.value.trim();
    if (!content) return;
    const people = [];
    for (const name of mentions(content)) {
      const found = await this.desk.sheet?.entities("User", name);
      const exact = found?.find((each) => each.label === name) ?? found?.find((each) => each.label === name.split(" ")[0]);
      if (exact) people.push(exact);
    }
    const { edits, created } = written({ entity: this.entity, by: this.by, name: this.name }, content, reply, people);
    await this.desk.unit.recordAll(edits, created, []);
    field.value = "";
    this.reply = null;
  }

  // Relations

  private relations({ relations }: Around): TemplateResult | typeof nothing {
    if (!relations.length) return nothing;
    return html`<section class="relations" aria-label="Relations"><h2>Relations</h2><dl>${relations.map(
      ({ name, type, by, count, rows }) => html`<dt>${name.replaceAll("_", " ")} <span class="n">${count.toLocaleString("en")}</span></dt>
        <dd><ul>${rows.map((each) => html`<li>${this.link(addressOf({ is: "entity", type: each.type, key: each.key }), each.label)}</li>`)}
        ${count > rows.length ? html`<li>${this.link(addressOf({ is: "sheet", query: `${type} where ${by}.id is "${this.entity[1]}"`, columns: [], sort: "" }), `all ${count.toLocaleString("en")}`)}</li>` : nothing}</ul></dd>`,
    )}</dl></section>`;
  }

  private link(address: string, text: string): TemplateResult {
    return html`<a class="lnk" href=${address} @click=${(event: MouseEvent) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.go(address);
    }}>${text}</a>`;
  }
}

customElements.define("cs-around", AroundPart);
