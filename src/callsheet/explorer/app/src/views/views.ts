// Which views a query has, and how each is asked for.

import { Board } from "../core/board.ts";
import { pivotOfQuery } from "../core/pivot-place.ts";
import type { Desk } from "../core/desk.ts";
import type { Place } from "../core/routes.ts";
import type { Schema } from "../core/schema.ts";
import type { QueryFault } from "../core/sheet.ts";
import type { View } from "../core/view.ts";
import { Grid } from "./grid.ts";
import { datesOf, Timeline } from "./timeline.ts";

/** Places that a view of `views/` shows. */
export type ViewPlace = Extract<Place, { is: "grid" | "timeline" }>;

/** What opens the view of a place. */
export function viewOf(place: ViewPlace): (desk: Desk) => Promise<View | QueryFault> {
  if (place.is === "timeline") return (desk) => Timeline.open(desk.wire, desk.schema!, place, desk.redraw, desk.fail);
  return (desk) => Grid.open(desk.wire, desk.schema!, place, desk.redraw, desk.fail);
}

/** The views of a query about a type: their names and places. */
export function viewsOf(schema: Schema, work: string[], type: string, query: string): [string, Place][] {
  const found: [string, Place][] = [["Sheet", { is: "sheet", query, columns: [], sort: "" }]];
  const group = schema.type(type).attributes.get("parent")?.kind === "reference" ? "parent" : "";
  if (work.includes(type)) found.push(["Steps", { is: "grid", query, columns: [], sort: "", group, steps: true }]);
  if (Board.ways(schema, type).length) found.push(["Board", { is: "board", query, by: "" }]);
  if (datesOf(schema, type)) found.push(["Timeline", { is: "timeline", query, group }]);
  found.push(["Pivot", { is: "pivot", request: pivotOfQuery(type, query) }]);
  return found;
}

/** The name of the view that a place shows. */
export function viewName(place: Place): string {
  if (place.is === "grid") return place.steps ? "Steps" : "Sheet";
  return { board: "Board", timeline: "Timeline" }[place.is as string] ?? "Sheet";
}
