// A grouped sheet: rows in groups with their totals, and a cell for each step of the work on a row.

import { columnAt, defaultColumns, pathsOf, type Column } from "../core/columns.ts";
import { Lines, type Group } from "../core/lines.ts";
import type { Update } from "../core/live.ts";
import type { Path, Row, WirePage } from "../core/records.ts";
import type { EntityType, Schema } from "../core/schema.ts";
import { readQuery, Sheet, type QueryFault } from "../core/sheet.ts";
import { attach, sharesOf, type Named, type Shares, type Task, type Work, type WorkPages, type WorkRow } from "../core/tasks.ts";
import type { Wire } from "../core/wire.ts";
import { RUN, Windows, type WireSelect } from "../core/windows.ts";
import type { View } from "../core/view.ts";

export interface GridRequest {
  query: string;
  columns: string[];
  sort: string;
  /** A path; empty: no groups. */
  group: string;
  /** Whether there is a cell for each step. */
  steps: boolean;
}

/** What the server says of all rows, at one position. */
export interface Summary {
  position: number | null;
  count: number;
  totals: (number | null)[];
  groups?: Group[];
  target?: string;
  steps?: Named[];
  statuses?: Named[];
  bars?: number[][];
}

interface RowsAnswer extends WorkPages {
  page: WirePage;
  work: Work | null;
  cut?: boolean;
  summary?: Summary;
}

/** Steps of a production's sheet have few plain columns beside them. */
const BESIDE = ["frame_count", "due_date"];

class WorkWindows extends Windows {
  work: Work | null = null;
  summary: Summary | null = null;

  constructor(
    wire: Wire,
    private readonly schema: Schema,
    select: WireSelect,
    paths: Path[],
    private readonly beside: { group: string; work: string; totals: string[] },
    private readonly whole: WireSelect,
    changed: () => void,
    failed: (error: unknown) => void,
  ) {
    super(wire, schema, select, paths, changed, failed);
  }

  /** The first rows come with the summary of all. */
  override async open(): Promise<void> {
    await this.fetch(0);
    this.counted = true;
    this.count = this.summary?.count ?? 0;
  }

  async summarise(): Promise<void> {
    const select = { ...this.select, offset: 0, limit: 1 };
    const answer = await this.wire.post<RowsAnswer>("/explorer/x/rows", { select, ...this.beside, summary: true, whole: this.whole });
    this.summary = answer.summary!;
    this.count = this.summary.count;
  }

  protected override async load(select: WireSelect, size: number, signal?: AbortSignal): Promise<Row[]> {
    const first = this.summary === null;
    const found: WorkRow[] = [];
    for (let from = 0; from < size; from += RUN) {
      const part = { ...select, offset: (select.offset ?? 0) + from, limit: Math.min(RUN, size - from) };
      const body = { select: part, ...this.beside, ...(first ? { summary: true, whole: this.whole } : {}) };
      const answer = await this.wire.post<RowsAnswer>("/explorer/x/rows", body, signal);
      const rows: WorkRow[] = this.reader.read(answer.page);
      this.work = answer.work;
      if (answer.work) attach(this.schema, answer.work, rows, answer);
      if (answer.summary) this.summary = answer.summary;
      found.push(...rows);
    }
    return found;
  }
}

export class Grid implements View {
  milliseconds = 0;
  readonly lines: Lines;
  shares!: { groups: Shares[][]; all: Shares[] };
  private waiting: ReturnType<typeof setTimeout> | undefined;

  private constructor(readonly request: GridRequest, readonly sheet: Sheet, readonly windows: WorkWindows, readonly totals: string[], private readonly changed: () => void) {
    this.lines = new Lines(windows.summary!.groups ?? [], windows.count);
    this.share();
  }

  static async open(wire: Wire, schema: Schema, request: GridRequest, changed: () => void, failed: (error: unknown) => void): Promise<Grid | QueryFault> {
    const begun = performance.now();
    const read = await readQuery(wire, request.query);
    if ("error" in read) return read;
    const type = schema.type(read.select.entity_type);
    const columns = columnsOf(schema, type, request);
    const sheet = Sheet.over(wire, schema, { query: request.query, columns: [], sort: request.sort }, type, columns, read.select, changed, failed);
    const paths = [...columns.flatMap(pathsOf), ...extrasOf(type).map((each) => [each])];
    const totals = columns.filter(isNumber).map((each) => each.path.join("."));
    const beside = { group: request.group, work: request.steps ? "*" : "", totals };
    const windows = new WorkWindows(wire, schema, sheet.windows.select, paths, beside, read.select, changed, failed);
    await windows.open();
    const grid = new Grid(request, sheet, windows, totals, changed);
    grid.milliseconds = Math.round(performance.now() - begun);
    return grid;
  }

