// The columns of a sheet: which attributes of a type are shown, and by which paths they are read.

import type { Path } from "./records.ts";
import type { Attribute, EntityType, Schema } from "./schema.ts";

/** A column: `path` is what it shows, `own` the attribute of the row that an edit sets, if one can be set. */
export interface Column {
  title: string;
  path: Path;
  attribute: Attribute;
  own: Attribute | null;
  /** The path of the reference itself, where the column shows its label. */
  reference: Path | null;
  /** The path of what a status means to the schedule, where the column shows statuses. */
  state: Path | null;
}

/** All paths that a column is read by, its own first. */
export const pathsOf = (column: Column): Path[] => [column.path, column.reference, column.state].filter((each): each is Path => each !== null);

const MOST = 12;
const LATER = new Set(["json", "mapping"]);

export const pathText = (path: Path): string => path.map((step) => (typeof step === "string" ? step : step[0])).join(".");

/** The column at a path such as `["parent", "name"]`, or of a reference by its label. */
export function columnAt(schema: Schema, type: EntityType, names: string[]): Column | null {
  let at = type;
  const path: Path = [];
  let attribute: Attribute | undefined;
  for (const [place, name] of names.entries()) {
    attribute = at.attributes.get(name) ?? undefinedIn(schema, at, name);
    if (!attribute || attribute.kind === "collection") return null;
    path.push(name);
    if (place < names.length - 1) {
      if (attribute.kind !== "reference") return null;
      at = schema.type(attribute.target);
    }
  }
  if (!attribute) return null;
  const title = names.join(" › ").replaceAll("_", " ");
  const own = names.length === 1 && !attribute.readOnly ? attribute : null;
  if (attribute.kind !== "reference") return { title, path, attribute, own, reference: null, state: null };
  const target = schema.types.get(attribute.target);
  const state = stateOf(schema, target) ? [...path, "state", "short"] : null;
  return { title, path: [...path, target?.label ?? "name"], attribute, own, reference: path, state };
}

/** Whether entities of a type are statuses: they have a state, which has a short name. */
function stateOf(schema: Schema, type: EntityType | undefined): boolean {
  const state = type?.attributes.get("state");
  return state?.kind === "reference" && Boolean(schema.types.get(state.target)?.attributes.has("short"));
}

/** The columns of all attributes of a type that are one value: its label, then what people look at first. */
export function allColumns(schema: Schema, type: EntityType): Column[] {
  const names = [...type.attributes.values()].filter(isShown).sort((a, b) => rank(type, a) - rank(type, b));
  return names.map((each) => columnAt(schema, type, [each.name])).filter((each): each is Column => each !== null);
}

/** The columns that a sheet of a type has if nobody chose others. */
export function defaultColumns(schema: Schema, type: EntityType): Column[] {
  return allColumns(schema, type).slice(0, MOST);
}

function isShown(attribute: Attribute): boolean {
  return attribute.kind !== "collection" && !LATER.has(attribute.type) && attribute.name !== "id";
}

function rank(type: EntityType, attribute: Attribute): number {
  if (attribute.name === type.label) return 0;
  const order = ["parent", "status", "type", "priority", "due_date", "bid", "project"];
  const place = order.indexOf(attribute.name);
  if (place >= 0) return 1 + place;
  return (attribute.required ? 20 : 40) + (attribute.type === "string" ? 0 : 5);
}

function undefinedIn(schema: Schema, type: EntityType, name: string): Attribute | undefined {
  for (const each of schema.types.values()) {
    if (schema.isA(each.name, type.name) && each.attributes.has(name)) return each.attributes.get(name);
  }
  return undefined;
}
