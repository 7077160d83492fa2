// Why a number changed: the commits that moved it, by how much, each leading to what it changed.

import { html, nothing, type TemplateResult } from "lit";
import type { Cause, Why } from "../core/pivot.ts";
import { formatted, signed } from "../core/number-format.ts";
import { addressOf } from "../core/routes.ts";
import { icon } from "./icons.ts";
import { Part } from "./part.ts";

const SEEN = 8;

export class WhyPart extends Part {
  static override properties = { ...Part.properties, about: { attribute: false }, format: { attribute: false }, found: { attribute: false }, fault: { attribute: false } };

  /** The cell in words. */
  declare about: string;
  declare format: string;
  declare found: Why | null;
  declare fault: string;

  override render(): TemplateResult {
    return html`<section class="pop why" role="dialog" aria-label="Why did this change?" tabindex="-1" @keydown=${(event: KeyboardEvent) => event.key === "Escape" && this.shut()}>
      <header><h2>Why did this change?</h2><button class="ib" aria-label="Close" @click=${this.shut}>${icon("x")}</button><p class="sub">${this.about}</p></header>
      ${this.fault ? html`<p class="wrong" role="alert">${this.fault}</p>` : this.found ? this.shown(this.found) : html`<p class="sub" aria-busy="true">Looking through the commits…</p>`}
    </section>`;
  }

  private shown(found: Why): TemplateResult {
    const { difference, causes } = found;
    const many = causes.length;
    const most = Math.max(...causes.map((each) => Math.abs(each.effect ?? 0)), 1e-9);
    return html`<p class="big">${formatted(found.before, this.format) || "–"} → ${formatted(found.after, this.format) || "–"}
        ${difference === null ? nothing : html`<span class=${difference > 0 ? "more" : difference < 0 ? "less" : ""}>${signed(difference, this.format)}</span>`}
        <span class="sub">in ${many.toLocaleString("en")} ${many === 1 ? "commit" : "commits"}, ${found.since.toLocaleString("en")} to ${found.until.toLocaleString("en")}</span></p>
      ${many ? nothing : html`<p class="sub">No commit between these two moments changed it.</p>`}
      <ul>${causes.slice(0, SEEN).map((each) => this.cause(each, most))}</ul>
      ${many > SEEN ? html`<p class="sub">and ${many - SEEN} smaller ones</p>` : nothing}
      <footer><button class="btn" @click=${() => this.dispatchEvent(new CustomEvent("drill", { bubbles: true }))}>Open the entities <kbd>Enter</kbd></button></footer>`;
  }

  private cause(each: Cause, most: number): TemplateResult {
    const width = Math.round((Math.abs(each.effect ?? 0) / most) * 40);
    const first = each.entities[0];
    const more = each.changed - each.entities.slice(0, 3).length;
    return html`<li><span class="av">${each.user.slice(0, 3)}</span>
      <div><b>${each.handler ? `${each.handler} (handler)` : each.user || "Commits you may not read"}</b>
        <span class="sub">${each.position === null ? nothing : html`commit ${each.position.toLocaleString("en")} · `}${each.time ? each.time.slice(0, 16).replace("T", " ") : ""}</span>
        <span class="sub links">${each.entities.slice(0, 3).map(([type, key, label]) => html`<a href=${addressOf({ is: "entity", type, key })} @click=${(event: MouseEvent) => this.lead(event, addressOf({ is: "entity", type, key }))}>${label}</a>`)}
        ${more > 0 && first ? html`and ${more.toLocaleString("en")} more` : nothing}</span></div>
      <svg class="mb" width="42" height="8" aria-hidden="true"><rect class=${(each.effect ?? 0) > 0 ? "up" : "down"} x="0" y="0" width=${width} height="8" rx="1.5"></rect></svg>
      <span class="v ${(each.effect ?? 0) > 0 ? "more" : "less"}">${each.effect === null ? "" : signed(each.effect, this.format)}</span></li>`;
  }

  private readonly shut = (): void => void this.dispatchEvent(new CustomEvent("shut", { bubbles: true }));
}

customElements.define("cs-why", WhyPart);
