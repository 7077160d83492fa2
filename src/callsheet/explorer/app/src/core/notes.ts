// Notes as they are read and written: replies below what they answer, people who are mentioned, what a new note records.

import { newKey } from "./keys.ts";
import type { Identity } from "./records.ts";
import type { Choice } from "./sheet.ts";
import type { Edit, Marked, UnitOfWork } from "./unit.ts";
import { pack, unpack } from "./wire.ts";

export interface Note {
  key: string;
  content: string;
  author: string;
  date: string | null;
  reply: string | null;
  frame: number | null;
  todo: boolean;
  pending?: boolean;
}

export interface Thread {
  note: Note;
  replies: Note[];
}

/** Notes with their replies, in the order of the notes; replies the oldest first. */
export function threads(notes: Note[]): Thread[] {
  const found = new Map<string, Thread>();
  const known = new Set(notes.map((each) => each.key));
  for (const note of notes) if (!note.reply || !known.has(note.reply)) found.set(note.key, { note, replies: [] });
  for (const note of [...notes].reverse()) if (note.reply) found.get(note.reply)?.replies.push(note);
  return [...found.values()];
}

const MENTION = /@([\w.-]+(?: \d+)?)/g;

/** A text in parts: what is said, and who is mentioned. */
export function parts(text: string): { text: string; mention: boolean }[] {
  const found: { text: string; mention: boolean }[] = [];
  let from = 0;
  for (const match of text.matchAll(MENTION)) {
    if (match.index > from) found.push({ text: text.slice(from, match.index), mention: false });
    found.push({ text: match[0], mention: true });
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ text: text.slice(from), mention: false });
  return found;
}

export const mentions = (text: string): string[] => [...new Set([...text.matchAll(MENTION)].map((each) => each[1]!))];

/** What a new note records: the note itself, and a recipient for each person who is mentioned. */
export function written(on: { entity: Identity; by: string; name: string }, content: string, reply: string | null, people: Choice[]): { edits: Edit[]; created: Marked[] } {
  const note: Identity = ["Note", newKey()];
  const short = content.length > 60 ? `${content.slice(0, 60)}…` : content;
  const created: Marked[] = [{ entity: note, name: `Note on ${on.name}: ${short}`, version: 0 }];
  const set = (entity: Identity, attribute: string, value: unknown, shown: string): Edit => ({ entity, attribute, before: null, value, version: 0, shown: { entity: on.name, before: "", value: shown } });
  const edits = [set(note, "content", content, content), set(note, on.by, pack("reference", on.entity), on.name)];
  if (reply) edits.push(set(note, "in_reply_to", pack("reference", ["Note", reply]), "a note"));
  for (const person of people) {
    const recipient: Identity = ["Recipient", newKey()];
    created.push({ entity: recipient, name: `${person.label} is mentioned`, version: 0 });
    edits.push(set(recipient, "note", pack("reference", note), short), set(recipient, "resource", pack("reference", [person.type, person.key]), person.label));
  }
  return { edits, created };
}

/** Notes on an entity that wait on the call sheet. */
export function waiting(unit: UnitOfWork, entity: Identity, by: string, author: string): Note[] {
  const found: Note[] = [];
  for (const { entity: note } of unit.created) {
    const on = note[0] === "Note" ? (unpack(unit.of(note, by)?.value) as Identity | null) : null;
    if (on?.[1] !== entity[1]) continue;
    const reply = unpack(unit.of(note, "in_reply_to")?.value) as Identity | null;
    found.push({ key: note[1], content: String(unit.of(note, "content")?.value ?? ""), author, date: null, reply: reply?.[1] ?? null, frame: null, todo: false, pending: true });
  }
  return found.reverse();
}
