// Signing in by name and password.

import { html, nothing, type TemplateResult } from "lit";
import { textOf } from "../core/desk.ts";
import { logo } from "./icons.ts";
import { Part } from "./part.ts";

export class SignIn extends Part {
  static override properties = { ...Part.properties, wrong: { state: true }, busy: { state: true } };

  declare wrong: string;
  declare busy: boolean;

  constructor() {
    super();
    this.wrong = "";
    this.busy = false;
  }

  override firstUpdated(): void {
    this.querySelector<HTMLInputElement>("input")?.focus();
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
