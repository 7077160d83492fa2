// Values as people read and type them, by the type of their attribute.

import type { Attribute } from "./schema.ts";

const LONGEST = 500;

/** A value as the text of a cell. */
export function shown(attribute: Attribute, value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return value.toLocaleString("en", { maximumFractionDigits: 3 });
  if (attribute.type === "datetime") return String(value).slice(0, 16).replace("T", " ");
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** What somebody typed as a value; throws an error that says what is meant. */
export function typed(attribute: Attribute, text: string): unknown {
  const given = text.trim();
  if (given === "") return null;
  switch (attribute.type) {
    case "integer":
      if (!/^[+-]?\d+$/.test(given)) throw new Error(`${attribute.label} is a whole number, not “${given}”`);
      return Number(given);
    case "number": {
      const found = Number(given.replace(",", "."));
      if (!Number.isFinite(found)) throw new Error(`${attribute.label} is a number, not “${given}”`);
      return found;
    }
    case "boolean":
      if (/^(yes|true|1|on)$/i.test(given)) return true;
      if (/^(no|false|0|off)$/i.test(given)) return false;
      throw new Error(`${attribute.label} is yes or no, not “${given}”`);
    case "date":
      if (!/^\d{4}-\d\d-\d\d$/.test(given)) throw new Error(`${attribute.label} is a date such as 2026-12-01, not “${given}”`);
      return given;
    case "datetime":
      if (Number.isNaN(Date.parse(given))) throw new Error(`${attribute.label} is a time such as 2026-12-01 09:00, not “${given}”`);
      return new Date(given).toISOString();
    case "enum":
      if (attribute.choices.length && !attribute.choices.includes(given))
        throw new Error(`${attribute.label} is one of ${attribute.choices.join(", ")}, not “${given}”`);
      return given;
    case "string":
      return text;
    default:
      throw new Error(`${attribute.label} cannot be edited as text`);
  }
}
