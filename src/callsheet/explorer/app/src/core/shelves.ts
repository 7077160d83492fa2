// What stands on a pivot's shelves, and how it gets there: rows, columns, values, filters. No DOM.

import type { CubeFacts, Level } from "./pivot.ts";
import type { PivotRequest } from "./pivot-place.ts";

export type Shelf = "rows" | "cols" | "values";
export const SHELVES: Shelf[] = ["rows", "cols", "values"];
export const TITLES: Record<Shelf, string> = { rows: "Rows", cols: "Columns", values: "Values" };

/** A level or a measure that is dragged, and where from. */
export interface Dragged {
  name: string;
  from: Shelf | null;
}

/** Whether a name is one of the cube's measures, or a text of one. */
export function isMeasure(facts: CubeFacts, name: string): boolean {
  return facts.measures.some((each) => each.name === name) || !facts.levels.some((each) => each.key === name);
}

/** The shelf on which a name is; null if it is on none. */
export function shelfOf(request: PivotRequest, name: string): Shelf | null {
  return SHELVES.find((shelf) => request[shelf].includes(name)) ?? null;
}

/** The request with a name on a shelf, before a place (the end by default); a measure is always a value. */
export function placed(facts: CubeFacts, request: PivotRequest, name: string, shelf: Shelf, before?: number): PivotRequest {
  const measure = isMeasure(facts, name);
  const to: Shelf = measure ? "values" : shelf === "values" ? "rows" : shelf;
  const here = request[to].indexOf(name);
  const rest = removed(request, name);
  const list = [...rest[to]];
  const place = before === undefined ? list.length : here >= 0 && here < before ? before - 1 : before;
  list.splice(Math.min(place, list.length), 0, name);
  return { ...rest, [to]: list };
}

export function removed(request: PivotRequest, name: string): PivotRequest {
  const without = (list: string[]): string[] => list.filter((each) => each !== name);
  return { ...request, rows: without(request.rows), cols: without(request.cols), values: without(request.values) };
}

/** The request with a name one place further along its shelf, or on the next shelf. */
export function moved(facts: CubeFacts, request: PivotRequest, name: string, way: "left" | "right" | "up" | "down"): PivotRequest {
  const shelf = shelfOf(request, name);
  if (!shelf) return request;
  const place = request[shelf].indexOf(name);
  if (way === "left") return place === 0 ? request : placed(facts, request, name, shelf, place - 1);
  if (way === "right") return place === request[shelf].length - 1 ? request : placed(facts, request, name, shelf, place + 2);
  if (shelf === "values") return request;
  return placed(facts, request, name, way === "up" ? "rows" : "cols");
}

/** What a level is called where its hierarchy is not in sight. */
export function levelTitle(facts: CubeFacts, name: string): string {
  const level = facts.levels.find((each) => each.key === name);
  if (!level) return name;
  return level.band ? `${level.hierarchy} · ${level.name.toLowerCase()}` : level.name;
}

/** The condition that a level has one of some members, as text of the query language. */
export function memberCondition(level: Level, members: unknown[]): string {
  if (level.band) return members.length === 1 ? period(level, String(members[0])) : `(${members.map((each) => period(level, String(each))).join(" or ")})`;
  if (members.length === 1) return members[0] === null ? `${level.path} is none` : `${level.path} is ${literal(members[0])}`;
  const named = members.filter((each) => each !== null);
  const among = `${level.path} in (${named.map(literal).join(", ")})`;
  return named.length === members.length ? among : `(${among} or ${level.path} is none)`;
}

function period(level: Level, first: string): string {
  if (first === "null") return `${level.path} is none`;
  return `(${level.path} >= "${first}" and ${level.path} < "${after(first, level.band!)}")`;
}

/** The first day after a period. */
export function after(first: string, band: string): string {
  const day = new Date(`${first.slice(0, 10)}T00:00:00Z`);
  if (band === "year") day.setUTCFullYear(day.getUTCFullYear() + 1);
  else if (band === "quarter") day.setUTCMonth(day.getUTCMonth() + 3);
  else if (band === "month") day.setUTCMonth(day.getUTCMonth() + 1);
  else day.setUTCDate(day.getUTCDate() + (band === "week" ? 7 : 1));
  return day.toISOString().slice(0, 10);
}

function literal(value: unknown): string {
  return typeof value === "string" ? `"${value.replace(/["\\]/g, "\\$&")}"` : String(value);
}
