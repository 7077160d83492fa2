// Windows of a long result: rows are fetched in runs of 200 when they come into sight, and a few runs are kept.

import { PageReader, type Path, type Row, type WirePage } from "./records.ts";
import type { Schema } from "./schema.ts";
import type { Wire } from "./wire.ts";

export interface WireSelect {
  entity_type: string;
  projections?: Path[];
  where?: unknown;
  order?: { path: Path; descending: boolean }[];
  limit?: number | null;
  offset?: number;
  [other: string]: unknown;
}

export const RUN = 200;
const KEPT = 6;
/** Keys in one request. */
const MOST = 500;

/** The rows of one query. `changed` is called when rows that were asked for have come. */
export class Windows {
  /** How many rows there are; until they are counted, how many are here. */
  count = 0;
  counted = false;
  protected readonly reader: PageReader;
  private readonly runs = new Map<number, Row[]>();
  private readonly coming = new Map<number, AbortController>();
  private stopped = false;

  constructor(
    protected readonly wire: Wire,
    schema: Schema,
    readonly select: WireSelect,
    paths: Path[],
    protected readonly changed: () => void,
    protected readonly failed: (error: unknown) => void,
  ) {
    this.reader = new PageReader(schema, paths);
    this.select = { ...select, projections: paths };
  }

  /** Fetch the first rows, and count them all: the rows are here first, and may be shown. */
  async open(): Promise<void> {
    const { projections: _, order: __, ...counted } = this.select;
    const asked = this.wire.post<{ rows: number[][] }>("/v1/aggregate", { select: counted, functions: [["count", null]] });
    // What goes wrong with both is said once.
    asked.catch(() => {});
    await this.fetch(0);
    this.count = this.runs.get(0)?.length ?? 0;
    this.counted = this.count < RUN;
    if (this.counted) return;
    asked.then((answer) => {
      this.count = answer.rows[0]?.[0] ?? 0;
      this.counted = true;
      if (!this.stopped) this.changed();
    }, this.failed);
  }

  /** The row at a place, if it is here; else it is fetched. */
  at(place: number): Row | undefined {
    const run = Math.floor(place / RUN);
    const rows = this.runs.get(run);
    if (!rows) {
      this.ask(run);
      return undefined;
    }
    this.runs.delete(run);
    this.runs.set(run, rows);
    return rows[place - run * RUN];
  }

  /** The first row, if it is here. */
  get first(): Row | undefined {
    return this.runs.get(0)?.[0];
  }

  /** Ask ahead for what will be in sight soon, and give up on what was passed. */
  expect(first: number, last: number): void {
    const from = Math.floor(Math.max(0, first - RUN / 2) / RUN);
    const to = Math.floor(Math.min(this.count, last + RUN / 2) / RUN);
    for (const [run, controller] of this.coming) if (run < from - 1 || run > to + 1) controller.abort();
    for (let run = from; run <= to; run++) if (!this.runs.has(run)) this.ask(run);
  }

  /** The rows that are here, with their places. */
  *here(): Iterable<[number, Row]> {
    for (const [run, rows] of this.runs) for (const [index, row] of rows.entries()) yield [run * RUN + index, row];
  }

  /** Replace rows by what the server has now; places stay. */
  async refresh(keys: Set<string>): Promise<Row[]> {
    const fresh = new Map<string, Row>();
    const wanted = [...keys];
    for (let from = 0; from < wanted.length; from += MOST) {
      const value = wanted.slice(from, from + MOST);
      const where = { is: "comparison", path: ["id"], operator: "in", value };
      const select = { ...this.select, where, limit: null, offset: 0 };
      for (const row of await this.load(select, value.length)) fresh.set(row.key, row);
    }
    const found: Row[] = [];
    for (const rows of this.runs.values()) {
      for (const [index, row] of rows.entries()) {
        const now = fresh.get(row.key);
        if (now && now.version >= row.version) found.push((rows[index] = now));
      }
    }
    return found;
  }

  /** The rows of a query. */
  protected async load(select: WireSelect, size: number, signal?: AbortSignal): Promise<Row[]> {
    return this.reader.read(await this.wire.post<WirePage>("/v1/select", { select, size }, signal));
  }

  stop(): void {
    this.stopped = true;
    for (const controller of this.coming.values()) controller.abort();
  }

  /** Fetch a run, unless it is here or under way; what is shown changes when it has come. */
  private ask(run: number): void {
    if (this.stopped || this.coming.has(run) || this.runs.has(run)) return;
    void this.fetch(run).then(() => {
      if (this.runs.has(run)) this.changed();
    }, this.failed);
  }

  protected async fetch(run: number): Promise<void> {
    const controller = new AbortController();
    this.coming.set(run, controller);
    try {
      const offset = (this.select.offset ?? 0) + run * RUN;
      const most = this.select.limit == null ? RUN : Math.min(RUN, this.select.limit - run * RUN);
      if (most <= 0) return;
      const select = { ...this.select, offset, limit: most };
      const rows = await this.load(select, most, controller.signal);
      if (this.stopped) return;
      this.runs.set(run, rows);
      while (this.runs.size > KEPT) this.runs.delete(this.runs.keys().next().value!);
    } catch (error) {
      if (!controller.signal.aborted) throw error;
    } finally {
      this.coming.delete(run);
    }
  }
}
