// A timeline: the rows of a query in groups, each with its span of days, and what waits for what.

import { spanOf, type Span } from "../core/days.ts";
import { PageReader, type Path, type Row, type WirePage } from "../core/records.ts";
import type { Schema } from "../core/schema.ts";
import type { QueryFault } from "../core/sheet.ts";
import { keyOf } from "../core/tasks.ts";
import type { UnitOfWork } from "../core/unit.ts";
import type { Wire } from "../core/wire.ts";
import type { WireSelect } from "../core/windows.ts";
import type { Update } from "../core/live.ts";
import { Grid } from "./grid.ts";
import type { View } from "../core/view.ts";

/** `after` waits for `before`. */
export interface Dependency {
  before: string;
  after: string;
  lag: number;
  /** Whether it waits for the other's end; other kinds are drawn, and not judged. */
  ends: boolean;
}

export interface Dates {
  start: string;
  end: string;
  /** The day of those that have neither; empty if there is no such attribute. */
  due: string;
}

/** The attributes that say when entities of a type begin and end; null if it has none. */
export function datesOf(schema: Schema, type: string): Dates | null {
  const known = schema.type(type).attributes;
  const is = (name: string): boolean => known.get(name)?.type === "date" && !known.get(name)!.readOnly;
  const due = ["due_date", "due"].find(is);
  const end = ["end_date", "end"].find(is) ?? due;
  const start = ["start_date", "start"].find(is) ?? end;
  return start ? { start, end: end ?? start, due: due ?? "" } : null;
}

/** Rows whose dependencies are asked for at once. */
const MOST = 400;

export class Timeline implements View {
  readonly dependencies = new Map<string, Dependency[]>();
  private asked = new Set<string>();
  /** The first and the last day of all rows. */
  first: number | null = null;
  last: number | null = null;

  private constructor(readonly grid: Grid, readonly dates: Dates, private readonly schema: Schema, private readonly wire: Wire, private readonly changed: () => void) {}

  static async open(wire: Wire, schema: Schema, request: { query: string; group: string }, changed: () => void, failed: (error: unknown) => void): Promise<Timeline | QueryFault> {
    const name = /\w+/.exec(request.query)?.[0] ?? "";
    const dates = schema.types.has(name) ? datesOf(schema, name) : null;
    const known = schema.types.get(name)?.attributes;
    const columns = [schema.types.get(name)?.label ?? "name", ...(dates ? new Set([dates.start, dates.end, dates.due].filter(Boolean)) : []), ...(known?.has("status") ? ["status"] : [])];
    const grid = await Grid.open(wire, schema, { query: request.query, columns, sort: dates?.start ?? "", group: request.group, steps: false }, changed, failed);
    if ("error" in grid) return grid;
    if (!dates) return { error: `a timeline needs dates, and ${grid.type.name} has none`, position: null, hint: "" };
    const found = new Timeline(grid, dates, schema, wire, changed);
    await found.measure();
    return found;
  }

  get type() {
    return this.grid.type;
  }

  get count(): number {
    return this.grid.count;
  }

  readonly counted = true;

  get milliseconds(): number {
    return this.grid.milliseconds;
  }

  /** The span of a row: as it will be, or as the server has it. */
  span(row: Row, unit: UnitOfWork | null): Span | null {
    const value = (name: string): unknown => {
      const edit = unit?.of([row.type, row.key], name);
      return edit ? edit.shown.value : this.grid.sheet.value(row, this.column(name));
    };
    const { start, end, due } = this.dates;
    return spanOf(value(start), value(end)) ?? (due ? spanOf(value(due), null) : null);
  }

  column(name: string): number {
    return this.grid.sheet.columns.findIndex((each) => each.own?.name === name);
  }

  /** Ask for what rows wait for, once. */
  want(rows: Row[]): void {
    const keys = rows.map((each) => each.key).filter((key) => !this.asked.has(key)).slice(0, MOST);
    const links = this.grid.type.attributes.get("incoming_links");
    if (!keys.length || links?.kind !== "collection") return;
    for (const key of keys) this.asked.add(key);
    void this.link(links.target, keys).then(this.changed, () => {});
  }

  private async link(type: string, keys: string[]): Promise<void> {
    const paths: Path[] = [["source"], ["target"], ["lag"], ["kind"]];
    const where = { is: "comparison", path: ["target", "id"], operator: "in", value: keys };
    const select: WireSelect = { entity_type: type, projections: paths, where, limit: 2000 };
    const page = await this.wire.post<WirePage>("/v1/select", { select, size: 2000 });
    for (const key of keys) this.dependencies.set(key, []);
    for (const { values } of new PageReader(this.schema, paths).read(page)) {
      const [source, target, lag, kind] = values;
      this.dependencies.get(keyOf(target)!)?.push({ before: keyOf(source)!, after: keyOf(target)!, lag: Number(lag ?? 0), ends: (kind ?? "finish_to_start") === "finish_to_start" });
    }
  }

  private async measure(): Promise<void> {
    const { projections: _, order: __, ...select } = this.grid.windows.select;
    const names = [...new Set(Object.values(this.dates))].filter(Boolean);
    const functions = names.flatMap((each) => [["minimum", [each]], ["maximum", [each]]]);
    const { rows } = await this.wire.post<{ rows: unknown[][] }>("/v1/aggregate", { select, functions });
    const days = (rows[0] ?? []).map((each) => spanOf((each as { $date?: string } | null)?.$date ?? each, null)?.start ?? null);
    const known = days.filter((each): each is number => each !== null);
    this.first = known.length ? Math.min(...known) : null;
    this.last = known.length ? Math.max(...known) : null;
  }

  touched(update: Update): string[] {
    return this.grid.touched(update);
  }

  async refresh(keys: Set<string> | null): Promise<void> {
    await this.grid.refresh(keys);
  }

  versionOf(key: string): number | undefined {
    return this.grid.versionOf(key);
  }

  stop(): void {
    this.grid.stop();
  }
}
