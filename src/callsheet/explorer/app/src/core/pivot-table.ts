// A cube's answer as a table: a tree of rows, columns with their heads, and the number where they meet. Nothing is added up.

import { formatted, share, signed } from "./number-format.ts";
import type { PivotRequest } from "./pivot-place.ts";

export interface PivotAnswer {
  cube: string;
  table: string;
  position: number | null;
  truncated: number | null;
  /** How many of the levels are on rows. */
  rows: number;
  levels: { name: string; kind: string; values: unknown[] }[];
  /** A bit for each level that a row sums up. */
  totals: number[];
  scenarios: (string | null)[];
  at: (number | null)[];
  /** The scenario and moment of a row: place of the scenario times the moments, and place of the moment. */
  states: number[];
  measures: { name: string; format: string; values: unknown[] }[];
  types: string[];
  milliseconds: number;
}

/** A row, or the members of a column: the first levels of its axis. */
export interface Member {
  path: unknown[];
  depth: number;
  key: string;
  children: Member[];
  parent: Member | null;
}

export type ColumnKind = "value" | "change" | "gap";

export interface PivotColumn {
  kind: ColumnKind;
  scenario: number;
  moment: number;
  member: Member;
  measure: number;
  /** One text for each row of the head. */
  heads: string[];
  /** Its name in addresses. */
  name: string;
}

export const keyOf = (path: unknown[]): string => JSON.stringify(path);

const LEAST = "￿";

export class PivotTable {
  readonly root: Member;
  readonly columns: PivotColumn[];
  readonly rowLevels: string[];
  private readonly cells = new Map<string, number>();
  private readonly top: Member;

  constructor(readonly answer: PivotAnswer, readonly request: PivotRequest) {
    this.rowLevels = answer.levels.slice(0, answer.rows).map((each) => each.name);
    this.root = member([], null);
    this.top = member([], null);
    this.read();
    order(this.top, (one, other) => compare(last(one), last(other)));
    this.columns = this.makeColumns();
    const place = this.columns.find((each) => each.name === request.sort.replace(/^-/, ""));
    if (request.sort && place) {
      const sign = request.sort.startsWith("-") ? -1 : 1;
      order(this.root, (one, other) => sign * compareNumbers(this.number(one, place), this.number(other, place)) || compare(last(one), last(other)));
    } else order(this.root, (one, other) => compare(last(one), last(other)));
  }

  private read(): void {
    const { levels, totals, rows, states } = this.answer;
    const rowsByKey = new Map([[this.root.key, this.root]]);
    const columnsByKey = new Map([[this.top.key, this.top]]);
    for (let row = 0; row < totals.length; row++) {
      const path: unknown[] = [];
      const across: unknown[] = [];
      for (let place = 0; place < levels.length; place++) {
        if (totals[row]! & (1 << place)) continue;
        (place < rows ? path : across).push(levels[place]!.values[row]);
      }
      const at = grown(rowsByKey, path);
      const over = grown(columnsByKey, across);
      this.cells.set(`${states[row]} ${at.key} ${over.key}`, row);
    }
  }

  private makeColumns(): PivotColumn[] {
    const { answer, request } = this;
    const found: PivotColumn[] = [];
    const members = flat(this.top);
    const several = request.scenarios.length > 1 || request.scenarios[0] !== null;
    const moments = request.at.length > 1 || request.at[0] !== null;
    const deep = answer.levels.length - answer.rows;
    const group = (kind: ColumnKind, scenario: number, moment: number, above: string, when: string): void => {
      for (const over of members)
        for (const [place, measure] of answer.measures.entries()) {
          const names = over.path.map(memberText);
          while (names.length < deep) names.push(names.length === over.depth ? "Total" : "");
          const heads = [...(several ? [above] : []), ...(moments ? [when] : []), ...names, measure.name];
          const name = [kind === "value" ? "" : kind, scenario, moment, over.key, measure.name].join("|");
          found.push({ kind, scenario, moment, member: over, measure: place, heads, name });
        }
    };
    for (const [scenario, name] of answer.scenarios.entries()) {
      for (const moment of answer.at.keys()) group("value", scenario, moment, name ?? "As it is", momentText(request.at[moment] ?? null));
      if (answer.at.length > 1) group("change", scenario, answer.at.length - 1, name ?? "As it is", "Change");
    }
    if (answer.scenarios.length > 1) group("gap", answer.scenarios.length - 1, answer.at.length - 1, "Difference", momentText(request.at.at(-1) ?? null));
    return found;
  }

