// Addresses of the page: what is shown, as text one can send.

import { keptAddress, type KeptView } from "./kept.ts";
import { pivotOf, pivotQuery, type PivotRequest } from "./pivot-place.ts";

export type Place =
  | { is: "home" }
  | { is: "sheet"; query: string; columns: string[]; sort: string }
  | { is: "grid"; query: string; columns: string[]; sort: string; group: string; steps: boolean }
  | { is: "timeline"; query: string; group: string }
  | { is: "board"; query: string; by: string }
  | { is: "pivot"; request: PivotRequest }
  | { is: "kept"; key: string; changes: string }
  | { is: "dashboard"; view: KeptView }
  | { is: "entity"; type: string; key: string };

/** The place of an address below the page's own; `path` has no leading slash. */
export function placeOf(path: string, search: string): Place {
  const parts = path.split("/").map(decodeURIComponent);
  const params = new URLSearchParams(search);
  if (parts[0] === "v" && (parts[1] === "sheet" || parts[1] === "steps")) {
    const columns = (params.get("cols") ?? "").split(",").filter(Boolean);
    const group = params.get("group") ?? "";
    const shown = { query: params.get("q") ?? "", columns, sort: params.get("sort") ?? "" };
    if (parts[1] === "steps" || group) return { is: "grid", ...shown, group, steps: parts[1] === "steps" };
    return { is: "sheet", ...shown };
  }
  if (parts[0] === "v" && parts[1] === "timeline") return { is: "timeline", query: params.get("q") ?? "", group: params.get("group") ?? "" };
  if (parts[0] === "v" && parts[1] === "board") return { is: "board", query: params.get("q") ?? "", by: params.get("by") ?? "" };
  if (parts[0] === "e" && parts[1] && parts[2]) return { is: "entity", type: parts[1], key: parts[2] };
  if (parts[0] === "k" && parts[1]) return { is: "kept", key: parts[1], changes: search.replace(/^\?/, "") };
  if (parts[0] === "c" && parts[1]) return { is: "pivot", request: pivotOf(parts[1], params) };
  return { is: "home" };
}

/** The address of a place. */
export function addressOf(place: Place): string {
  if (place.is === "home") return "";
  if (place.is === "entity") return `e/${encodeURIComponent(place.type)}/${encodeURIComponent(place.key)}`;
  if (place.is === "kept") return keptAddress(place.key, place.changes);
  if (place.is === "dashboard") return keptAddress(place.view.key, "");
  if (place.is === "pivot") {
    const query = pivotQuery(place.request);
    return `c/${encodeURIComponent(place.request.cube)}${query ? `?${query}` : ""}`;
  }
  const params = new URLSearchParams({ q: place.query });
  if (place.is === "timeline") {
    if (place.group) params.set("group", place.group);
    return `v/timeline?${params}`;
  }
  if (place.is === "board") {
    if (place.by) params.set("by", place.by);
    return `v/board?${params}`;
  }
  if (place.columns.length) params.set("cols", place.columns.join(","));
  if (place.sort) params.set("sort", place.sort);
  if (place.is === "grid" && place.group) params.set("group", place.group);
  if (place.is === "grid" && place.steps) return `v/steps?${params}`;
  return `v/sheet?${params}`;
}
