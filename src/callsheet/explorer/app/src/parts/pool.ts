// Rows of one height in a long list: those in sight are drawn, and their elements are used again for others.

/** Rows above and below what is in sight. */
const SPARE = 4;

export class Pool {
  private readonly slots: { element: HTMLElement; line: number }[] = [];
  private asked = false;

  constructor(
    private readonly scroller: HTMLElement,
    readonly body: HTMLElement,
    private readonly make: () => HTMLElement,
    private readonly fill: (element: HTMLElement, line: number) => void,
    readonly height: () => number,
    private readonly length: () => number,
  ) {
    scroller.addEventListener("scroll", () => this.ask(), { passive: true });
  }

  /** Draw at the next frame what has come into sight. */
  private ask(): void {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw(false);
    });
  }

  /** The lines in sight: the first, and the one after the last. */
  get range(): [first: number, end: number] {
    const height = this.height();
    const first = Math.floor(this.scroller.scrollTop / height);
    return [first, Math.min(this.length(), first + Math.ceil(this.scroller.clientHeight / height) + 1)];
  }

  /** Draw the lines in sight; `all` of them again, or those that are new. */
  draw(all: boolean): void {
    const height = this.height();
    const length = this.length();
    this.body.style.height = `${length * height}px`;
    const [from, to] = this.range;
    const first = Math.max(0, from - SPARE);
    const end = Math.min(length, to + SPARE);
    const needed = Math.ceil(this.scroller.clientHeight / height) + 1 + 2 * SPARE;
    while (this.slots.length < needed) {
      const element = this.make();
      this.body.append(element);
      this.slots.push({ element, line: -1 });
    }
    for (let line = first; line < end; line++) {
      const slot = this.slots[line % this.slots.length]!;
      if (slot.line === line && !all) continue;
      if (slot.line !== line) slot.element.style.transform = `translateY(${line * height}px)`;
      slot.line = line;
      slot.element.hidden = false;
      this.fill(slot.element, line);
    }
    for (const slot of this.slots) {
      if (slot.line >= first && slot.line < end) continue;
      slot.element.hidden = true;
      slot.line = -1;
    }
  }

  /** The element of a line, if it is drawn. */
  at(line: number): HTMLElement | null {
    return this.slots.find((each) => each.line === line)?.element ?? null;
  }

  lineOf(element: Element): number {
    return this.slots.find((each) => each.element === element)?.line ?? -1;
  }

  /** Bring a line into sight, below `top` and above `bottom` pixels that something else covers. */
  reveal(line: number, top: number, bottom: number): void {
    const height = this.height();
    const { scroller } = this;
    const at = line * height;
    if (at < scroller.scrollTop) scroller.scrollTop = at;
    const most = scroller.scrollTop + scroller.clientHeight - top - bottom - height;
    if (at > most) scroller.scrollTop += at - most;
    this.draw(false);
  }

  clear(): void {
    for (const { element } of this.slots) element.remove();
    this.slots.length = 0;
  }
}
