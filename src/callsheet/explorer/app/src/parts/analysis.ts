// The sidebar's places of analysis: cubes that are kept, else those that the schema suggests.

import { html, nothing, type TemplateResult } from "lit";
import type { CubeList } from "../core/pivot.ts";
import { listViews, keptAddress, type KeptView } from "../core/kept.ts";
import { NEW_PIVOT } from "../core/pivot-place.ts";
import { addressOf, type Place } from "../core/routes.ts";
import { icon } from "./icons.ts";
import { Part } from "./part.ts";

/** Types whose cubes people want first, where none is kept. */
const SUGGESTED = ["Task", "Shot", "Timelog"];

export class Analysis extends Part {
  static override properties = { ...Part.properties, place: { attribute: false }, list: { state: true }, views: { state: true } };

  declare place: Place;
  declare list: CubeList | null;
  declare views: KeptView[];
  private readonly again = (): void => void this.load();

  constructor() {
    super();
    this.list = null;
    this.views = [];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.desk.addEventListener("views", this.again);
    void this.load();
  }

  override disconnectedCallback(): void {
    this.desk.removeEventListener("views", this.again);
    super.disconnectedCallback();
  }

  private async load(): Promise<void> {
    try {
      [this.list, this.views] = await Promise.all([this.desk.wire.get<CubeList>("/explorer/x/cubes"), listViews(this.desk.wire)]);
    } catch (error) {
      this.desk.refused(error);
    }
  }

  override render(): TemplateResult | typeof nothing {
    if (!this.list) return nothing;
    const kept = this.list.cubes.map((each) => each.name);
    const names = kept.length ? kept : SUGGESTED.filter((each) => this.list!.types.includes(each));
    const boards = this.views.filter((each) => each.kind === "dashboard");
    const others = this.views.filter((each) => each.kind !== "dashboard");
    return html`${names.length || boards.length ? html`<h2>Analysis</h2>` : nothing}
      ${names.map((each) => this.link(each, kept.length ? each : `${each} cube`))}${boards.map((each) => this.kept(each))}
      ${others.length ? html`<h2>Kept views</h2>${others.map((each) => this.kept(each))}` : nothing}`;
  }

  private kept(view: KeptView): TemplateResult {
    const address = keptAddress(view.key, "");
    const here = location.pathname.endsWith(`/${address}`);
    return html`<a class="nav ${here ? "on" : ""}" href=${address} aria-current=${here ? "page" : nothing} title=${view.own ? view.name : `${view.name}, kept by ${view.owner}`}
      @click=${(event: MouseEvent) => this.lead(event, address)}>${icon(view.kind === "dashboard" ? "tiles" : "star")}<span>${view.name}</span></a>`;
  }

  private link(cube: string, text: string): TemplateResult {
    const address = addressOf({ is: "pivot", request: { ...NEW_PIVOT, cube } });
    const here = this.place.is === "pivot" && this.place.request.cube === cube;
    return html`<a class="nav ${here ? "on" : ""}" href=${address} aria-current=${here ? "page" : nothing}
      @click=${(event: MouseEvent) => this.lead(event, address)}>${icon("cube")}<span>${text}</span></a>`;
  }
}

customElements.define("cs-analysis", Analysis);
