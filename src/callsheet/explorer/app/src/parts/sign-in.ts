// Signing in by name and password.

import { html, nothing, type TemplateResult } from "lit";
import { textOf, type Ways } from "../core/desk.ts";
import { logo } from "./icons.ts";
import { Part } from "./part.ts";

/** Where signing on begins: it comes back to the page that is open now. */
function beginning(): string {
  const base = new URL(document.baseURI).pathname;
  const here = location.pathname.startsWith(base) ? location.pathname.slice(base.length) + location.search : "";
  return `x/oidc/begin?to=${encodeURIComponent(`explorer/${here}`)}`;
}

export class SignIn extends Part {
  static override properties = { ...Part.properties, wrong: { state: true }, busy: { state: true }, offered: { state: true } };

  declare wrong: string;
  declare busy: boolean;
  declare offered: Ways | null;

  constructor() {
    super();
    this.wrong = "";
    this.busy = false;
    this.offered = null;
  }

  override firstUpdated(): void {
    this.querySelector<HTMLInputElement>("input")?.focus();
    this.desk.ways().then((ways) => (this.offered = ways), () => {});
  }

  override render(): TemplateResult {
    return html`<main class="signin"><form @submit=${this.send}>
      ${logo()}
      <h1>Sign in</h1>
      ${this.desk.reason ? html`<p class="sub">${this.desk.reason}</p>` : nothing}
      <label>Name<input name="name" autocomplete="username" required></label>
      <label>Password<input name="password" type="password" autocomplete="current-password" required></label>
      ${this.wrong ? html`<p class="wrong" role="alert">${this.wrong}</p>` : nothing}
      <button class="btn primary" ?disabled=${this.busy}>Sign in</button>
      ${this.offered?.oidc ? html`<a class="btn" href=${beginning()}>Sign in by ${this.offered.oidc.name}</a>` : nothing}
      ${this.desk.leaveAt ? html`<p class="sub"><a href=${this.desk.leaveAt}>Sign out there, too</a></p>` : nothing}
      <p class="fine">From a script: <code>session.open_page()</code> signs this browser in once, by a code that is good for half a minute.</p>
    </form></main>`;
  }

  private async send(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement);
    this.busy = true;
    this.wrong = "";
    try {
      await this.desk.signIn(String(given.get("name")), String(given.get("password")));
    } catch (error) {
      this.wrong = textOf(error);
    }
    this.busy = false;
  }
}

customElements.define("cs-sign-in", SignIn);
