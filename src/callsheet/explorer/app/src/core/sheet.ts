// A sheet: a query, its columns, its rows as they come, and what an edit of a cell records.

import { allColumns, columnAt, defaultColumns, pathsOf, type Column } from "./columns.ts";
import { glyphOf, type Glyph } from "./glyphs.ts";
import type { Identity, Path, Row, WirePage } from "./records.ts";
import { PageReader } from "./records.ts";
import type { EntityType, Schema } from "./schema.ts";
import type { Edit, Marked, UnitOfWork } from "./unit.ts";
import { shown, typed } from "./values.ts";
import { pack, type Wire } from "./wire.ts";
import { Windows, type WireSelect } from "./windows.ts";

export interface QueryFault {
  error: string;
  position: number | null;
  hint: string;
}

export interface SheetRequest {
  query: string;
  /** Paths; none: the columns that a type has by itself; `["*"]`: all that are one value. */
  columns: string[];
  /** `path` or `-path`. */
  sort: string;
}

/** What a query's text means, or where it is wrong. */
export async function readQuery(wire: Wire, text: string): Promise<{ select: WireSelect } | QueryFault> {
  return wire.post("/explorer/x/parse", { text });
}

export class Sheet {
  readonly windows: Windows;
  milliseconds = 0;

  private constructor(
    readonly request: SheetRequest,
    readonly type: EntityType,
    readonly columns: Column[],
    private readonly schema: Schema,
    private readonly wire: Wire,
    select: WireSelect,
    changed: () => void,
    failed: (error: unknown) => void,
  ) {
    const paths = columns.flatMap(pathsOf);
    this.windows = new Windows(wire, schema, select, paths, changed, failed);
  }

  static async open(
    wire: Wire,
    schema: Schema,
    request: SheetRequest,
    changed: () => void,
    failed: (error: unknown) => void,
  ): Promise<Sheet | QueryFault> {
    const begun = performance.now();
    const read = await readQuery(wire, request.query);
    if ("error" in read) return read;
    const type = schema.type(read.select.entity_type);
    const every = request.columns[0] === "*" ? allColumns(schema, type) : null;
    const chosen = every ? [] : request.columns.map((each) => columnAt(schema, type, each.split(".")));
    const columns = chosen.filter((each): each is Column => each !== null);
    const shown = every ?? (columns.length ? columns : defaultColumns(schema, type));
    const sheet = Sheet.over(wire, schema, request, type, shown, read.select, changed, failed);
    await sheet.windows.open();
    sheet.milliseconds = Math.round(performance.now() - begun);
    return sheet;
  }

  /** A sheet of these columns, of which nothing is fetched yet. */
  static over(
    wire: Wire,
    schema: Schema,
    request: SheetRequest,
    type: EntityType,
    columns: Column[],
    asked: WireSelect,
    changed: () => void,
    failed: (error: unknown) => void,
  ): Sheet {
    const select = { ...asked };
    if (request.sort) select.order = orderOf(schema, type, request.sort);
    return new Sheet(request, type, columns, schema, wire, select, changed, failed);
  }

  /** How many rows are shown: those of the query, and new ones after them. */
  total(unit: UnitOfWork): number {
    return this.windows.count + this.fresh(unit).length;
  }

  /** The row at a place, new ones after those of the query. */
  row(place: number, unit: UnitOfWork): Row | undefined {
    if (place < this.windows.count) return this.windows.at(place);
    const found = this.fresh(unit)[place - this.windows.count];
    const values = this.columns.flatMap(pathsOf).map(() => null);
    return found && { type: found.entity[0], key: found.entity[1], version: 0, values };
  }

  /** What a new entity takes from a row beside it: the references that it must have. */
  inherited(beside: Row, entity: Identity): Edit[] {
    const found: Edit[] = [];
    for (const [x, { own }] of this.columns.entries()) {
      const reference = this.reference(beside, x);
      if (own?.kind !== "reference" || !own.required || !reference) continue;
      const shown = { entity: `New ${entity[0]}`, before: "", value: String(this.value(beside, x) ?? "") };
      found.push({ entity, attribute: own.name, before: null, value: pack("reference", reference), version: 0, shown });
    }
    return found;
  }

  private fresh(unit: UnitOfWork): Marked[] {
    return unit.created.filter(({ entity }) => this.schema.isA(entity[0], this.type.name));
  }

