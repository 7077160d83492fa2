// Days as numbers, and where work stands to what it waits for.

const DAY = 86_400_000;

/** The number of a day such as `2026-12-01`; null for anything else. */
export function dayOf(text: unknown): number | null {
  if (typeof text !== "string" || !/^\d{4}-\d\d-\d\d/.test(text)) return null;
  const found = Date.parse(`${text.slice(0, 10)}T00:00:00Z`);
  return Number.isNaN(found) ? null : Math.round(found / DAY);
}

export const dayText = (day: number): string => new Date(day * DAY).toISOString().slice(0, 10);

export const today = (now = new Date()): number => Math.floor((now.getTime() - now.getTimezoneOffset() * 60_000) / DAY);

/** Monday is 0. */
export const weekday = (day: number): number => (((day + 3) % 7) + 7) % 7;

/** `1 Dec` of a day. */
export function shortDay(day: number): string {
  const date = new Date(day * DAY);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
}

export const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The number of a week as ISO 8601 counts them. */
export function weekOf(day: number): number {
  const thursday = day - weekday(day) + 3;
  const begin = Math.round(Date.UTC(new Date(thursday * DAY).getUTCFullYear(), 0, 1) / DAY);
  return Math.floor((thursday - begin) / 7) + 1;
}

/** From the first day to the last, both included. */
export interface Span {
  start: number;
  end: number;
}

/** The span of two dates; one of them alone is one day. */
export function spanOf(start: unknown, end: unknown): Span | null {
  const from = dayOf(start) ?? dayOf(end);
  const to = dayOf(end) ?? dayOf(start);
  return from === null || to === null ? null : { start: Math.min(from, to), end: Math.max(from, to) };
}

/** What is wrong with work that begins before what it waits for has ended; empty if nothing is. */
export function broken(before: Span, after: Span, lag: number, name: string): string {
  const early = before.end + lag + 1 - after.start;
  if (early <= 0) return "";
  return `starts ${early} ${early === 1 ? "day" : "days"} before ${name} ends`;
}
