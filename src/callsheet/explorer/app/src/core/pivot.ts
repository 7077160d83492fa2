// A pivot that is open: its cube, its numbers as the server computed them, and asking again when a commit reaches them.

import type { Update } from "./live.ts";
import type { PivotRequest } from "./pivot-place.ts";
import { PivotTable, type Member, type PivotAnswer, type PivotColumn } from "./pivot-table.ts";
import type { Wire } from "./wire.ts";

export interface Level {
  key: string;
  name: string;
  hierarchy: string;
  path: string;
  band: string | null;
}

/** What a cube is made of. */
export interface CubeFacts {
  name: string;
  table: string;
  description: string;
  filter: string;
  kept: boolean;
  levels: Level[];
  measures: { name: string; format: string; description: string }[];
}

export interface ScenarioFacts {
  name: string;
  owner: string;
  position: number;
  description: string;
}

export interface CubeList {
  cubes: { name: string; table: string; description: string }[];
  types: string[];
  scenarios: ScenarioFacts[];
}

/** One of the commits that changed a number. */
export interface Cause {
  position: number | null;
  user: string;
  time: string | null;
  handler: string;
  effect: number | null;
  changed: number;
  entities: [string, string, string][];
}

export interface Why {
  since: number;
  until: number;
  before: unknown;
  after: unknown;
  difference: number | null;
  causes: Cause[];
  hidden: number;
}

/** How long commits are collected before the numbers are asked for again, in milliseconds. */
const PAUSE = 120;

export class Pivot {
  facts: CubeFacts | null = null;
  table: PivotTable | null = null;
  loading = false;
  fault = "";
  readonly closed = new Set<string>();
  private turn = 0;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private stop: AbortController | null = null;

  /** Counts what has changed here, so that parts know when to draw again. */
  version = 0;

  constructor(private readonly wire: Wire, public request: PivotRequest, private readonly told: () => void) {}

  private changed(): void {
    this.version++;
    this.told();
  }

  /** Show another request: the cube is described once, the numbers are asked for. */
  async show(request: PivotRequest): Promise<void> {
    const same = this.facts !== null && request.cube === this.request.cube;
    this.request = request;
    const turn = ++this.turn;
    this.loading = true;
    this.changed();
    try {
      if (!same) {
        const facts = await this.wire.post<CubeFacts>("/explorer/x/cubes", { cube: request.cube });
        if (turn !== this.turn) return;
        this.facts = facts;
        this.table = null;
      }
      await this.ask(turn);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }

  private async ask(turn: number): Promise<void> {
    this.stop?.abort();
    const stop = (this.stop = new AbortController());
    const shown = this.request;
    try {
      const answer = await this.wire.post<PivotAnswer>("/explorer/x/cube", pivotBody(shown), stop.signal);
      if (turn !== this.turn) return;
      this.table = new PivotTable(answer, shown);
      this.fault = "";
    } catch (error) {
      if (stop.signal.aborted || turn !== this.turn) return;
      this.fail(error);
    }
    this.loading = false;
    this.changed();
  }

  private fail(error: unknown): void {
    // The numbers of the last question that worked stay.
    this.fault = error instanceof Error ? error.message : String(error);
    this.loading = false;
    this.changed();
  }

  /** A commit that changes what the numbers are made of: they are asked for again. */
  reached(update: Update): void {
    const types = this.table?.answer.types;
    if (!types || !update.types.some((each) => types.includes(each))) return;
    this.again();
  }

  again(): void {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => void this.ask(++this.turn), PAUSE);
  }

  close(): void {
    this.turn++;
    clearTimeout(this.waiting);
    this.stop?.abort();
  }

  /** The query of the entities behind a cell. */
  async drill(row: Member, column: PivotColumn): Promise<string> {
    return (await this.wire.post<{ query: string }>("/explorer/x/drill", this.cell(row, column))).query;
  }

  /** The commits that changed a cell: between the first moment and the last, or of the last `days`. */
  why(row: Member, column: PivotColumn, days: number): Promise<Why> {
    const moments = this.request.at;
    const since = moments.length > 1 ? moments[0] : new Date(Date.now() - days * 86_400_000).toISOString();
    const until = moments.at(-1) ?? null;
    return this.wire.post<Why>("/explorer/x/why", { ...this.cell(row, column), since, until });
  }

  private cell(row: Member, column: PivotColumn): Record<string, unknown> {
    const { scenarios, at, ...pivot } = pivotBody(this.request);
    const measure = this.table!.answer.measures[column.measure]!.name;
    return { pivot, ...this.table!.cell(row, column), measure, scenario: scenarios[column.scenario] ?? null, at: at[column.moment] ?? null };
  }
}

export function pivotBody(request: PivotRequest): { cube: string; rows: string[]; cols: string[]; measures: string[]; where: string[]; scenarios: (string | null)[]; at: (number | string | null)[] } {
  const { cube, rows, cols, values, where, scenarios, at } = request;
  return { cube, rows, cols, measures: values, where, scenarios, at };
}
