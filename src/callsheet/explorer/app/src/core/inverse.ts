// The inverse of a commit, as edits that wait on the call sheet: one sees it first, and sends it as anything else.

import type { Identity } from "./records.ts";
import type { Schema } from "./schema.ts";
import type { Edit, Marked } from "./unit.ts";
import { unpack } from "./wire.ts";

export interface CommitChange {
  type: string;
  key: string;
  kind: string;
  version?: number | null;
  before?: Record<string, unknown>;
  after?: Record<string, unknown>;
}

export interface Inverse {
  edits: Edit[];
  created: Marked[];
  deleted: Marked[];
}

/** What takes a commit back: what was created goes, what went comes back, values become what they were. */
export function inverseOf(schema: Schema, changes: CommitChange[]): Inverse {
  const found: Inverse = { edits: [], created: [], deleted: [] };
  for (const change of changes) {
    const entity: Identity = [change.type, change.key];
    const type = schema.types.get(change.type);
    if (!type) continue;
    const version = change.version ?? 0;
    const name = String((change.after ?? change.before)?.[type.label] ?? `${change.type} ${change.key.slice(0, 8)}`);
    if (change.kind === "create") {
      found.deleted.push({ entity, name, version });
      continue;
    }
    if (change.kind === "delete") found.created.push({ entity, name, version: 0 });
    const values = change.before ?? {};
    for (const attribute of Object.keys(values)) {
      const known = type.attributes.get(attribute);
      if (!known || known.readOnly || known.kind === "collection" || OF_THE_SERVER.has(attribute)) continue;
      const before = change.kind === "delete" ? null : (change.after?.[attribute] ?? null);
      const value = values[attribute] ?? null;
      const shown = { entity: name, before: textOf(before), value: textOf(value) };
      found.edits.push({ entity, attribute, before, value, version, shown });
    }
  }
  return found;
}

/** What the server writes by itself at each change. */
const OF_THE_SERVER = new Set(["updated_at", "updated_by", "created_at", "created_by"]);

function textOf(value: unknown): string {
  const found = unpack(value);
  if (found === null || found === undefined) return "";
  return Array.isArray(found) ? `${found[0]} ${String(found[1]).slice(0, 8)}` : String(found);
}
