// Kept views: what the server keeps of them, and the address of one with changes on top.

import type { Wire } from "./wire.ts";

export interface KeptView {
  key: string;
  name: string;
  kind: string;
  place: string;
  description: string;
  owner: string;
  own: boolean;
  shared: boolean;
  people?: string[];
  roles?: string[];
}

/** Addresses above this length are kept as a view without a name. */
export const LONGEST = 1_500;

const PATH = "/explorer/x/views";

export const listViews = async (wire: Wire): Promise<KeptView[]> => (await wire.get<{ views: KeptView[] }>(PATH)).views;
export const readView = (wire: Wire, key: string): Promise<KeptView> => wire.get(`${PATH}?key=${encodeURIComponent(key)}`);
export const keepView = (wire: Wire, view: Partial<KeptView>): Promise<KeptView> => wire.post(PATH, view);
export const dropView = (wire: Wire, key: string): Promise<{ commit: string }> => wire.request("DELETE", `${PATH}?key=${encodeURIComponent(key)}`);
export const undoView = (wire: Wire, key: string, commit: string): Promise<KeptView> => wire.post(`${PATH}/undo`, { key, commit });

/** What kind of place an address is. */
export function kindOf(address: string): string {
  const [first, second] = address.split("?")[0]!.split("/");
  return first === "c" ? "pivot" : first === "e" ? "entity" : first === "v" && second ? second : "sheet";
}

function parts(address: string): [string, URLSearchParams] {
  const [path = "", query = ""] = address.split("?", 2) as [string, string?];
  return [path, new URLSearchParams(query)];
}

/** The address of a kept view with changes of its query on top. */
export function withChanges(kept: string, changes: string): string {
  const [path, params] = parts(kept);
  const on = new URLSearchParams(changes);
  for (const name of new Set(on.keys())) {
    params.delete(name);
    for (const value of on.getAll(name)) if (value) params.append(name, value);
  }
  const query = params.toString();
  return query ? `${path}?${query}` : path;
}

/** What of an address differs from a kept view; null if it is another place. */
export function changesOn(kept: string, address: string): string | null {
  const [path, params] = parts(kept);
  const [other, now] = parts(address);
  if (path !== other) return null;
  const found = new URLSearchParams();
  for (const name of new Set([...params.keys(), ...now.keys()])) {
    const values = now.getAll(name);
    if (values.join("\n") === params.getAll(name).join("\n")) continue;
    if (values.length) for (const value of values) found.append(name, value);
    else found.append(name, "");
  }
  return found.toString();
}

/** The path and query of a kept view's own address. */
export function keptAddress(key: string, changes: string): string {
  return `k/${encodeURIComponent(key)}${changes ? `?${changes}` : ""}`;
}
