// What is edited in a grouped sheet: a cell, the tasks of a range, by keys, by the bar of a selection, by pasting.

import { html, nothing, type TemplateResult } from "lit";
import { assign } from "../core/assigning.ts";
import { textOf } from "../core/desk.ts";
import { glyphOf } from "../core/glyphs.ts";
import type { Attribute } from "../core/schema.ts";
import type { Choice } from "../core/sheet.ts";
import type { Named, Task, WorkRow } from "../core/tasks.ts";
import type { Edit } from "../core/unit.ts";
import { typed } from "../core/values.ts";
import { pack } from "../core/wire.ts";
import type { Grid } from "../views/grid.ts";
import { Editor } from "./editor.ts";
import { taskName } from "./grid-cells.ts";
import type { GridPart } from "./grid.ts";
import { icon } from "./icons.ts";

interface Picked {
  task: Task;
  name: string;
}

export class GridEdits {
  private editor: Editor | null = null;

  constructor(private readonly part: GridPart) {}

  private get grid(): Grid {
    return this.part.grid!;
  }

  // What is selected

  /** The steps of the selection, and its tasks as far as their rows are here; `more` says how many rows are not. */
  private get picked(): { tasks: Picked[]; steps: Named[]; missing: number } {
    const { selection } = this.part;
    const { grid } = this;
    const plain = grid.sheet.columns.length;
    const tasks: Picked[] = [];
    let missing = 0;
    const from = Math.max(0, selection.left - plain);
    const to = selection.right - plain;
    if (to < 0) return { tasks, steps: [], missing };
    for (let line = selection.top; line <= selection.bottom; line++) {
      const at = grid.lines.at(line);
      if (at.is !== "row") continue;
      const row = grid.row(at.place);
      if (!row) missing += 1;
      else for (let step = from; step <= to; step++) for (const task of grid.tasks(row, step)) tasks.push({ task, name: this.nameOf(row, task) });
    }
    return { tasks, steps: grid.steps.slice(from, to + 1), missing };
  }

  private nameOf(row: WorkRow, task: Task): string {
    return taskName(this.grid.sheet.name(row), this.grid.steps.find((each) => each.key === task.step), task);
  }

  /** The bar of a selection of several tasks. */
  bar(): TemplateResult | typeof nothing {
    if (!this.part.grid || !this.part.selection.many || !this.grid.work) return nothing;
    const { tasks, steps, missing } = this.picked;
    if (!tasks.length && !missing) return nothing;
    const text = `${tasks.length.toLocaleString("en")} ${tasks.length === 1 ? "task" : "tasks"}`;
    const names = steps.length > 3 ? `${steps.length} steps` : steps.map((each) => each.label).join(", ");
    return html`<div class="bulk" role="toolbar" aria-label="Selection"><b>${text}</b>
      <span class="sub">${names}${missing ? `, ${missing} rows are not here yet` : ""}</span><span class="sep"></span>
      <button class="btn ghost" @click=${() => this.status()}>Status<kbd>S</kbd></button>
      ${this.grid.work.assigning ? html`<button class="btn ghost" @click=${() => this.people()}>Assign<kbd>A</kbd></button>` : nothing}
      ${this.grid.work.due ? html`<button class="btn ghost" @click=${() => this.due()}>Due<kbd>D</kbd></button>` : nothing}
      <span class="sep"></span><button class="ib" aria-label="Clear the selection" @click=${() => this.part.selectTo(this.part.selection.cursor, false)}>${icon("x")}</button></div>`;
  }

  // By keys

  /** Whether a key means an edit; it is begun, or done. */
  key(event: KeyboardEvent, plain: boolean): boolean {
    if ((event.ctrlKey || event.metaKey) && event.key === "c") {
      void this.copy();
      return true;
    }
    if (!plain || !this.part.grid) return false;
    if (event.key === "Enter") this.open();
    else if (!this.grid.work) return false;
    else if (/^[1-9]$/.test(event.key)) void this.setStatus(this.grid.statuses[Number(event.key) - 1] ?? null);
    else if (event.key === "s") this.status();
    else if (event.key === "a") this.people();
    else if (event.key === "d") this.due();
    else return false;
    return true;
  }

