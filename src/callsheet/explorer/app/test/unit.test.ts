import assert from "node:assert/strict";
import { test } from "node:test";
import { UnitOfWork, type Edit, type Kept } from "../src/core/unit.ts";
import { inverseOf } from "../src/core/inverse.ts";
import { newKey } from "../src/core/keys.ts";
import { fakeWire, SCHEMA, Status, type Answer } from "./fakes.ts";

const edit = (value: unknown, more: Partial<Edit> = {}): Edit => ({
  entity: ["Shot", "1"],
  attribute: "bid",
  before: 1,
  value,
  version: 3,
  shown: { entity: "sh010", before: "1", value: String(value) },
  ...more,
});

function unit(): { unit: UnitOfWork; kept: Kept[] } {
  const kept: Kept[] = [];
  return { unit: new UnitOfWork({ save: async (each) => void kept.push(structuredClone(each)) }, () => {}), kept };
}

test("several edits of a value are one, from the first value", async () => {
  const { unit: made } = unit();
  await made.record([edit(2)]);
  await made.record([edit(5, { before: 2, version: 4 })]);
  assert.deepEqual(made.operations().operations, [
    { is: "update", entity: ["Shot", "1"], values: { bid: 5 }, before: { bid: 1 }, version: 3 },
  ]);
});

test("an edit that is taken back is no edit", async () => {
  const { unit: made } = unit();
  await made.record([edit(2)]);
  await made.record([edit(1, { before: 2 })]);
  assert.equal(made.pending.length, 0);
});

test("edits of one entity are one operation", async () => {
  const { unit: made } = unit();
  await made.record([edit(2), edit("x", { attribute: "name", before: "y" })]);
  assert.equal(made.operations().operations.length, 1);
});

test("undo takes back a step as a whole, and gives the edit before it back", async () => {
  const { unit: made } = unit();
  await made.record([edit(2)]);
  await made.record([edit(3), edit("x", { attribute: "name", before: "y" })]);
  await made.undo();
  assert.deepEqual(made.pending.map((each) => each.value), [2]);
  await made.undo();
  assert.equal(made.pending.length, 0);
  assert.equal(await made.undo(), false);
});

test("the id of a commit is kept before anything is sent", async () => {
  const { unit: made, kept } = unit();
  await made.record([edit(2)]);
  const { wire, asked } = fakeWire(() => {
    assert.equal(kept.at(-1)!.sending!.edits.length, 1);
    return { position: 7, versions: [4] };
  });
  assert.equal((await made.commit(wire))?.position, 7);
  assert.match(asked[0]!.path, /^\/v1\/commits\/[0-9a-f-]{36}$/);
  assert.deepEqual(kept.at(-1), { edits: [], created: [], deleted: [], sending: null });
});

test("a lost answer is asked for again by the same id, with the same operations", async () => {
  const { unit: made } = unit();
  await made.record([edit(2)]);
  let lost = true;
  const { wire, asked } = fakeWire(() => {
    if (lost) throw new TypeError("network");
    return { position: 7, versions: [4] };
  });
  await assert.rejects(made.commit(wire));
  await made.record([edit("later", { attribute: "name", before: "y" })]);
  lost = false;
  assert.equal((await made.commit(wire))?.position, 7);
  assert.equal(asked[0]!.path, asked[1]!.path);
  assert.deepEqual(asked[0]!.body, asked[1]!.body);
  assert.deepEqual(made.pending.map((each) => each.value), ["later"]);
});

test("an edit made while a commit is under way stays", async () => {
  const { unit: made } = unit();
  await made.record([edit(2)]);
  const { wire } = fakeWire(async () => {
    await made.record([edit(9, { before: 1 })]);
    return { position: 7, versions: [4] };
  });
  await made.commit(wire);
  assert.deepEqual(made.pending.map((each) => [each.before, each.value]), [[2, 9]]);
});

const conflict: Answer = () =>
  new Status(409, {
    error: {
      kind: "conflict",
      message: "changed",
      details: { conflicts: [{ entity: ["Shot", "1"], attribute: "bid", base: 1, ours: 2, theirs: 5 }] },
    },
  });

