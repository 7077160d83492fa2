// A board: the rows of a query by the value of a reference, a column for each value, each a window of its own.

import { columnAt, type Column } from "./columns.ts";
import { glyphOf, type Glyph } from "./glyphs.ts";
import { PageReader, type Path, type Row, type WirePage } from "./records.ts";
import type { Schema } from "./schema.ts";
import { readQuery, Sheet, type Choice, type QueryFault } from "./sheet.ts";
import type { UnitOfWork } from "./unit.ts";
import type { Wire } from "./wire.ts";
import { Windows, type WireSelect } from "./windows.ts";

/** Values that a board has columns for. */
const MOST = 40;
/** Cards of a column that are asked for; the column says how many there are. */
export const CARDS = 200;

export interface BoardColumn {
  choice: Choice;
  glyph: Glyph | null;
  windows: Windows;
}

/** A card where it is shown: a moved one is in the column that it was moved to. */
export interface Card {
  row: Row;
  moved: boolean;
}

export class Board {
  private constructor(readonly sheet: Sheet, readonly by: Column, readonly place: number, readonly columns: BoardColumn[]) {}

  /** The references that a board of a type can have its columns by. */
  static ways(schema: Schema, type: string): string[] {
    const found = [...schema.type(type).attributes.values()].filter((each) => each.kind === "reference" && !each.readOnly);
    const order = ["status", "priority", "type"];
    const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
    return found.map((each) => each.name).sort((a, b) => rank(a) - rank(b));
  }

  static async open(
    wire: Wire,
    schema: Schema,
    request: { query: string; by: string },
    changed: () => void,
    failed: (error: unknown) => void,
  ): Promise<Board | QueryFault> {
    const read = await readQuery(wire, request.query);
    if ("error" in read) return read;
    const type = schema.type(read.select.entity_type);
    const by = columnAt(schema, type, [request.by || (Board.ways(schema, type.name)[0] ?? "")]);
    if (!by?.own) return { error: `a board of ${type.name} needs a reference, not ${request.by || "nothing"}`, position: null, hint: "" };
    const names = [type.label, "parent", by.own.name, "due_date"].filter((name) => type.attributes.has(name));
    const sheet = await Sheet.open(wire, schema, { query: request.query, columns: [...new Set(names)], sort: "" }, changed, failed);
    if ("error" in sheet) return sheet;
    const nothing = { choice: { type: "", key: "", label: `No ${by.title}` }, state: null };
    const choices = [nothing, ...(await values(wire, schema, by))];
    const columns = choices.map(({ choice, state }) => {
      const windows = new Windows(wire, schema, narrowed(read.select, by, choice), sheet.paths, changed, failed);
      return { choice, glyph: by.state ? glyphOf(choice.label, state) : null, windows };
    });
    await Promise.all(columns.map((each) => each.windows.open()));
    const shown = columns.filter((each) => each.choice.key || each.windows.count);
    return new Board(sheet, by, sheet.columns.findIndex((each) => each.own?.name === by.own!.name), shown);
  }

  /** The cards of a column, with those that were moved here first, and without those that were moved away. */
  cards(column: BoardColumn, unit: UnitOfWork): Card[] {
    const found: Card[] = [];
    for (const other of this.columns) {
      for (const [, row] of other.windows.here()) {
        const edit = unit.of([row.type, row.key], this.by.own!.name);
        const at = edit ? keyOf(edit.value) : other.choice.key;
        if (at === column.choice.key && (other === column || edit)) found.push({ row, moved: Boolean(edit) });
      }
    }
    return found.sort((a, b) => Number(b.moved) - Number(a.moved));
  }

  /** How many entities a column has, pending moves included. */
  count(column: BoardColumn, unit: UnitOfWork): number {
    let count = column.windows.count;
    for (const other of this.columns) {
      for (const [, row] of other.windows.here()) {
        const edit = unit.of([row.type, row.key], this.by.own!.name);
        if (!edit) continue;
        if (other === column) count -= 1;
        if (keyOf(edit.value) === column.choice.key) count += 1;
      }
    }
    return count;
  }

  /** Record that a card goes to another column. */
  async move(row: Row, column: BoardColumn, unit: UnitOfWork): Promise<void> {
    await unit.record([this.sheet.choose(row, this.place, column.choice.key ? column.choice : null)]);
  }

  stop(): void {
    this.sheet.stop();
    for (const each of this.columns) each.windows.stop();
  }
}

function keyOf(value: unknown): string {
  const identity = (value as { $identity?: [string, string] } | null)?.$identity;
  return identity ? identity[1] : "";
}

function narrowed(select: WireSelect, by: Column, choice: Choice): WireSelect {
  const path = choice.key ? [...by.reference!, "id"] : by.reference!;
  const own = { is: "comparison", path, operator: "=", value: choice.key || null };
  return { ...select, where: select.where ? { is: "and", conditions: [select.where, own] } : own, limit: CARDS, offset: 0 };
}

/** The entities that the columns are for, in the order that they have of their own. */
async function values(wire: Wire, schema: Schema, by: Column): Promise<{ choice: Choice; state: unknown }[]> {
  const target = schema.type(by.own!.target);
  const label: Path = [target.label];
  const paths: Path[] = by.state ? [label, ["state", "short"]] : [label];
  const order = target.attributes.has("sort") ? [{ path: ["sort"], descending: false }, { path: label, descending: false }] : [{ path: label, descending: false }];
  const select: WireSelect = { entity_type: target.name, projections: paths, order, limit: MOST };
  const page = await wire.post<WirePage>("/v1/select", { select, size: MOST });
  return new PageReader(schema, paths).read(page).map((row) => ({
    choice: { type: row.type, key: row.key, label: String(row.values[0]) },
    state: row.values[1],
  }));
}