  get type(): EntityType {
    return this.sheet.type;
  }

  get count(): number {
    return this.windows.count;
  }

  readonly counted = true;

  get summary(): Summary {
    return this.windows.summary!;
  }

  get work(): Work | null {
    return this.windows.work;
  }

  get steps(): Named[] {
    return this.summary.steps ?? [];
  }

  get statuses(): Named[] {
    return (this.summary.statuses ?? []).filter((each) => each.key !== null);
  }

  get groups(): Group[] {
    return this.summary.groups ?? [];
  }

  row(place: number): WorkRow | undefined {
    return this.windows.at(place);
  }

  /** The component that is a row's picture, if it has one. */
  picture(row: Row): string | null {
    const value = this.extra(row, "thumbnail");
    return Array.isArray(value) ? String(value[1]) : null;
  }

  /** What a row is about, in words. */
  about(row: Row): string {
    return String(this.extra(row, "description") ?? "").slice(0, 200);
  }

  private extra(row: Row, name: string): unknown {
    const place = extrasOf(this.type).indexOf(name);
    return place < 0 ? null : row.values[this.sheet.paths.length + place];
  }

  /** The work of a row at a step. */
  tasks(row: WorkRow, step: number): Task[] {
    return row.tasks?.get(this.steps[step]?.key ?? null) ?? [];
  }

  /** The sum of a column, of all rows or of a group; undefined where none is wanted. */
  total(column: Column, group: number | null): number | null | undefined {
    const place = this.totals.indexOf(column.path.join("."));
    if (place < 0) return undefined;
    return group === null ? this.summary.totals[place] : this.groups[group]?.totals[place];
  }

  // As every view

  touched(update: Update): string[] {
    const { work } = this;
    if (update.types.includes(this.type.name)) return [update.key];
    if (!work) return [];
    const keys: string[] = [];
    if (update.type === work.type || update.type === work.assigning?.type) {
      for (const [, row] of this.windows.here() as Iterable<[number, WorkRow]>) if (update.type !== work.type || holds(row, update.key)) keys.push(row.key);
    }
    return keys;
  }

  async refresh(keys: Set<string> | null): Promise<void> {
    const wanted = keys ?? new Set([...this.windows.here()].map(([, row]) => row.key));
    await this.windows.refresh(wanted);
    clearTimeout(this.waiting);
    if (keys === null) await this.summarise();
    else this.waiting = setTimeout(() => void this.summarise().then(this.changed, () => {}), 300);
  }

  versionOf(key: string): number | undefined {
    for (const [, row] of this.windows.here() as Iterable<[number, WorkRow]>) {
      if (row.key === key) return row.version;
      for (const tasks of row.tasks?.values() ?? []) for (const task of tasks) if (task.key === key) return task.version;
    }
    return undefined;
  }

  stop(): void {
    clearTimeout(this.waiting);
    this.windows.stop();
  }

  private async summarise(): Promise<void> {
    await this.windows.summarise();
    this.lines.replace(this.groups, this.count);
    this.share();
  }

  private share(): void {
    const { summary } = this;
    this.shares = sharesOf(summary.statuses ?? [], summary.bars ?? [], Math.max(1, this.groups.length), this.steps.length);
  }
}

/** What is shown beside the label of a row. */
const extrasOf = (type: EntityType): string[] => ["thumbnail", "description"].filter((each) => type.attributes.has(each));

function holds(row: WorkRow, key: string): boolean {
  for (const tasks of row.tasks?.values() ?? []) if (tasks.some((each) => each.key === key)) return true;
  return false;
}

const isNumber = (column: Column): boolean => column.path.length === 1 && (column.attribute.type === "number" || column.attribute.type === "integer");

function columnsOf(schema: Schema, type: EntityType, request: GridRequest): Column[] {
  const at = (text: string): Column | null => columnAt(schema, type, text.split("."));
  const wanted = request.columns.length ? request.columns : request.steps ? [type.label, ...BESIDE.filter((each) => type.attributes.has(each))] : [];
  const columns = wanted.map(at).filter((each): each is Column => each !== null);
  return columns.length ? columns : defaultColumns(schema, type);
}