  /** How many rows the head has. */
  get heads(): number {
    return this.columns[0]?.heads.length ?? 1;
  }

  /** The rows in sight: of members that are closed, none below; the total of all is the last. */
  rows(closed: Set<string>): Member[] {
    const found: Member[] = [];
    const walk = (each: Member): void => {
      for (const child of each.children) {
        found.push(child);
        if (!closed.has(child.key)) walk(child);
      }
    };
    walk(this.root);
    return [...found, this.root];
  }

  /** The place of a cell in the answer. */
  place(row: Member, column: PivotColumn, moment = column.moment, scenario = column.scenario): number | undefined {
    return this.cells.get(`${scenario * this.answer.at.length + moment} ${row.key} ${column.member.key}`);
  }

  /** The number of a cell: of a change, how much more there is than at the first moment. */
  number(row: Member, column: PivotColumn): unknown {
    const now = this.value(row, column);
    if (column.kind === "value") return now;
    const before = column.kind === "change" ? this.value(row, column, 0) : this.value(row, column, column.moment, 0);
    if (typeof now !== "number" && typeof before !== "number") return null;
    return Number(((Number(now ?? 0)) - Number(before ?? 0)).toPrecision(12));
  }

  private value(row: Member, column: PivotColumn, moment = column.moment, scenario = column.scenario): unknown {
    const place = this.place(row, column, moment, scenario);
    return place === undefined ? null : this.answer.measures[column.measure]!.values[place];
  }

  /** What a cell shows. */
  text(row: Member, column: PivotColumn): string {
    const number = this.number(row, column);
    const { format } = this.answer.measures[column.measure]!;
    if (column.kind !== "value") return typeof number === "number" ? signed(number, format) : "";
    if (this.request.share) {
      const whole = this.request.share === "total" ? this.root : (row.parent ?? row);
      return share(number, this.number(whole, column));
    }
    return formatted(number, format);
  }

  /** What a row is called. */
  label(row: Member): string {
    return row === this.root ? "All" : memberText(last(row));
  }

  /** The values of a cell at the levels, and which of them it sums up: what the server finds it by. */
  cell(row: Member, column: PivotColumn): { cell: unknown[]; totals: number } {
    const { levels, rows } = this.answer;
    let totals = 0;
    const cell = levels.map((_, place) => {
      const path = place < rows ? row.path : column.member.path;
      const at = place < rows ? place : place - rows;
      if (at < path.length) return path[at];
      totals |= 1 << place;
      return null;
    });
    return { cell, totals };
  }
}

export function memberText(value: unknown): string {
  if (value === null || value === undefined || value === "") return "(none)";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}

export function momentText(moment: number | string | null): string {
  return moment === null ? "Now" : typeof moment === "number" ? moment.toLocaleString("en") : moment;
}

function member(path: unknown[], parent: Member | null): Member {
  return { path, depth: path.length, key: keyOf(path), children: [], parent };
}

function last(each: Member): unknown {
  return each.path[each.path.length - 1];
}

/** The member of a path, with those above it. */
function grown(known: Map<string, Member>, path: unknown[]): Member {
  const key = keyOf(path);
  const found = known.get(key);
  if (found) return found;
  const parent = grown(known, path.slice(0, -1));
  const made = member(path, parent);
  parent.children.push(made);
  known.set(key, made);
  return made;
}

/** The members of the columns: leaves first, then what sums them up. */
function flat(top: Member): Member[] {
  return [...top.children.flatMap(flat), top];
}

function order(top: Member, by: (one: Member, other: Member) => number): void {
  top.children.sort(by);
  for (const each of top.children) order(each, by);
}

const texts = new Intl.Collator("en", { numeric: true });

function compare(one: unknown, other: unknown): number {
  if (typeof one === "number" && typeof other === "number") return one - other;
  const text = (value: unknown): string => (value === null || value === undefined ? LEAST : String(value));
  return texts.compare(text(one), text(other)) || 0;
}

function compareNumbers(one: unknown, other: unknown): number {
  return (typeof one === "number" ? one : -Infinity) - (typeof other === "number" ? other : -Infinity) || 0;
}