  /** All paths that its rows have values at. */
  get paths(): Path[] {
    return this.columns.flatMap(pathsOf);
  }

  /** The value that a row has in a column. */
  value(row: Row, column: number): unknown {
    return row.values[this.place(column)];
  }

  /** The reference that a row has in a column, where that shows a label. */
  reference(row: Row, column: number): unknown {
    return this.columns[column]!.reference ? row.values[this.place(column) + 1] : undefined;
  }

  /** The shape that stands for the status that a row has in a column, if that shows statuses. */
  glyph(row: Row, column: number, shown: string): Glyph | null {
    const { state, reference } = this.columns[column]!;
    if (!state) return null;
    return glyphOf(shown, row.values[this.place(column) + (reference ? 2 : 1)]);
  }

  /** What a row is called. */
  name(row: Row): string {
    const label = this.schema.types.get(row.type)?.label ?? "name";
    const column = this.columns.findIndex((each) => each.path.length === 1 && each.path[0] === label);
    return column < 0 ? `${row.type} ${row.key.slice(0, 8)}` : String(this.value(row, column) ?? row.key.slice(0, 8));
  }

  /** The edit that typing a text into a cell means. */
  edit(row: Row, column: number, text: string): Edit {
    const { own } = this.columns[column]!;
    if (!own || own.kind === "reference") throw new Error(`${this.columns[column]!.title} cannot be typed`);
    const value = typed(own, text);
    if (value === null && own.required) throw new Error(`${own.label} cannot be empty`);
    const before = this.value(row, column);
    const texts = { entity: this.name(row), before: shown(own, before), value: shown(own, value) };
    return this.recorded(row, own.name, pack(own.type, before), pack(own.type, value), texts);
  }

  /** The edit that choosing another entity for a reference means. */
  choose(row: Row, column: number, chosen: Choice | null): Edit {
    const { own } = this.columns[column]!;
    if (own?.kind !== "reference") throw new Error(`${this.columns[column]!.title} is no reference`);
    if (chosen === null && own.required) throw new Error(`${own.label} cannot be empty`);
    const before = this.reference(row, column) ?? null;
    const texts = { entity: this.name(row), before: String(this.value(row, column) ?? ""), value: chosen?.label ?? "" };
    const value = chosen ? [chosen.type, chosen.key] : null;
    return this.recorded(row, own.name, pack("reference", before), pack("reference", value), texts);
  }

  /** What a reference may refer to, by label; at most 200. */
  async choices(column: number, part = ""): Promise<Choice[]> {
    return this.entities(this.columns[column]!.own!.target, part);
  }

  /** Entities of a type by label; at most 200. */
  async entities(type: string, part = ""): Promise<Choice[]> {
    const target = this.schema.type(type);
    const path: Path = [target.label];
    const where = part ? { is: "comparison", path, operator: "like", value: `%${part}%` } : null;
    const order = target.attributes.has("sort") ? [{ path: ["sort"], descending: false }] : [];
    const select: WireSelect = { entity_type: target.name, projections: [path], where, order: [...order, { path, descending: false }], limit: 200 };
    const page = await this.wire.post<WirePage>("/v1/select", { select, size: 200 });
    return new PageReader(this.schema, [path]).read(page).map((row) => ({ type: row.type, key: row.key, label: String(row.values[0]) }));
  }

  stop(): void {
    this.windows.stop();
  }

  private recorded(row: Row, attribute: string, before: unknown, value: unknown, texts: Edit["shown"]): Edit {
    return { entity: [row.type, row.key], attribute, before, value, version: row.version, shown: texts };
  }

  private place(column: number): number {
    let place = 0;
    for (let index = 0; index < column; index++) place += pathsOf(this.columns[index]!).length;
    return place;
  }
}

export interface Choice {
  type: string;
  key: string;
  label: string;
  /** The shape beside the label, and the key that chooses it. */
  glyph?: Glyph | null;
  hint?: string;
}

function orderOf(schema: Schema, type: EntityType, sort: string): WireSelect["order"] {
  const descending = sort.startsWith("-");
  const column = columnAt(schema, type, sort.replace(/^-/, "").split("."));
  return column ? [{ path: column.path, descending }] : [];
}
