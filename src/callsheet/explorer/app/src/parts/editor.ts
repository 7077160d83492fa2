// The editor of one cell: a field over it, and for references a list to choose from.

import type { Attribute } from "../core/schema.ts";
import type { Choice } from "../core/sheet.ts";

export class Editor {
  done: (text: string, choice: Choice | null) => Promise<void> = async () => {};
  left: () => void = () => {};
  /** Ctrl Enter: the value is recorded, and the call sheet is to be sent. */
  sent: () => void = () => {};
  private readonly box: HTMLDivElement;
  private readonly field: HTMLInputElement;
  private readonly list: HTMLUListElement | null;
  private readonly wrong: HTMLParagraphElement;
  private found: Choice[] = [];
  private place = -1;
  private turn = 0;
  private closed = false;
  private finishing: Promise<boolean> | null = null;

  constructor(
    stage: HTMLElement,
    cell: Element,
    attribute: Attribute,
    text: string,
    private readonly choices: ((part: string) => Promise<Choice[]>) | null,
  ) {
    this.box = document.createElement("div");
    this.box.className = "editor";
    const here = cell.getBoundingClientRect();
    const around = stage.getBoundingClientRect();
    this.box.style.left = `${here.left - around.left}px`;
    this.box.style.top = `${here.top - around.top}px`;
    this.box.style.minWidth = `${here.width}px`;
    this.field = document.createElement("input");
    this.field.style.height = `${here.height}px`;
    this.field.value = choices ? "" : text;
    this.field.placeholder = choices ? text || "Choose" : "";
    this.field.setAttribute("aria-label", attribute.label);
    if (attribute.type === "date") this.field.placeholder = "2026-12-01";
    this.list = choices ? document.createElement("ul") : null;
    this.wrong = document.createElement("p");
    this.wrong.className = "wrong";
    this.wrong.setAttribute("role", "alert");
    this.box.append(this.field, ...(this.list ? [this.list] : []), this.wrong);
    if (this.list) {
      this.list.setAttribute("role", "listbox");
      this.list.id = "choices";
      this.field.setAttribute("role", "combobox");
      this.field.setAttribute("aria-controls", "choices");
      this.field.setAttribute("aria-expanded", "true");
    }
    stage.append(this.box);
    if (choices && here.bottom - around.top > around.height - 320) this.box.classList.add("above");
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("input", () => void this.look());
    this.field.addEventListener("blur", () => this.blurred());
    this.field.focus();
    this.field.select();
    if (choices) void this.look();
  }

  contains(node: Node): boolean {
    return this.box.contains(node);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.box.remove();
    this.left();
  }

  private key(event: KeyboardEvent): void {
    event.stopPropagation();
    const sends = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (event.key === "Escape") this.close();
    else if (sends) {
      event.preventDefault();
      void this.finish(this.found[this.place] ?? null).then((done) => done && this.sent());
    } else if (event.key === "Enter" || event.key === "Tab") {
      event.preventDefault();
      void this.finish(this.found[this.place] ?? null);
    } else if (this.list && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const many = this.found.length;
      if (many) this.point((this.place + (event.key === "ArrowDown" ? 1 : many - 1)) % many);
    }
  }

  private blurred(): void {
    if (this.closed) return;
    if (this.choices || this.field.value === this.field.defaultValue) setTimeout(() => this.close(), 0);
    else void this.finish(null);
  }

  /** Whether the value is recorded. While it is being kept, the same answer counts for keys that come meanwhile. */
  private finish(choice: Choice | null): Promise<boolean> {
    this.finishing ??= this.record(choice).finally(() => (this.finishing = null));
    return this.finishing;
  }

  private async record(choice: Choice | null): Promise<boolean> {
    if (this.closed) return false;
    if (this.choices && !choice && this.field.value) return this.complain("choose one of the list");
    try {
      await this.done(this.field.value, choice);
    } catch (error) {
      return this.complain(error instanceof Error ? error.message : String(error));
    }
    this.close();
    return true;
  }

  private complain(text: string): false {
    this.wrong.textContent = text;
    this.field.setAttribute("aria-invalid", "true");
    this.field.focus();
    return false;
  }

  private async look(): Promise<void> {
    if (!this.choices || !this.list) return;
    const turn = ++this.turn;
    const found = await this.choices(this.field.value);
    if (turn !== this.turn || this.closed) return;
    this.found = found;
    this.list.replaceChildren(...found.map((each, place) => this.item(each, place)));
    this.point(found.length ? 0 : -1);
  }

  private item(choice: Choice, place: number): HTMLLIElement {
    const made = document.createElement("li");
    made.textContent = choice.label;
    if (choice.glyph) made.className = `gl-${choice.glyph}`;
    if (choice.hint) {
      const hint = document.createElement("kbd");
      hint.textContent = choice.hint;
      made.append(hint);
    }
    made.setAttribute("role", "option");
    made.id = `choice-${place}`;
    made.addEventListener("mousedown", (event) => {
      event.preventDefault();
      void this.finish(choice);
    });
    return made;
  }

  private point(place: number): void {
    this.place = place;
    for (const [index, each] of [...this.list!.children].entries()) {
      each.setAttribute("aria-selected", String(index === place));
      if (index === place) each.scrollIntoView({ block: "nearest" });
    }
    if (place >= 0) this.field.setAttribute("aria-activedescendant", `choice-${place}`);
  }
}
