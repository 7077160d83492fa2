import assert from "node:assert/strict";
import { test } from "node:test";
import { formatted, share, signed } from "../src/core/number-format.ts";
import { joined, NEW_PIVOT, parted, pivotOfQuery, type PivotRequest } from "../src/core/pivot-place.ts";
import { PivotTable, type PivotAnswer } from "../src/core/pivot-table.ts";
import { addressOf, placeOf } from "../src/core/routes.ts";
import { after, memberCondition, moved, placed, removed } from "../src/core/shelves.ts";
import type { CubeFacts } from "../src/core/pivot.ts";

const ASKED: PivotRequest = { ...NEW_PIVOT, cube: "Task", rows: ["Sequence"], cols: ["Status"], values: ["Mean(bid)"] };

// Two sequences by two statuses; the means of totals are none of the sums of cells.
const ANSWER: PivotAnswer = {
  cube: "Task", table: "Task", position: 7, truncated: null, rows: 1, scenarios: [null], at: [null], types: ["Context"], milliseconds: 1,
  levels: [
    { name: "Sequence", kind: "string", values: ["sq10", "sq10", "sq9", "sq10", "sq9", null, null, null] },
    { name: "Status", kind: "string", values: ["Done", null, "Done", null, null, "Done", null, null] },
  ],
  totals: [0, 0, 0, 2, 2, 1, 1, 3],
  states: [0, 0, 0, 0, 0, 0, 0, 0],
  measures: [{ name: "Mean(bid)", format: "0.0", values: [2, 4, 8, 3, 8, 5, 4, 4.5] }],
};

test("an address says all that a pivot shows", () => {
  const all: PivotRequest = {
    cube: "Work / 2", rows: ["Due date.Month", "a,b\\c"], cols: ["Status"], values: ["round(sum(bid), 2)"], where: ["bid > 3", 'name is "a,b"'],
    scenarios: [null, "two, less"], at: [12, "2026-12-01", null], share: "parent", sort: "-|0|0|[]|Tasks", look: "table", chart: "line",
  };
  const address = addressOf({ is: "pivot", request: all });
  const [path, search] = address.split("?");
  assert.deepEqual(placeOf(path!, `?${search}`), { is: "pivot", request: all });
  assert.equal(addressOf({ is: "pivot", request: { ...NEW_PIVOT, cube: "Task" } }), "c/Task");
  assert.deepEqual(parted(joined(["a,b", "c\\", "d"])), ["a,b", "c\\", "d"]);
});

test("the condition of a query is the filter of its pivot", () => {
  assert.deepEqual(pivotOfQuery("Task", "Task where bid > 3 order by name").where, ["bid > 3"]);
  assert.deepEqual(pivotOfQuery("Task", "Task").where, []);
});

test("members are ordered as people count, and those without a value come last", () => {
  const table = new PivotTable(ANSWER, ASKED);
  assert.deepEqual(table.rows(new Set()).map((each) => table.label(each)), ["sq9", "sq10", "All"]);
  assert.deepEqual(table.columns.map((each) => each.heads), [["Done", "Mean(bid)"], ["(none)", "Mean(bid)"], ["Total", "Mean(bid)"]]);
});

test("totals are what the server says, never a sum of cells", () => {
  const table = new PivotTable(ANSWER, ASKED);
  const lines = table.rows(new Set()).map((row) => table.columns.map((column) => table.text(row, column)));
  assert.deepEqual(lines, [["8.0", "", "8.0"], ["2.0", "4.0", "3.0"], ["5.0", "4.0", "4.5"]]);
});

test("a share is of what is above the row, or of all, by the server's totals", () => {
  const table = new PivotTable(ANSWER, { ...ASKED, share: "parent" });
  assert.deepEqual(table.rows(new Set()).map((row) => table.text(row, table.columns[2]!)), ["177.8 %", "66.7 %", "100.0 %"]);
});

test("rows are ordered by a column, the largest first", () => {
  const by = new PivotTable(ANSWER, ASKED).columns[2]!.name;
  const table = new PivotTable(ANSWER, { ...ASKED, sort: by });
  assert.deepEqual(table.rows(new Set()).map((each) => table.label(each)), ["sq10", "sq9", "All"]);
});

test("a cell is found again by its values, and by what it sums up", () => {
  const table = new PivotTable(ANSWER, ASKED);
  const [first, , all] = table.rows(new Set());
  assert.deepEqual(table.cell(first!, table.columns[1]!), { cell: ["sq9", null], totals: 0 });
  assert.deepEqual(table.cell(first!, table.columns[2]!), { cell: ["sq9", null], totals: 2 });
  assert.deepEqual(table.cell(all!, table.columns[2]!), { cell: [null, null], totals: 3 });
});