  /** Open the editor of the cell that the cursor is in. */
  open(): void {
    const { grid } = this;
    const { x, y } = this.part.selection.cursor;
    const column = grid.sheet.columns[x];
    const line = grid.lines.at(y);
    if (line.is !== "row") return;
    if (!column) return this.status();
    const row = grid.row(line.place);
    if (!row) return;
    if (!column.own) return this.part.desk.say(`${column.title} belongs to another entity, or the server computes it: it cannot be edited here.`, true);
    const { unit } = this.part.desk;
    const choices = column.own.kind === "reference" ? (part: string) => grid.sheet.choices(x, part) : null;
    const there = unit.of([row.type, row.key], column.own.name);
    const text = there ? there.shown.value : String(grid.sheet.value(row, x) ?? "");
    this.edit(column.own, text, choices, async (given, choice) => {
      await unit.record([choices ? grid.sheet.choose(row, x, choice) : grid.sheet.edit(row, x, given)]);
    });
  }

  private edit(attribute: Attribute, text: string, choices: ((part: string) => Promise<Choice[]>) | null, done: Editor["done"]): void {
    const { cell } = this.part;
    if (!cell) return;
    this.editor?.close();
    this.editor = new Editor(this.part.querySelector(".stage")!, cell, attribute, text, choices);
    this.editor.done = done;
    this.editor.sent = () => void this.part.desk.commit();
    this.editor.left = () => {
      this.editor = null;
      this.part.focusRows();
    };
  }

  // Of tasks

  private attribute(name: string): Attribute {
    return this.part.desk.schema!.type(this.grid.work!.type).attributes.get(name)!;
  }

  private status(): void {
    const { tasks } = this.ready();
    if (!tasks.length) return;
    const { statuses, work } = this.grid;
    const choices = async (part: string): Promise<Choice[]> =>
      statuses
        .map((each, place) => ({ type: work!.status_type, key: each.key!, label: each.label, glyph: glyphOf(each.label, each.state), hint: place < 9 ? String(place + 1) : "" }))
        .filter((each) => each.label.toLowerCase().includes(part.toLowerCase()) || each.hint === part);
    this.edit(this.attribute(work!.status), tasks[0]!.task.label, choices, async (_, choice) => {
      await this.setStatus(statuses.find((each) => each.key === choice?.key) ?? null);
    });
  }

  /** Record a status of all selected tasks, as one step. */
  private async setStatus(status: Named | null): Promise<void> {
    const { tasks } = this.ready();
    const work = this.grid.work!;
    if (!status || !tasks.length) return;
    const edits = tasks.map(({ task, name }): Edit => ({
      entity: [task.type, task.key],
      attribute: work.status,
      before: pack("reference", task.status),
      value: pack("reference", [work.status_type, status.key!]),
      version: task.version,
      shown: { entity: name, before: task.label, value: status.label },
    }));
    await this.part.desk.unit.record(edits);
  }

  private people(): void {
    const work = this.grid.work!;
    const { assigning } = work;
    const { tasks } = this.ready();
    if (!assigning || !tasks.length) return;
    const nobody: Choice = { type: "", key: "", label: "Nobody" };
    const attribute = this.part.desk.schema!.type(assigning.type).attributes.get(assigning.person)!;
    const choices = async (part: string): Promise<Choice[]> => {
      const found = await this.grid.sheet.entities(assigning.people, part);
      return part ? found : [...found, nobody];
    };
    this.edit({ ...attribute, label: "Assign" }, tasks[0]!.task.people.map((each) => each.label).join(", "), choices, async (_, choice) => {
      const chosen = choice?.key ? choice : null;
      const { edits, created, deleted } = assign(work, tasks, chosen, this.part.desk.unit);
      if (edits.length || deleted.length) await this.part.desk.unit.recordAll(edits, created, deleted);
    });
  }

  private due(): void {
    const work = this.grid.work!;
    const { tasks } = this.ready();
    if (!work.due || !tasks.length) return;
    const attribute = this.attribute(work.due);
    this.edit(attribute, tasks[0]!.task.due, null, async (text) => {
      const value = typed(attribute, text);
      const edits = tasks.map(({ task, name }): Edit => ({
        entity: [task.type, task.key],
        attribute: work.due,
        before: pack(attribute.type, task.due || null),
        value: pack(attribute.type, value),
        version: task.version,
        shown: { entity: name, before: task.due, value: String(value ?? "") },
      }));
      await this.part.desk.unit.record(edits);
    });
  }

