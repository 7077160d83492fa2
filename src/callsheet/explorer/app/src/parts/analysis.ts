// The sidebar's places of analysis: cubes that are kept, else those that the schema suggests.

import { html, nothing, type TemplateResult } from "lit";
import type { CubeList } from "../core/pivot.ts";
import { NEW_PIVOT } from "../core/pivot-place.ts";
import { addressOf, type Place } from "../core/routes.ts";
import { icon } from "./icons.ts";
import { Part } from "./part.ts";

/** Types whose cubes people want first, where none is kept. */
const SUGGESTED = ["Task", "Shot", "Timelog"];

export class Analysis extends Part {
  static override properties = { ...Part.properties, place: { attribute: false }, list: { state: true } };

  declare place: Place;
  declare list: CubeList | null;

  constructor() {
    super();
    this.list = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  private async load(): Promise<void> {
    try {
      this.list = await this.desk.wire.get<CubeList>("/explorer/x/cubes");
    } catch (error) {
      this.desk.refused(error);
    }
  }

  override render(): TemplateResult | typeof nothing {
    if (!this.list) return nothing;
    const kept = this.list.cubes.map((each) => each.name);
    const names = kept.length ? kept : SUGGESTED.filter((each) => this.list!.types.includes(each));
    if (!names.length) return nothing;
    return html`<h2>Analysis</h2>${names.map((each) => this.link(each, kept.length ? each : `${each} cube`))}`;
  }

  private link(cube: string, text: string): TemplateResult {
    const address = addressOf({ is: "pivot", request: { ...NEW_PIVOT, cube } });
    const here = this.place.is === "pivot" && this.place.request.cube === cube;
    return html`<a class="nav ${here ? "on" : ""}" href=${address} aria-current=${here ? "page" : nothing}
      @click=${(event: MouseEvent) => this.lead(event, address)}>${icon("cube")}<span>${text}</span></a>`;
  }
}

customElements.define("cs-analysis", Analysis);
