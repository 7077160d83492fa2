import assert from "node:assert/strict";
import { test } from "node:test";
import { chartRows, chartSpec, ownSpec } from "../src/core/chart-spec.ts";
import { added, changed, COLUMNS, dashboardOf, requestOf } from "../src/core/dashboard.ts";
import { changesOn, kindOf, withChanges } from "../src/core/kept.ts";
import { NEW_PIVOT } from "../src/core/pivot-place.ts";
import { PivotTable, type PivotAnswer } from "../src/core/pivot-table.ts";
import { csvCell, pivotCsv } from "../src/core/saving.ts";

test("what is changed on top of a kept view stays in its address", () => {
  const kept = "c/Task?rows=A&where=x&where=y&share=total";
  for (const now of ["c/Task?rows=A%2CB&where=x&where=y&share=total", "c/Task?rows=A&where=y", "c/Task", kept]) {
    const changes = changesOn(kept, now)!;
    assert.deepEqual(withChanges(kept, changes).split(/[?&]/).sort(), now.split(/[?&]/).sort());
  }
  assert.equal(changesOn(kept, kept), "");
  assert.equal(changesOn(kept, "c/Shot?rows=A"), null);
  assert.deepEqual(["c/Task", "v/board?q=x", "e/Shot/1", "v/sheet"].map(kindOf), ["pivot", "board", "entity", "sheet"]);
});

const tile = { title: "t", kind: "pivot" as const, address: "c/Task?rows=A" };

test("tiles are added beside and below each other, and never cover one another", () => {
  let data = dashboardOf("{}");
  for (let many = 0; many < 5; many++) data = added(data, tile);
  assert.deepEqual(data.tiles.map(({ x, y }) => [x, y]), [[0, 0], [6, 0], [0, 5], [6, 5], [0, 10]]);
  data = changed(data, 4, { x: 3, y: 0, w: 8 });
  data = changed(data, 0, { w: 40, h: 1 });
  for (const [place, one] of data.tiles.entries()) {
    assert.ok(one.x >= 0 && one.x + one.w <= COLUMNS && one.h >= 2);
    for (const other of data.tiles.slice(place + 1))
      assert.ok(one.x >= other.x + other.w || other.x >= one.x + one.w || one.y >= other.y + other.h || other.y >= one.y + one.h);
  }
});

test("a dashboard of odd data has tiles that fit", () => {
  const [odd] = dashboardOf('{"tiles": [{"x": 99, "w": "wide", "y": -3, "kind": "spell"}], "filter": [3]}').tiles;
  assert.deepEqual(odd, { title: "", kind: "pivot", address: "", x: 6, y: 0, w: 6, h: 4 });
});

test("the filter of all tiles is added to that of each", () => {
  assert.deepEqual(requestOf({ ...tile, x: 0, y: 0, w: 6, h: 4, address: "c/Task?where=a" }, ["b"])!.where, ["a", "b"]);
  assert.equal(requestOf({ ...tile, x: 0, y: 0, w: 6, h: 4, address: "v/sheet?q=Shot" }, []), null);
});

const ANSWER: PivotAnswer = {
  cube: "Task", table: "Task", position: 7, truncated: null, rows: 1, scenarios: [null], at: [null], types: [], milliseconds: 1,
  levels: [{ name: "Due.Month", kind: "string", values: ["=cmd()", null, null] }], totals: [0, 0, 1], states: [0, 0, 0],
  measures: [{ name: "Tasks", format: "", values: [1, 2, 3] }],
};
const table = new PivotTable(ANSWER, { ...NEW_PIVOT, cube: "Task", rows: ["Due.Month"] });

test("a file for spreadsheets has the totals, and no formula", () => {
  assert.equal(pivotCsv(table), "Due.Month,Tasks\r\n'=cmd(),1\r\n(none),2\r\nAll,3\r\n");
  assert.deepEqual(["+1", "-x", "@a", "\tb", 'a"b', -5, null].map(csvCell), ["'+1", "'-x", "'@a", "'\tb", '"a""b"', "-5", ""]);
});

test("a chart draws what sums nothing up, and names with dots are no paths", () => {
  assert.deepEqual(chartRows(table), [{ "Due.Month": "=cmd()", Tasks: 1 }, { "Due.Month": "(none)", Tasks: 2 }]);
  const spec = chartSpec(table, "line") as { mark: { type: string }; encoding: { x: { field: string } } };
  assert.deepEqual([spec.mark.type, spec.encoding.x.field], ["line", "Due\\.Month"]);
});

test("a specification of one's own is JSON that names no address", () => {
  assert.equal(ownSpec("bar"), null);
  assert.deepEqual(ownSpec('{"mark": "bar"}'), { mark: "bar" });
  assert.throws(() => ownSpec("{bar"), /no JSON/);
  assert.throws(() => ownSpec('{"data": {"url": "https://example.org"}}'), /names no url/);
});
