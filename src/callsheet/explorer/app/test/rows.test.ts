import assert from "node:assert/strict";
import { test } from "node:test";
import { columnAt, defaultColumns } from "../src/core/columns.ts";
import { PageReader, type WirePage } from "../src/core/records.ts";
import { addressOf, placeOf, type Place } from "../src/core/routes.ts";
import { shown, typed } from "../src/core/values.ts";
import { Windows } from "../src/core/windows.ts";
import { updateOf } from "../src/core/live.ts";
import { fakeWire, SCHEMA } from "./fakes.ts";

const shot = SCHEMA.type("Shot");

test("a subtype has the attributes of those it extends", () => {
  assert.deepEqual([...shot.attributes.keys()], ["name", "parent", "bid", "due", "status", "notes", "path"]);
  assert.equal(SCHEMA.isA("Shot", "Node"), true);
  assert.equal(SCHEMA.isA("Node", "Shot"), false);
});

test("a reference is shown by the label of what it refers to", () => {
  const column = columnAt(SCHEMA, shot, ["status"])!;
  assert.deepEqual([column.path, column.reference, column.own?.name], [["status", "name"], ["status"], "status"]);
});

test("a path through a reference is shown, and not edited", () => {
  const column = columnAt(SCHEMA, shot, ["parent", "name"])!;
  assert.deepEqual([column.path, column.own], [["parent", "name"], null]);
  assert.equal(columnAt(SCHEMA, shot, ["notes", "name"]), null);
  assert.equal(columnAt(SCHEMA, shot, ["nothing"]), null);
});

test("a sheet begins with the label, and leaves out what is no one value", () => {
  assert.deepEqual(defaultColumns(SCHEMA, shot).map((each) => each.title), ["name", "parent", "status", "bid", "due"]);
});

const page: WirePage = {
  roots: 2,
  order: [1, 0],
  cursor: null,
  records: [
    { type: "Shot", attributes: ["name", "status"], rows: [["1", 4, "sh010", "9"]] },
    { type: "Node", attributes: ["name", "status"], rows: [["2", 1, "sh020", null]] },
    { type: "Status", attributes: ["name"], rows: [["9", 1, "Done"]] },
  ],
};

test("rows have the values at their paths, in the order of the results", () => {
  const rows = new PageReader(SCHEMA, [["name"], ["status", "name"], ["status"]]).read(page);
  assert.deepEqual(rows, [
    { type: "Node", key: "2", version: 1, values: ["sh020", null, null] },
    { type: "Shot", key: "1", version: 4, values: ["sh010", "Done", ["Status", "9"]] },
  ]);
});

test("windows are fetched when they come into sight, once each, and a few are kept", async () => {
  const { wire, asked } = fakeWire(({ path, body }) => {
    if (path === "/v1/aggregate") return { rows: [[5_000]] };
    const rows = Array.from({ length: body.select.limit }, (_, n) => [String(body.select.offset + n), 1, `sh${body.select.offset + n}`]);
    return { roots: 1, order: null, cursor: null, records: [{ type: "Shot", attributes: ["name"], rows }] };
  });
  let changes = 0;
  const windows = new Windows(wire, SCHEMA, { entity_type: "Shot" }, [["name"]], () => void changes++, (error) => assert.fail(String(error)));
  await windows.open();
  assert.equal(windows.at(3)!.key, "3");
  await new Promise((done) => setTimeout(done, 5));
  assert.deepEqual([windows.count, windows.counted], [5_000, true]);
  assert.equal(windows.at(3)!.key, "3");
  assert.equal(windows.at(1_000), undefined);
  assert.equal(windows.at(1_001), undefined);
  await new Promise((done) => setTimeout(done, 5));
  assert.equal(windows.at(1_001)!.key, "1001");
  assert.equal(changes, 2);
  for (let place = 0; place < 4_000; place += 200) windows.at(place);
  await new Promise((done) => setTimeout(done, 20));
  assert.equal([...windows.here()].length, 6 * 200);
  assert.equal(asked.filter(({ path }) => path === "/v1/select").length, 20);
});

test("an address is the place that it was made of", () => {
  const places: Place[] = [
    { is: "home" },
    { is: "sheet", query: 'Shot where name is "a&b=c#d"', columns: ["name", "parent.name"], sort: "-name" },
    { is: "entity", type: "Shot", key: "a/b" },
  ];
  for (const place of places) {
    const { pathname, search } = new URL(addressOf(place), "http://x/");
    assert.deepEqual(placeOf(pathname.slice(1), search), place);
  }
});

test("what is typed becomes a value, or a reason why not", () => {
  const of = (type: string) => ({ ...shot.attributes.get("bid")!, type, label: "Bid", choices: ["a", "b"] });
  assert.equal(typed(of("number"), " 1,5 "), 1.5);
  assert.equal(typed(of("integer"), "-3"), -3);
  assert.equal(typed(of("boolean"), "yes"), true);
  assert.equal(typed(of("date"), "2026-12-01"), "2026-12-01");
  assert.equal(typed(of("string"), " kept "), " kept ");
  assert.equal(typed(of("number"), ""), null);
  for (const [type, text] of [["number", "x"], ["integer", "1.5"], ["boolean", "2"], ["date", "1.12."], ["enum", "c"], ["json", "{}"]])
    assert.throws(() => typed(of(type!), text!), /Bid/);
  assert.equal(shown(of("number"), 1234.5), "1,234.5");
  assert.equal(shown(of("string"), "x".repeat(1_000)).length, 501);
});

test("an event of a commit says what changed", () => {
  const text = JSON.stringify({
    topic: "callsheet.update",
    data: { entity: { type: "Shot", id: "1", types: ["Shot", "Node"] }, action: "update", changes: { bid: { old: 1, new: 2 } }, user: "anna", commit_id: "c" },
  });
  assert.deepEqual(updateOf(text), { type: "Shot", types: ["Shot", "Node"], key: "1", action: "update", changed: ["bid"], user: "anna", commit: "c" });
  assert.equal(updateOf(JSON.stringify({ topic: "studio.render" })), null);
});
