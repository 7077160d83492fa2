import assert from "node:assert/strict";
import { test } from "node:test";
import { assign, coming, peopleOf } from "../src/core/assigning.ts";
import { Lines, type Group } from "../src/core/lines.ts";
import { addressOf, placeOf } from "../src/core/routes.ts";
import { doneShare, initials, partsOf, sharesOf, type Task, type Work } from "../src/core/tasks.ts";
import { UnitOfWork } from "../src/core/unit.ts";

const group = (key: string, count: number): Group => ({ key, label: key, count, totals: [] });

test("each group is a head and its rows, in order", () => {
  const lines = new Lines([group("a", 2), group("b", 0), group("c", 1)], 3);
  const found = Array.from({ length: lines.length }, (_, line) => lines.at(line));
  assert.deepEqual(found, [
    { is: "group", group: 0 },
    { is: "row", place: 0 },
    { is: "row", place: 1 },
    { is: "group", group: 1 },
    { is: "group", group: 2 },
    { is: "row", place: 2 },
  ]);
});

test("rows of a group that is shut have no lines, and it stays shut when the numbers change", () => {
  const lines = new Lines([group("a", 2), group("b", 1)], 3);
  lines.toggle(0);
  assert.deepEqual([lines.length, lines.at(1), lines.at(2)], [3, { is: "group", group: 1 }, { is: "row", place: 2 }]);
  lines.replace([group("0", 1), group("a", 5), group("b", 1)], 7);
  assert.deepEqual([lines.length, lines.isShut(1), lines.at(4)], [5, true, { is: "row", place: 6 }]);
});

test("without groups a line is a row", () => {
  const lines = new Lines([], 4);
  assert.deepEqual([lines.length, lines.at(3)], [4, { is: "row", place: 3 }]);
});

test("a bar has the shares of all statuses, and what is omitted counts for nothing", () => {
  const statuses = [
    { key: "1", label: "Done", state: "done" },
    { key: "2", label: "Approved", state: "done" },
    { key: "3", label: "Omitted", state: "done" },
    { key: "4", label: "In progress", state: "in_progress" },
  ];
  const bars = [
    [0, 0, 0, 1],
    [0, 0, 1, 1],
    [1, 0, 2, 4],
    [1, 0, 3, 2],
  ];
  const { groups, all } = sharesOf(statuses, bars, 2, 1);
  assert.deepEqual([doneShare(groups[0]![0]!), doneShare(groups[1]![0]!), doneShare(all[0]!), doneShare(new Map())], [100, 0, 50, null]);
  assert.deepEqual(partsOf(all[0]!), [["done", 25], ["wip", 50], ["omit", 100]]);
});

test("people are few letters", () => {
  assert.deepEqual(["lighter 04", "Anna Lind", "bo", "a.b.cook", ""].map(initials), ["L04", "AL", "BO", "AC", ""]);
});

const WORK = { type: "Task", assigning: { type: "Assignment", work: "context", person: "resource" } } as Work;
const task = (people: Task["people"]): Task => ({ type: "Task", key: "t", version: 1, name: "", parent: "s", step: null, status: null, label: "", state: null, due: "", people });
const anna = { type: "User", key: "anna", label: "anna" };

test("somebody else takes a task over: one assignment goes, another comes; taken back, nothing is left", async () => {
  const unit = new UnitOfWork({ save: async () => {} }, () => {});
  const held = task([{ assignment: ["Assignment", "1"], version: 3, person: ["User", "bo"], label: "bo" }]);
  const { edits, created, deleted } = assign(WORK, [{ task: held, name: "sh1 / FX" }], anna, unit);
  assert.deepEqual([created.length, deleted.map((each) => each.entity[1]), edits.map((each) => each.attribute)], [1, ["1"], ["context", "resource"]]);
  await unit.recordAll(edits, created, deleted);
  const { people, changed } = peopleOf(held, unit, coming(WORK, unit));
  assert.deepEqual([people.map((each) => each.label), changed], [["anna"], true]);
  const again = assign(WORK, [{ task: held, name: "sh1 / FX" }], null, unit);
  await unit.recordAll(again.edits, again.created, again.deleted);
  assert.deepEqual([unit.created, unit.deleted.length, unit.size], [[], 1, 1]);
});

test("whoever has a task keeps it", () => {
  const unit = new UnitOfWork({ save: async () => {} }, () => {});
  const held = task([{ assignment: ["Assignment", "1"], version: 3, person: ["User", "anna"], label: "anna" }]);
  assert.deepEqual(assign(WORK, [{ task: held, name: "" }], anna, unit), { edits: [], created: [], deleted: [] });
});

test("a grouped sheet and the sheet of steps have addresses", () => {
  for (const [address, steps] of [["v/sheet?q=Task&group=status", false], ["v/steps?q=Shot&sort=-name&group=parent", true]] as const) {
    const place = placeOf(address.split("?")[0]!, `?${address.split("?")[1]}`);
    assert.equal(place.is === "grid" && place.steps, steps);
    assert.equal(addressOf(place), address);
  }
});
