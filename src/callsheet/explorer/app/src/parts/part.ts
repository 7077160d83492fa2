// What all parts of the page have: the desk, and a new picture whenever something on it changes.

import { LitElement } from "lit";
import type { Desk } from "../core/desk.ts";

export abstract class Part extends LitElement {
  static override properties = { desk: { attribute: false } };

  declare desk: Desk;
  private readonly redraw = (): void => this.requestUpdate();

  /** Parts are drawn in the document itself: one style sheet, one tree for screen readers. */
  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.desk?.addEventListener("change", this.redraw);
  }

  override disconnectedCallback(): void {
    this.desk?.removeEventListener("change", this.redraw);
    super.disconnectedCallback();
  }

  /** A link shows another place of the page, unless it is meant for another tab. */
  protected lead(event: MouseEvent, address: string): void {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    this.go(address);
  }

  /** Show another place of the page. */
  protected go(address: string): void {
    this.dispatchEvent(new CustomEvent("go", { detail: address, bubbles: true, composed: true }));
  }
}
