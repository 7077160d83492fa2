// What is around one entity: relations, notes, versions with their files, as the server says it in one answer.

import type { Note } from "../core/notes.ts";
import type { Identity } from "../core/records.ts";
import type { Wire } from "../core/wire.ts";

export interface Relation {
  name: string;
  type: string;
  by: string;
  count: number;
  rows: { type: string; key: string; label: string }[];
}

export interface MediaFile {
  key: string;
  name: string;
  kind: string;
  size: number | null;
}

export interface Version {
  key: string;
  label: string;
  date: string | null;
  status: string;
  comment: string;
  thumbnail: string | null;
  files: MediaFile[];
}

export interface Around {
  relations: Relation[];
  /** None: notes cannot be written on entities of this type. */
  notes: Note[] | null;
  versions: Version[];
}

export function around(wire: Wire, [type, key]: Identity): Promise<Around> {
  return wire.post<Around>("/explorer/x/around", { type, key });
}

/** How a file is shown, by the end of its name; the server decides by its content whether it may be. */
export function shownAs(file: MediaFile): "movie" | "picture" | "sound" | "download" {
  const end = (file.kind || file.name.split(".").at(-1) || "").toLowerCase().replace(/^\./, "");
  if (["mp4", "mov", "m4v", "webm", "ogv"].includes(end)) return "movie";
  if (["png", "jpg", "jpeg", "gif", "webp"].includes(end)) return "picture";
  return ["mp3", "wav", "flac"].includes(end) ? "sound" : "download";
}