  /** The selected tasks; says so if there are none, or if some rows have not come. */
  private ready(): { tasks: Picked[] } {
    const { tasks, missing } = this.picked;
    if (missing) {
      this.part.desk.say(`${missing.toLocaleString("en")} of the selected rows have not come yet: scroll through them, or select fewer.`, true);
      return { tasks: [] };
    }
    if (!tasks.length) this.part.desk.say("There is no task in the selected cells.", true);
    return { tasks };
  }

  // Blocks

  private texts(row: WorkRow, x: number): string {
    const { grid } = this;
    const column = grid.sheet.columns[x];
    if (!column) {
      const [task] = grid.tasks(row, x - grid.sheet.columns.length);
      return task ? (this.part.desk.unit.of([task.type, task.key], grid.work!.status)?.shown.value ?? task.label) : "";
    }
    const edit = column.own && this.part.desk.unit.of([row.type, row.key], column.own.name);
    return edit ? edit.shown.value : String(grid.sheet.value(row, x) ?? "");
  }

  private async copy(): Promise<void> {
    const { selection } = this.part;
    const lines: string[] = [];
    for (let y = selection.top; y <= selection.bottom; y++) {
      const at = this.grid.lines.at(y);
      const row = at.is === "row" ? this.grid.row(at.place) : undefined;
      if (!row) continue;
      const cells: string[] = [];
      for (let x = selection.left; x <= selection.right; x++) cells.push(this.texts(row, x));
      lines.push(cells.join("\t"));
    }
    await navigator.clipboard.writeText(lines.join("\n"));
  }

  /** Type a block into the cells from the cursor on: values, and names of statuses. What does not fit is named. */
  paste(event: ClipboardEvent): void {
    event.preventDefault();
    const block = (event.clipboardData?.getData("text/plain") ?? "").replace(/\r?\n$/, "").split(/\r?\n/).map((line) => line.split("\t"));
    void this.fill(block);
  }

  private async fill(block: string[][]): Promise<void> {
    const { grid } = this;
    const edits: Edit[] = [];
    const wrong: string[] = [];
    let line = this.part.selection.top;
    for (const texts of block) {
      while (line < grid.lines.length && grid.lines.at(line).is !== "row") line += 1;
      const at = line < grid.lines.length ? grid.lines.at(line) : null;
      const row = at?.is === "row" ? grid.row(at.place) : undefined;
      for (const [dx, text] of texts.entries()) {
        try {
          if (!row) throw new Error("a row is not there, or has not come yet");
          edits.push(...(await this.typed(row, this.part.selection.left + dx, text)));
        } catch (error) {
          wrong.push(textOf(error));
        }
      }
      line += 1;
    }
    if (edits.length) await this.part.desk.unit.record(edits);
    if (wrong.length) this.part.desk.say(`${wrong.length} ${wrong.length === 1 ? "cell does" : "cells do"} not fit: ${wrong[0]}.`, true);
  }

  private async typed(row: WorkRow, x: number, text: string): Promise<Edit[]> {
    const { grid } = this;
    const column = grid.sheet.columns[x];
    if (column) {
      if (column.own?.kind !== "reference") return [grid.sheet.edit(row, x, text)];
      const found = text ? (await grid.sheet.choices(x, text)).find((each) => each.label === text) : null;
      if (found === undefined) throw new Error(`there is no ${column.own.target} “${text}”`);
      return [grid.sheet.choose(row, x, found)];
    }
    const work = grid.work!;
    const [task] = grid.tasks(row, x - grid.sheet.columns.length);
    if (!task) throw new Error(`${grid.sheet.name(row)} has no such task`);
    const status = grid.statuses.find((each) => each.label.toLowerCase() === text.trim().toLowerCase());
    if (!status) throw new Error(`there is no ${work.status_type} “${text}”`);
    const texts = { entity: this.nameOf(row, task), before: task.label, value: status.label };
    return [{ entity: [task.type, task.key], attribute: work.status, before: pack("reference", task.status), value: pack("reference", [work.status_type, status.key!]), version: task.version, shown: texts }];
  }
}