test("two moments stand side by side, with the change between them", () => {
  const answer: PivotAnswer = {
    ...ANSWER, rows: 0, levels: [], at: [3, null], totals: [0, 0], states: [0, 1],
    measures: [{ name: "Tasks", format: "#,##0", values: [1000, 1234] }],
  };
  const table = new PivotTable(answer, { ...NEW_PIVOT, cube: "Task", at: [3, null] });
  assert.deepEqual(table.columns.map((each) => each.heads[0]), ["3", "Now", "Change"]);
  assert.deepEqual(table.columns.map((each) => table.text(table.root, each)), ["1,000", "1,234", "+234"]);
});

test("a closed row hides what is below it", () => {
  const answer: PivotAnswer = {
    ...ANSWER, rows: 2, totals: [0, 0, 2, 3], states: [0, 0, 0, 0],
    levels: [{ name: "A", kind: "string", values: ["a", "a", "a", null] }, { name: "B", kind: "string", values: ["x", "y", null, null] }],
    measures: [{ name: "Tasks", format: "", values: [1, 2, 3, 3] }],
  };
  const table = new PivotTable(answer, { ...NEW_PIVOT, cube: "Task", rows: ["A", "B"] });
  assert.equal(table.rows(new Set()).length, 4);
  assert.equal(table.rows(new Set([table.root.children[0]!.key])).length, 2);
});

test("numbers are written by the pattern of their measure", () => {
  assert.deepEqual(
    [formatted(1234.5, "#,##0.00"), formatted(0.256, "0.0%"), formatted(7.25, "0.0 h"), formatted(-3, ""), formatted(null, "0"), formatted(1234.5, "")],
    ["1,234.50", "25.6%", "7.3 h", "-3", "", "1,234.5"],
  );
  assert.deepEqual([signed(2, "0"), signed(-2, "0"), signed(0, "0"), share(1, 0), share(1, 8)], ["+2", "−2", "0", "", "12.5 %"]);
});

const FACTS: CubeFacts = {
  name: "Task", table: "Task", description: "", filter: "", kept: false,
  levels: [
    { key: "Sequence", name: "Sequence", hierarchy: "Project", path: "parent.name", band: null },
    { key: "Due.Month", name: "Month", hierarchy: "Due", path: "due_date", band: "month" },
  ],
  measures: [{ name: "Tasks", format: "", description: "" }],
};

test("levels go to rows and columns, measures to values, each once", () => {
  let request = placed(FACTS, { ...NEW_PIVOT, cube: "Task" }, "Sequence", "rows");
  request = placed(FACTS, request, "Due.Month", "rows", 0);
  assert.deepEqual(request.rows, ["Due.Month", "Sequence"]);
  request = placed(FACTS, request, "Sequence", "cols");
  assert.deepEqual([request.rows, request.cols], [["Due.Month"], ["Sequence"]]);
  request = placed(FACTS, request, "sum(bid)", "rows");
  assert.deepEqual(request.values, ["sum(bid)"]);
  assert.deepEqual(placed(FACTS, request, "Sequence", "values").rows, ["Due.Month", "Sequence"]);
  assert.deepEqual(removed(request, "Sequence").cols, []);
});

test("arrows move what is on a shelf", () => {
  const request = { ...NEW_PIVOT, cube: "Task", rows: ["Sequence", "Due.Month"] };
  assert.deepEqual(moved(FACTS, request, "Sequence", "right").rows, ["Due.Month", "Sequence"]);
  assert.deepEqual(moved(FACTS, request, "Due.Month", "left").rows, ["Due.Month", "Sequence"]);
  assert.deepEqual(moved(FACTS, request, "Sequence", "down").cols, ["Sequence"]);
  assert.deepEqual(moved(FACTS, request, "Sequence", "left"), request);
});

test("members that are chosen become a condition", () => {
  const [sequence, month] = FACTS.levels;
  assert.equal(memberCondition(sequence!, ['a"b']), 'parent.name is "a\\"b"');
  assert.equal(memberCondition(sequence!, ["a", null]), '(parent.name in ("a") or parent.name is none)');
  assert.equal(memberCondition(month!, ["2026-12-01"]), '(due_date >= "2026-12-01" and due_date < "2027-01-01")');
  assert.deepEqual(["year", "quarter", "week", "day"].map((band) => after("2026-10-01", band)), ["2027-10-01", "2027-01-01", "2026-10-08", "2026-10-02"]);
});
