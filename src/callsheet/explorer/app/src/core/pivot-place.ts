// The address of a pivot: everything it shows, as text one can send.

/** What the numbers are shown as: themselves, or their share of what is above the row, or of all. */
export type Share = "" | "parent" | "total";

/** What is drawn: the table, the chart, or both. */
export type PivotLook = "both" | "table" | "chart";

export interface PivotRequest {
  cube: string;
  rows: string[];
  cols: string[];
  values: string[];
  /** Conditions, all of which hold. */
  where: string[];
  /** Scenarios; null is what is. */
  scenarios: (string | null)[];
  /** Positions of the log, days, or null for now. */
  at: (number | string | null)[];
  share: Share;
  /** The column that rows are ordered by, with `-` first for the largest first; empty for the order of members. */
  sort: string;
  look: PivotLook;
  /** The kind of chart, or a specification of one's own as JSON. */
  chart: string;
}

export const NEW_PIVOT: PivotRequest = {
  cube: "", rows: [], cols: [], values: [], where: [], scenarios: [null], at: [null], share: "", sort: "", look: "both", chart: "",
};

/** Texts as one text: commas between them, and a backslash before a comma of their own. */
export function joined(texts: string[]): string {
  return texts.map((each) => each.replace(/[\\,]/g, "\\$&")).join(",");
}

/** The texts of a joined one. */
export function parted(text: string): string[] {
  const found: string[] = [];
  let here = "";
  for (let place = 0; place < text.length; place++) {
    const sign = text[place]!;
    if (sign === "\\" && place + 1 < text.length) here += text[++place];
    else if (sign === ",") {
      found.push(here);
      here = "";
    } else here += sign;
  }
  return [...found, here].filter(Boolean);
}

export function pivotOf(cube: string, params: URLSearchParams): PivotRequest {
  const list = (name: string): string[] => parted(params.get(name) ?? "");
  const scenarios = list("scenario").map((each) => (each === "base" ? null : each));
  const at = list("at").map((each) => (each === "now" ? null : /^\d+$/.test(each) ? Number(each) : each));
  const share = params.get("share") ?? "";
  const look = params.get("look") ?? "";
  return {
    cube,
    rows: list("rows"),
    cols: list("cols"),
    values: list("values"),
    where: params.getAll("where").filter((each) => each.trim()),
    scenarios: scenarios.length ? scenarios : [null],
    at: at.length ? at : [null],
    share: share === "parent" || share === "total" ? share : "",
    sort: params.get("sort") ?? "",
    look: look === "table" || look === "chart" ? look : "both",
    chart: params.get("chart") ?? "",
  };
}

/** The text behind `?` of a pivot's address; empty if there is nothing to say. */
export function pivotQuery(request: PivotRequest): string {
  const params = new URLSearchParams();
  const put = (name: string, text: string): void => {
    if (text) params.set(name, text);
  };
  put("rows", joined(request.rows));
  put("cols", joined(request.cols));
  put("values", joined(request.values));
  for (const each of request.where) params.append("where", each);
  if (request.scenarios.length > 1 || request.scenarios[0] !== null) put("scenario", joined(request.scenarios.map((each) => each ?? "base")));
  if (request.at.length > 1 || request.at[0] !== null) put("at", joined(request.at.map((each) => (each === null ? "now" : String(each)))));
  put("share", request.share);
  put("sort", request.sort);
  put("look", request.look === "both" ? "" : request.look);
  put("chart", request.chart);
  return params.toString();
}

/** The pivot of what a query finds: its type's cube, under its condition. */
export function pivotOfQuery(type: string, query: string): PivotRequest {
  const condition = /\swhere\s+([\s\S]*)$/i.exec(query)?.[1]?.replace(/\s+(order by|limit|offset)\s[^"]*$/i, "").trim();
  return { ...NEW_PIVOT, cube: type, where: condition ? [condition] : [] };
}
