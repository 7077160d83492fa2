// The sidebar: what there is to look at, and who one is.

import { html, nothing, type TemplateResult } from "lit";
import { addressOf, type Place } from "../core/routes.ts";
import { icon, logo } from "./icons.ts";
import type { Palette } from "./palette.ts";
import { Part } from "./part.ts";
import "./analysis.ts";

const FIRST = ["Project", "Episode", "Sequence", "Shot", "AssetBuild", "Task", "AssetVersion", "Note", "User"];

export class Nav extends Part {
  static override properties = { ...Part.properties, place: { attribute: false }, all: { state: true } };

  declare place: Place;
  declare all: boolean;

  constructor() {
    super();
    this.all = false;
  }

  override render(): TemplateResult {
    const { desk } = this;
    const names = [...desk.schema!.types.values()].filter((each) => !each.abstract).map((each) => each.name);
    const first = FIRST.filter((name) => names.includes(name));
    const others = names.filter((name) => !first.includes(name)).sort();
    const shown = first.length ? first : others;
    const person = desk.about!.user;
    const called = [person?.first_name, person?.last_name].filter(Boolean).join(" ") || desk.about!.account;
    return html`<nav class="side" aria-label="Views">
      <div class="ws">${logo()}<b>Callsheet</b></div>
      <button class="find" @click=${() => document.querySelector<Palette>("cs-palette")?.show()}>${icon("find")}<span>Find or do</span><kbd>Ctrl K</kbd></button>
      <h2>Production</h2>
      ${shown.map((name) => this.link(name))}
      ${
        first.length && others.length
          ? html`<button class="nav" aria-expanded=${this.all} @click=${() => (this.all = !this.all)}>
                ${icon(this.all ? "up" : "down")}<span>${this.all ? "Fewer" : `${others.length} more`}</span></button>
              ${this.all ? html`<div class="more">${others.map((name) => this.link(name))}</div>` : nothing}`
          : nothing
      }
      <cs-analysis .desk=${desk} .place=${this.place}></cs-analysis>
      <span class="grow"></span>
      <div class="me"><span class="av">${initials(called)}</span><span class="who" title=${desk.about!.account}>${called}</span>
        <button class="ib" title="Sign out" aria-label="Sign out" @click=${() => void desk.signOut(false)}>${icon("out")}</button></div>
    </nav>`;
  }

  private link(name: string): TemplateResult {
    const address = addressOf({ is: "sheet", query: name, columns: [], sort: "" });
    const here = this.place.is !== "pivot" && this.desk.sheet?.type.name === name;
    return html`<a class="nav ${here ? "on" : ""}" href=${address} aria-current=${here ? "page" : nothing}
      @click=${(event: MouseEvent) => this.lead(event, address)}>${icon("table")}<span>${name}</span></a>`;
  }
}

function initials(text: string): string {
  return text.split(/\s+/).map((each) => each[0] ?? "").join("").slice(0, 2).toUpperCase();
}

customElements.define("cs-nav", Nav);
