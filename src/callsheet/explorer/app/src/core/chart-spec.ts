// The chart of a pivot as a Vega-Lite specification: made from what is shown, or one's own over the same numbers.

import { memberText, momentText, type PivotTable } from "./pivot-table.ts";

export const MARKS = ["bar", "line", "area", "point"] as const;
export type Mark = (typeof MARKS)[number];

export interface ChartRow {
  [name: string]: unknown;
}

/** At most so many values are drawn. */
const MOST = 5_000;

/** The numbers that are drawn: those that sum nothing up. */
export function chartRows(table: PivotTable): ChartRow[] {
  const { answer, request } = table;
  const found: ChartRow[] = [];
  const full = (1 << answer.levels.length) - 1;
  for (let row = 0; row < answer.totals.length && found.length < MOST; row++) {
    if (answer.totals[row]! & full) continue;
    const state = answer.states[row]!;
    const made: ChartRow = {};
    answer.levels.forEach((level) => (made[level.name] = level.kind === "date" ? level.values[row] : memberText(level.values[row])));
    if (answer.scenarios.length > 1) made.Scenario = answer.scenarios[Math.floor(state / answer.at.length)] ?? "As it is";
    if (answer.at.length > 1) made["As of"] = momentText(request.at[state % answer.at.length] ?? null);
    for (const measure of answer.measures) made[measure.name] = measure.values[row];
    found.push(made);
  }
  return found;
}

/** A field's name as Vega-Lite takes it: dots and brackets would be a path. */
const field = (name: string): string => name.replace(/[.[\]\\"']/g, "\\$&");

/** The specification for what a pivot shows. */
export function chartSpec(table: PivotTable, chosen: string): Record<string, unknown> {
  const { answer } = table;
  const last = answer.levels[answer.rows - 1];
  const dates = last?.kind === "date";
  const mark: Mark = MARKS.includes(chosen as Mark) ? (chosen as Mark) : dates ? "line" : "bar";
  const series = answer.at.length > 1 ? "As of" : answer.scenarios.length > 1 ? "Scenario" : answer.levels.length > answer.rows ? answer.levels.at(-1)!.name : null;
  const measure = answer.measures[0]!.name;
  const encoding: Record<string, unknown> = { y: { field: field(measure), type: "quantitative", title: measure } };
  if (last) encoding.x = { field: field(last.name), type: dates ? "temporal" : "nominal", title: last.name, ...(dates ? {} : { sort: null }) };
  if (series) encoding.color = { field: field(series), type: "nominal", title: series };
  if (series && mark === "bar" && (answer.at.length > 1 || answer.scenarios.length > 1)) encoding.xOffset = { field: field(series) };
  return { mark: { type: mark, tooltip: true, ...(mark === "line" ? { point: true } : {}) }, encoding };
}

/** One's own specification of its text; throws an error that says what is wrong. */
export function ownSpec(text: string): Record<string, unknown> | null {
  if (!text.trim().startsWith("{")) return null;
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw new Error(`the specification is no JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (/"url"\s*:/.test(JSON.stringify(found))) throw new Error("a chart shows the numbers of its pivot: a specification names no url");
  return found as Record<string, unknown>;
}
