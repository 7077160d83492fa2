// The work on a row by step, as the server sends it beside the rows; how much of it has which status.

import { glyphOf, type Glyph } from "./glyphs.ts";
import { PageReader, type Identity, type Path, type Row, type WirePage } from "./records.ts";
import type { Schema } from "./schema.ts";

/** What work is, by the schema of the server. */
export interface Work {
  type: string;
  parent: string;
  step: string;
  step_type: string;
  step_label: string;
  status: string;
  status_type: string;
  status_label: string;
  due: string;
  assigning: { type: string; work: string; person: string; target: string; label: string; people: string; people_label: string } | null;
}

/** Somebody who is assigned: `assignment` is what joins the two. */
export interface Person {
  assignment: Identity;
  version: number;
  person: Identity;
  label: string;
}

export interface Task {
  type: string;
  key: string;
  version: number;
  name: string;
  parent: string;
  step: string | null;
  status: Identity | null;
  label: string;
  state: unknown;
  due: string;
  people: Person[];
}

/** A row with its work, by the key of the step. */
export interface WorkRow extends Row {
  tasks?: Map<string | null, Task[]>;
}

export interface Named {
  key: string | null;
  label: string;
  state?: unknown;
}

export interface WorkPages {
  tasks: WirePage[];
  people: WirePage[];
}

/** Give each row its work. */
export function attach(schema: Schema, work: Work, rows: WorkRow[], pages: WorkPages): void {
  const people = peopleOf(schema, work, pages.people);
  const own = schema.type(work.type).label;
  const paths: Path[] = [[own], [work.parent], [work.step], [work.status], [work.status, work.status_label], [work.status, "state", "short"]];
  if (work.due) paths.push([work.due]);
  const reader = new PageReader(schema, paths);
  const byRow = new Map<string, WorkRow>();
  for (const row of rows) {
    row.tasks = new Map();
    byRow.set(row.key, row);
  }
  for (const page of pages.tasks) {
    for (const { type, key, version, values } of reader.read(page)) {
      const [name, parent, step, status, label, state, due] = values;
      const row = byRow.get(keyOf(parent) ?? "");
      if (!row) continue;
      const task: Task = {
        type,
        key,
        version,
        name: String(name ?? ""),
        parent: row.key,
        step: keyOf(step),
        status: (status as Identity | null) ?? null,
        label: String(label ?? ""),
        state,
        due: String(due ?? ""),
        people: people.get(key) ?? [],
      };
      const there = row.tasks!.get(task.step);
      if (there) there.push(task);
      else row.tasks!.set(task.step, [task]);
    }
  }
}

function peopleOf(schema: Schema, { assigning }: Work, pages: WirePage[]): Map<string, Person[]> {
  const found = new Map<string, Person[]>();
  if (!assigning) return found;
  const reader = new PageReader(schema, [[assigning.work], [assigning.person], [assigning.person, assigning.label], [[assigning.person, assigning.people] as [string, string], assigning.people_label]]);
  for (const page of pages) {
    for (const { type, key, version, values } of reader.read(page)) {
      const [task, person, label, user] = values;
      const one: Person = { assignment: [type, key], version, person: person as Identity, label: String(label || user || "") };
      const at = keyOf(task)!;
      const there = found.get(at);
      if (there) there.push(one);
      else found.set(at, [one]);
    }
  }
  return found;
}

/** The letters that stand for somebody: `anna lind` is `AL`, `lighter 04` is `L04`. */
export function initials(name: string): string {
  const parts = name.trim().split(/[\s._-]+/).filter(Boolean);
  if (!parts.length) return "";
  const last = parts.length > 1 ? parts.at(-1)! : "";
  const end = /^\d+$/.test(last) ? last.slice(0, 3) : last.slice(0, 1);
  return ((parts.length > 1 ? parts[0]!.slice(0, 1) : parts[0]!.slice(0, 2)) + end).toUpperCase();
}

/** How much work has which shape of status: what bars are drawn of. */
export type Shares = Map<Glyph, number>;

/** The order of a bar's parts: what is done first. */
export const BAR: Glyph[] = ["done", "review", "wip", "retake", "hold", "ready", "wait", "omit"];

/** For each group (one, if there are none) and step, its shares. */
export function sharesOf(statuses: Named[], bars: number[][], groups: number, steps: number): { groups: Shares[][]; all: Shares[] } {
  const glyphs = statuses.map((each) => (each.key === null ? "wait" : (glyphOf(each.label, each.state) ?? "wait")) as Glyph);
  const empty = (): Shares[] => Array.from({ length: steps }, () => new Map());
  const found = Array.from({ length: groups }, empty);
  const all = empty();
  for (const [group, step, status, count] of bars as [number, number, number, number][]) {
    for (const shares of [found[group]?.[step], all[step]]) shares?.set(glyphs[status]!, (shares.get(glyphs[status]!) ?? 0) + count);
  }
  return { groups: found, all };
}

/** The share done of what is not omitted, in percent; null if there is nothing. */
export function doneShare(shares: Shares): number | null {
  let all = 0;
  for (const [glyph, count] of shares) if (glyph !== "omit") all += count;
  return all ? Math.floor(((shares.get("done") ?? 0) / all) * 100) : null;
}

/** The shares as parts of a whole, in the order of a bar: each with its end, from 0 to 100. */
export function partsOf(shares: Shares): [Glyph, number][] {
  let all = 0;
  for (const count of shares.values()) all += count;
  const found: [Glyph, number][] = [];
  let end = 0;
  for (const glyph of BAR) {
    const count = shares.get(glyph) ?? 0;
    if (!count) continue;
    end += count;
    found.push([glyph, Math.round((end / all) * 1000) / 10]);
  }
  return found;
}

export function keyOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return String(Array.isArray(value) ? value[1] : value);
}
