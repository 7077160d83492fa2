import assert from "node:assert/strict";
import { test } from "node:test";
import { broken, dayOf, dayText, spanOf, weekday, weekOf } from "../src/core/days.ts";

test("days are numbers that come back as the same text", () => {
  for (const text of ["1969-12-31", "2026-02-28", "2028-02-29"]) assert.equal(dayText(dayOf(text)!), text);
  assert.deepEqual([dayOf(""), dayOf(null), dayOf("2026"), dayOf("2026-12-01T10:00:00Z")], [null, null, null, dayOf("2026-12-01")]);
});

test("weeks begin on Monday, and the first has the first Thursday", () => {
  assert.deepEqual(["2026-11-30", "2026-12-06", "1969-12-29"].map((each) => weekday(dayOf(each)!)), [0, 6, 0]);
  assert.deepEqual(["2026-11-30", "2027-01-03", "2027-01-04", "2020-12-31"].map((each) => weekOf(dayOf(each)!)), [49, 53, 1, 53]);
});

test("a span has both days; one date alone is one day", () => {
  const day = dayOf("2026-12-01")!;
  assert.deepEqual(spanOf("2026-12-01", "2026-12-03"), { start: day, end: day + 2 });
  assert.deepEqual(spanOf(null, "2026-12-01"), { start: day, end: day });
  assert.equal(spanOf(null, ""), null);
});

test("work that begins before the other has ended is said in words", () => {
  const before = spanOf("2026-12-01", "2026-12-03")!;
  const after = (start: string) => spanOf(start, "2026-12-30")!;
  assert.equal(broken(before, after("2026-12-04"), 0, "Layout"), "");
  assert.equal(broken(before, after("2026-12-03"), 0, "Layout"), "starts 1 day before Layout ends");
  assert.equal(broken(before, after("2026-12-04"), 2, "Layout"), "starts 2 days before Layout ends");
});
