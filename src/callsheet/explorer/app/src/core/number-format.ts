// Numbers by the patterns of measures, in the manner of MDX: `#,##0.00`, `0.0 h`, `0%`.

const PATTERN = /^([^#0]*?)([#0,]*[#0])(?:\.([#0]+))?(.*)$/;

/** A number of a measure as people read it. */
export function formatted(value: unknown, pattern: string): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
  const parts = PATTERN.exec(pattern.split(";")[0]!.replace(/["\\]/g, ""));
  if (!parts) return value.toLocaleString("en", { maximumFractionDigits: Number.isInteger(value) ? 0 : 2 });
  const [, before, whole, fraction = "", after] = parts as unknown as [string, string, string, string | undefined, string];
  const shown = after.includes("%") ? value * 100 : value;
  const digits = shown.toLocaleString("en", {
    useGrouping: whole.includes(","),
    minimumFractionDigits: fraction.replace(/#/g, "").length,
    maximumFractionDigits: fraction.length,
  });
  return `${before}${digits.replace("-", "−")}${after}`;
}

/** A difference, with its sign. */
export function signed(value: number, pattern: string): string {
  return value > 0 ? `+${formatted(value, pattern)}` : value === 0 ? "0" : formatted(value, pattern);
}

/** A part of a whole. */
export function share(part: unknown, whole: unknown): string {
  if (typeof part !== "number" || typeof whole !== "number" || whole === 0) return "";
  return `${((part / whole) * 100).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} %`;
}
