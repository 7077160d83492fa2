// The call sheet: what would be sent, line by line, conflicts first.

import { html, nothing, type TemplateResult } from "lit";
import type { Conflict, Edit, Marked } from "../core/unit.ts";
import { unpack } from "../core/wire.ts";
import { icon } from "./icons.ts";
import { Part } from "./part.ts";

export class CallSheet extends Part {
  override render(): TemplateResult {
    const { unit } = this.desk;
    const edits = unit.pending.filter((each) => !unit.isCreated(each.entity));
    const many = unit.size;
    const operations = unit.operations().operations.length;
    return html`<aside class="panel" aria-label="Call sheet">
      <header><h2>Call sheet</h2>${many ? html`<span class="badge pend">${many} to send</span>` : nothing}
        <span class="grow"></span>
        <button class="ib" aria-label="Close the call sheet" @click=${() => this.dispatchEvent(new Event("close"))}>${icon("x")}</button></header>
      <div class="lines">
        ${unit.conflicts.map((each) => this.conflict(each))}
        ${unit.created.map((each) => this.entity(each, "new", unit.pending.filter((edit) => edit.entity[1] === each.entity[1])))}
        ${unit.deleted.map((each) => this.entity(each, "gone", []))}
        ${many ? edits.map((each) => this.line(each)) : html`<p class="empty">Nothing is recorded. Edit a cell: it waits here until you commit.</p>`}
      </div>
      <footer>
        ${unit.sending ? html`<p class="fine" role="status">Sending. If the answer is lost, the same commit is asked for again: nothing is done twice.</p>` : nothing}
        <div class="row"><button class="btn primary grow" ?disabled=${!many || unit.conflicts.length > 0} @click=${() => void this.desk.commit()}>
            Commit ${many || ""}<kbd>Ctrl ↵</kbd></button>
          <button class="btn" ?disabled=${!many} title="Take all back" @click=${() => void unit.drop()}>${icon("back")}<span>All</span></button></div>
        <p class="fine">${many ? `${unit.made} ${unit.made === 1 ? "edit" : "edits"} became ${operations} ${operations === 1 ? "operation" : "operations"}, one transaction.` : ""}</p>
      </footer>
    </aside>`;
  }

  private entity(marked: Marked, kind: "new" | "gone", values: Edit[]): TemplateResult {
    const word = kind === "new" ? "create" : "delete";
    const named = values.find((each) => each.attribute === "name")?.shown.value ?? marked.name;
    return html`<div class="line ${kind}"><div class="what"><b>${named}</b><code>${word} ${marked.entity[0]}</code>
        <button class="ib" title="Take back" aria-label="Do not ${word} ${named}" @click=${() => void this.desk.unit.drop(marked)}>${icon("back")}</button></div>
      ${values.map((each) => html`<div class="change"><code>${each.attribute}</code><span>${each.shown.value}</span></div>`)}</div>`;
  }

  private line(edit: Edit): TemplateResult {
    return html`<div class="line"><div class="what"><b>${edit.shown.entity}</b><code>${edit.attribute}</code>
        <button class="ib" title="Take back" aria-label="Take back ${edit.attribute} of ${edit.shown.entity}" @click=${() => void this.desk.unit.drop(edit)}>${icon("back")}</button></div>
      <div class="change"><s>${edit.shown.before || "empty"}</s><span aria-hidden="true">›</span><span>${edit.shown.value || "empty"}</span></div></div>`;
  }

  private conflict(conflict: Conflict): TemplateResult {
    const edit = this.desk.unit.of(conflict.entity, conflict.attribute);
    return html`<section class="conflict" aria-label="Conflict">
      <h3>${icon("warn")}Somebody else changed this</h3>
      <div class="what"><b>${edit?.shown.entity ?? conflict.entity[0]}</b><code>${conflict.attribute}</code></div>
      <dl><div><dt>Base</dt><dd>${plain(conflict.base)}</dd></div><div><dt>Yours</dt><dd>${edit?.shown.value ?? plain(conflict.ours)}</dd></div>
        <div><dt>Theirs</dt><dd>${plain(conflict.theirs)}</dd></div></dl>
      <div class="row"><button class="btn" @click=${() => void this.desk.decide(conflict, true)}>Keep mine</button>
        <button class="btn" @click=${() => void this.desk.decide(conflict, false)}>Take theirs</button></div>
    </section>`;
  }
}

function plain(value: unknown): string {
  const found = unpack(value);
  return found === null || found === undefined ? "empty" : Array.isArray(found) ? `${found[0]} ${String(found[1]).slice(0, 8)}` : String(found);
}

customElements.define("cs-call-sheet", CallSheet);
