// A place of the page is kept: its name, and who sees it.

import { html, nothing, type TemplateResult } from "lit";
import { textOf } from "../core/desk.ts";
import { dropView, keepView, kindOf, undoView, type KeptView } from "../core/kept.ts";
import { Part } from "./part.ts";

export class Keep extends Part {
  static override properties = { ...Part.properties, address: { attribute: false }, view: { attribute: false }, fault: { state: true } };

  /** What is shown now. */
  declare address: string;
  /** The view that it is kept as; null for none. */
  declare view: KeptView | null;
  declare fault: string;

  constructor() {
    super();
    this.fault = "";
  }

  show(): void {
    this.fault = "";
    void this.updateComplete.then(() => this.querySelector("dialog")!.showModal());
  }

  override render(): TemplateResult {
    const own = this.view?.own ? this.view : null;
    return html`<dialog class="menu keepd" aria-label="Keep view">
      <form @submit=${this.keep}>
        <h2>${own ? "Change this view" : "Keep view"}</h2>
        <label class="said"><span>Name</span><input type="text" name="name" required maxlength="200" .value=${own?.name ?? ""}></label>
        <label><input type="checkbox" name="shared" .checked=${own?.shared ?? false}><span>Everybody sees it</span></label>
        <label class="said"><span>People</span><input type="text" name="people" placeholder="anna, bert" .value=${(own?.people ?? []).join(", ")}></label>
        <label class="said"><span>Roles</span><input type="text" name="roles" placeholder="artist" .value=${(own?.roles ?? []).join(", ")}></label>
        <p class="sub">Private until it is shared. ${own ? html`Kept by you. <a class="lnk" href="x/views/file?key=${own.key}" download="view.json">Save as a file</a>` : nothing}</p>
        ${this.fault ? html`<p class="wrong" role="alert">${this.fault}</p>` : nothing}
        <div class="row"><button class="btn primary">${own ? "Keep" : "Keep view"}</button>
          ${own ? html`<button class="btn" value="copy">Keep as another</button><button class="btn ghost" type="button" @click=${() => void this.drop(own)}>Remove</button>` : nothing}
          <button class="btn ghost" type="button" @click=${() => this.shut()}>Cancel</button></div>
        <label class="said file"><span>From a file</span><input type="file" accept="application/json,.json" @change=${this.read}></label>
      </form></dialog>`;
  }

  private shut(): void {
    this.querySelector("dialog")!.close();
  }

  private readonly keep = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement);
    const list = (name: string): string[] => String(given.get(name) ?? "").split(",").map((each) => each.trim()).filter(Boolean);
    const copy = (event.submitter as HTMLButtonElement | null)?.value === "copy";
    const kind = this.view?.kind === "dashboard" ? "dashboard" : kindOf(this.address);
    const view: Partial<KeptView> = {
      kind, place: this.address, name: String(given.get("name")), shared: given.has("shared"), people: list("people"), roles: list("roles"),
      ...(this.view?.own && !copy ? { key: this.view.key } : {}),
    };
    await this.done(() => keepView(this.desk.wire, view));
  };

  private readonly read = async (event: Event): Promise<void> => {
    const file = (event.target as HTMLInputElement).files?.[0];
    if (file) await this.done(async () => keepView(this.desk.wire, JSON.parse(await file.text()) as Partial<KeptView>));
  };

  private async done(keep: () => Promise<KeptView>): Promise<void> {
    try {
      const view = await keep();
      this.shut();
      this.desk.dispatchEvent(new Event("views"));
      this.desk.say(`“${view.name}” is kept.`, false);
      this.go(`k/${view.key}`);
    } catch (error) {
      this.fault = textOf(error);
    }
  }

  private async drop(view: KeptView): Promise<void> {
    try {
      const { commit } = await dropView(this.desk.wire, view.key);
      this.shut();
      this.desk.dispatchEvent(new Event("views"));
      this.go(view.kind === "dashboard" ? "" : view.place);
      const back = async (): Promise<void> => {
        await undoView(this.desk.wire, view.key, commit);
        this.desk.dispatchEvent(new Event("views"));
        this.go(`k/${view.key}`);
      };
      this.desk.say(`“${view.name}” is removed.`, false, { label: "Undo", run: () => void back() });
    } catch (error) {
      this.fault = textOf(error);
    }
  }
}

customElements.define("cs-keep", Keep);
