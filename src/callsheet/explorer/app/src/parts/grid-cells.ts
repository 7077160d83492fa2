// How the cells of a grouped sheet are drawn: an element is written to only where it changes.

import { doneShare, initials, partsOf, type Named, type Shares, type Task } from "../core/tasks.ts";
import type { Glyph } from "../core/glyphs.ts";

/** What a cell shows. */
export interface Face {
  names: string;
  text: string;
  glyph: Glyph | null;
  side: string;
  bar: string;
  title: string;
  selected: boolean;
}

const LAST = new WeakMap<HTMLElement, Face>();

/** A cell with a word and, at its right, what is beside it. */
export function makeCell(role: string): HTMLElement {
  const cell = document.createElement("div");
  cell.setAttribute("role", role);
  cell.className = "gc";
  cell.append(made("st"), made("who"));
  return cell;
}

export function made(name: string, tag = "span"): HTMLElement {
  const element = document.createElement(tag);
  element.className = name;
  return element;
}

export function paint(cell: HTMLElement, face: Face): void {
  const last = LAST.get(cell);
  LAST.set(cell, face);
  if (!last || last.names !== face.names) cell.className = `gc ${face.names}`;
  if (!last || last.selected !== face.selected) cell.setAttribute("aria-selected", String(face.selected));
  if (!last || last.title !== face.title) {
    if (face.title) cell.title = face.title;
    else cell.removeAttribute("title");
  }
  const [word, side] = cell.children as unknown as [HTMLElement, HTMLElement];
  if (!last || last.text !== face.text) word.textContent = face.text;
  if (!last || last.glyph !== face.glyph) word.className = face.glyph ? `st gl-${face.glyph}` : "st";
  if (!last || last.bar !== face.bar) word.style.backgroundImage = face.bar;
  if (!last || last.side !== face.side) side.textContent = face.side;
}

/** The bar of shares as one background, and its words. */
export function barOf(shares: Shares | undefined, statuses: string): { bar: string; title: string; side: string } {
  const share = shares ? doneShare(shares) : null;
  if (!shares || share === null) return { bar: "", title: "", side: "" };
  let from = 0;
  const stops: string[] = [];
  const words: string[] = [];
  for (const [glyph, end] of partsOf(shares)) {
    stops.push(`${COLOURS[glyph]} ${from}% ${end}%`);
    words.push(`${shares.get(glyph)!.toLocaleString("en")} ${WORDS[glyph]}`);
    from = end;
  }
  return { bar: `linear-gradient(90deg, ${stops.join(", ")})`, title: `${statuses}: ${words.join(", ")}`, side: `${share} %` };
}

const COLOURS: Record<Glyph, string> = {
  done: "var(--st-done)",
  review: "var(--st-review)",
  wip: "var(--st-wip)",
  retake: "var(--st-retake)",
  hold: "var(--st-hold)",
  ready: "var(--line-2)",
  wait: "var(--line-2)",
  omit: "var(--line)",
};

const WORDS: Record<Glyph, string> = {
  done: "done",
  review: "in review",
  wip: "in work",
  retake: "to be changed",
  hold: "on hold",
  ready: "ready",
  wait: "waiting",
  omit: "omitted",
};

/** The people of a task in few letters. */
export function who(people: string[]): string {
  if (!people.length) return "–";
  return people.length === 1 ? initials(people[0]!) : `${initials(people[0]!)} +${people.length - 1}`;
}

/** What a task is called where no row is beside it. */
export const taskName = (row: string, step: Named | undefined, task: Task): string => `${row} / ${step?.key === null ? task.name : (step?.label ?? task.name)}`;
