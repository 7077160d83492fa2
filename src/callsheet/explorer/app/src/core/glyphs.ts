// Which small shape stands for a status: by its name where that says enough, else by what it means to the schedule.

export type Glyph = "wait" | "ready" | "wip" | "review" | "retake" | "hold" | "done" | "omit";

const NAMES: [RegExp, Glyph][] = [
  [/omit/i, "omit"],
  [/retake|change|reject|fix/i, "retake"],
  [/review|pending/i, "review"],
  [/hold|block|pause/i, "hold"],
  [/done|approved|final|delivered|complete/i, "done"],
  [/ready/i, "ready"],
  [/progress|wip|working|doing/i, "wip"],
  [/not started|wait|todo/i, "wait"],
];
const STATES: Record<string, Glyph> = { not_started: "wait", in_progress: "wip", done: "done", blocked: "hold" };

export const GLYPHS: Glyph[] = ["wait", "ready", "wip", "review", "retake", "hold", "done", "omit"];

/** The glyph of a status by its name, and by the short name of its state if it has one. */
export function glyphOf(name: string, state: unknown): Glyph | null {
  if (!name) return null;
  return NAMES.find(([pattern]) => pattern.test(name))?.[1] ?? STATES[String(state)] ?? "ready";
}
