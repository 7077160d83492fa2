// The board: cards by status, or by any other reference; they are dragged, or moved by Shift and arrows.

import { html, nothing, type TemplateResult } from "lit";
import { Board, CARDS, type BoardColumn, type Card } from "../core/board.ts";
import type { Row } from "../core/records.ts";
import { addressOf, type Place } from "../core/routes.ts";
import { Part } from "./part.ts";

export class BoardPart extends Part {
  static override properties = { ...Part.properties, place: { attribute: false } };

  declare place: Place;
  private dragged: Row | null = null;

  override render(): TemplateResult {
    const { board } = this.desk;
    if (!board) return html`<div class="stage"></div>`;
    return html`<div class="stage columns" role="list" aria-label="Board">${board.columns.map((column, place) => this.column(board, column, place))}</div>`;
  }

  private column(board: Board, column: BoardColumn, place: number): TemplateResult {
    const cards = board.cards(column, this.desk.unit);
    const count = board.count(column, this.desk.unit);
    return html`<section class="col" role="listitem" aria-label="${column.choice.label}: ${count}"
      @dragover=${(event: DragEvent) => event.preventDefault()} @drop=${(event: DragEvent) => this.drop(event, column)}>
      <h2 class=${column.glyph ? `gl-${column.glyph}` : ""}>${column.choice.label}<span class="n">${count.toLocaleString("en")}</span></h2>
      <ul>${cards.map((card) => this.card(board, card, place))}
        ${count > cards.length && cards.length >= CARDS ? html`<li class="sub more">${(count - cards.length).toLocaleString("en")} more: narrow the query</li>` : nothing}</ul>
    </section>`;
  }

  private card(board: Board, { row, moved }: Card, place: number): TemplateResult {
    const { sheet } = board;
    const entity: [string, string] = [row.type, row.key];
    const conflict = this.desk.unit.conflictOf(entity, board.by.own!.name);
    const coming = this.desk.incoming.get(row.key);
    const rest = sheet.columns.map((column, x) => ({ column, text: sheet.value(row, x) })).filter(({ column, text }, x) => x > 0 && column !== board.by && column.own?.name !== board.by.own!.name && text);
    return html`<li class="card ${conflict ? "conf" : moved ? "pend" : coming ? "inc" : ""}" tabindex="0" draggable="true" data-key=${row.key}
      @dragstart=${() => (this.dragged = row)} @keydown=${(event: KeyboardEvent) => this.key(event, board, row, place)}
      @dblclick=${() => this.go(addressOf({ is: "entity", type: row.type, key: row.key }))}>
      <b>${sheet.name(row)}</b>${rest.map(({ text }) => html`<span class="sub">${String(text)}</span>`)}</li>`;
  }

  private drop(event: DragEvent, column: BoardColumn): void {
    event.preventDefault();
    if (this.dragged && this.desk.board) void this.desk.board.move(this.dragged, column, this.desk.unit);
    this.dragged = null;
  }

  private key(event: KeyboardEvent, board: Board, row: Row, place: number): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.shiftKey && step) {
      event.preventDefault();
      const to = board.columns[place + step];
      if (to) void board.move(row, to, this.desk.unit).then(() => this.focusCard(row.key));
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      this.go(addressOf({ is: "entity", type: row.type, key: row.key }));
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const card = event.currentTarget as HTMLElement;
      ((event.key === "ArrowDown" ? card.nextElementSibling : card.previousElementSibling) as HTMLElement | null)?.focus();
    } else if (step) {
      const columns = [...this.querySelectorAll(".col")];
      columns[place + step]?.querySelector<HTMLElement>(".card")?.focus();
    }
  }

  private async focusCard(key: string): Promise<void> {
    await this.updateComplete;
    this.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }
}

customElements.define("cs-board", BoardPart);