test("a conflict is kept until it is decided, and ours then starts from theirs", async () => {
  const { unit: made } = unit();
  await made.record([edit(2)]);
  assert.equal(await made.commit(fakeWire(conflict).wire), null);
  assert.equal(made.sending, null);
  const [found] = made.conflicts;
  await made.decide(found!, true, 6);
  assert.deepEqual(made.operations().operations, [
    { is: "update", entity: ["Shot", "1"], values: { bid: 2 }, before: { bid: 5 }, version: 6 },
  ]);
});

test("theirs is taken by dropping ours", async () => {
  const { unit: made } = unit();
  await made.record([edit(2)]);
  await made.commit(fakeWire(conflict).wire);
  await made.decide(made.conflicts[0]!, false, 6);
  assert.deepEqual([made.pending, made.conflicts], [[], []]);
});

test("what was kept is there again, a commit without an answer included", async () => {
  const { unit: made } = unit();
  const sending = { id: "abc", operations: [{ is: "update" }], edits: [["Shot/1/bid", 2] as [string, unknown]], entities: [] };
  made.restore({ edits: [edit(2)], created: [], deleted: [], sending });
  const { wire, asked } = fakeWire(() => ({ position: 7, versions: [4] }));
  await made.commit(wire);
  assert.equal(asked[0]!.path, "/v1/commits/abc");
  assert.equal(made.pending.length, 0);
});

const entity = (key: string, version = 0) => ({ entity: ["Shot", key] as [string, string], name: `sh${key}`, version });

test("a new entity is one operation with its values, before those that may refer to it", async () => {
  const { unit: made } = unit();
  await made.record([edit(2)]);
  await made.create([entity("9")], [edit("sh9", { entity: ["Shot", "9"], attribute: "name", before: null })]);
  assert.deepEqual(made.operations().operations[0], { is: "create", entity: ["Shot", "9"], values: { name: "sh9" } });
  assert.equal(made.size, 2);
});

test("an entity that was created and deleted here never was", async () => {
  const { unit: made } = unit();
  await made.create([entity("9")], [edit("sh9", { entity: ["Shot", "9"], attribute: "name", before: null })]);
  await made.remove([entity("9")]);
  assert.deepEqual(made.operations().operations, []);
});

test("edits of an entity that goes, go", async () => {
  const { unit: made } = unit();
  await made.record([edit(2)]);
  await made.remove([entity("1", 3)]);
  assert.deepEqual(made.operations().operations, [{ is: "delete", entity: ["Shot", "1"], version: 3 }]);
  await made.undo();
  assert.deepEqual(made.pending.map((each) => each.value), [2]);
});

test("what a commit created and deleted is not sent again", async () => {
  const { unit: made } = unit();
  await made.create([entity("9")]);
  await made.remove([entity("1", 3)]);
  await made.commit(fakeWire(() => ({ position: 7, versions: [] })).wire);
  assert.equal(made.size, 0);
});

test("the inverse of a commit takes back what it did", () => {
  const found = inverseOf(SCHEMA, [
    { type: "Shot", key: "1", kind: "update", version: 4, before: { bid: 1, updated_at: "x" }, after: { bid: 2, updated_at: "y" } },
    { type: "Shot", key: "2", kind: "create", version: 1, after: { name: "sh2" } },
    { type: "Shot", key: "3", kind: "delete", before: { name: "sh3", status: { $identity: ["Status", "9"] }, path: [], notes: [] } },
  ]);
  assert.deepEqual(found.edits.map((each) => [each.entity[1], each.attribute, each.before, each.value]), [
    ["1", "bid", 2, 1],
    ["3", "name", null, "sh3"],
    ["3", "status", null, { $identity: ["Status", "9"] }],
  ]);
  assert.deepEqual(found.created.map((each) => each.name), ["sh3"]);
  assert.deepEqual(found.deleted.map((each) => [each.name, each.version]), [["sh2", 1]]);
});

test("new keys are UUIDs of version 7, in the order of time", () => {
  const [first, second] = [newKey(1_000), newKey(2_000)];
  assert.match(first, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.ok(first < second);
});
