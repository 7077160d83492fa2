// Pages of the native wire as rows: an identity, a version, and a value for each projected path.

import type { Schema } from "./schema.ts";

export type Step = string | [string, string];
export type Path = Step[];
export type Identity = [type: string, key: string];
export type Value = unknown;

export interface WireRecords {
  type: string;
  attributes: string[];
  rows: Value[][];
}

export interface WirePage {
  roots: number;
  order: number[] | null;
  cursor: string | null;
  records: WireRecords[];
}

/** One result of a query: `values` are in the order of the paths, `keys` the keys of references among them. */
export interface Row {
  type: string;
  key: string;
  version: number;
  values: Value[];
}

const stepName = (step: Step): string => (typeof step === "string" ? step : step[0]);

/** Reads pages whose rows have values at these paths. */
export class PageReader {
  constructor(private readonly schema: Schema, readonly paths: Path[]) {}

  read(page: WirePage): Row[] {
    const related = new Map<string, { block: WireRecords; row: Value[] }>();
    for (const block of page.records) for (const row of block.rows) related.set(`${row[0]}`, { block, row });
    const found: Row[] = [];
    for (const block of page.records.slice(0, page.roots)) {
      for (const row of block.rows) {
        const values = this.paths.map((path) => this.follow(block, row, path, related));
        found.push({ type: block.type, key: String(row[0]), version: Number(row[1]), values });
      }
    }
    return page.order ? page.order.map((place) => found[place]!) : found;
  }

  private follow(
    block: WireRecords,
    row: Value[],
    path: Path,
    related: Map<string, { block: WireRecords; row: Value[] }>,
  ): Value {
    let at: { block: WireRecords; row: Value[] } | undefined = { block, row };
    for (const [place, step] of path.entries()) {
      const index: number = at.block.attributes.indexOf(stepName(step));
      if (index < 0) return null;
      const value: Value = at.row[index + 2];
      if (place === path.length - 1) return this.plain(at.block.type, stepName(step), value);
      if (value === null || value === undefined) return null;
      at = related.get(keyOf(value));
      if (!at) return null;
    }
    return null;
  }

  /** A reference is its identity. */
  private plain(type: string, name: string, value: Value): Value {
    const attribute = this.schema.types.get(type)?.attributes.get(name);
    if (attribute?.kind !== "reference" || value === null) return value;
    return Array.isArray(value) ? value : [attribute.target, value];
  }
}

function keyOf(value: Value): string {
  return String(Array.isArray(value) ? value[1] : value);
}
