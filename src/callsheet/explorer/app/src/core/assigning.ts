// Who is assigned to what, with what waits on the call sheet; assigning and releasing as entities that come and go.

import { newKey } from "./keys.ts";
import type { Identity } from "./records.ts";
import type { Choice } from "./sheet.ts";
import type { Person, Task, Work } from "./tasks.ts";
import type { Edit, Marked, UnitOfWork } from "./unit.ts";
import { pack, unpack } from "./wire.ts";

/** The people of every task that pending work assigns, by the task's key. */
export function coming(work: Work, unit: UnitOfWork): Map<string, Person[]> {
  const found = new Map<string, Person[]>();
  const { assigning } = work;
  if (!assigning || !unit.created.length) return found;
  for (const { entity } of unit.created) {
    if (entity[0] !== assigning.type) continue;
    const task = unpack(unit.of(entity, assigning.work)?.value) as Identity | null;
    const edit = unit.of(entity, assigning.person);
    const person = unpack(edit?.value) as Identity | null;
    if (!task || !person) continue;
    const one: Person = { assignment: entity, version: 0, person, label: edit!.shown.value };
    found.set(task[1], [...(found.get(task[1]) ?? []), one]);
  }
  return found;
}

/** The people of a task as it will be, and whether that is pending. */
export function peopleOf(task: Task, unit: UnitOfWork, pending: Map<string, Person[]>): { people: Person[]; changed: boolean } {
  const stay = task.people.filter((each) => !unit.isDeleted(each.assignment));
  const more = pending.get(task.key) ?? [];
  return { people: [...stay, ...more], changed: more.length > 0 || stay.length < task.people.length };
}

export interface Assigned {
  edits: Edit[];
  created: Marked[];
  deleted: Marked[];
}

/** What makes a person (or nobody) the only one of tasks; equal ones stay as they are. */
export function assign(work: Work, tasks: { task: Task; name: string }[], chosen: Choice | null, unit: UnitOfWork): Assigned {
  const found: Assigned = { edits: [], created: [], deleted: [] };
  const { assigning } = work;
  if (!assigning) throw new Error(`nobody can be assigned to a ${work.type} of this server`);
  const pending = coming(work, unit);
  for (const { task, name } of tasks) {
    let there = false;
    for (const each of peopleOf(task, unit, pending).people) {
      if (chosen && each.person[1] === chosen.key) there = true;
      else found.deleted.push({ entity: each.assignment, name: `${each.label} of ${name}`, version: each.version });
    }
    if (there || !chosen) continue;
    const entity: Identity = [assigning.type, newKey()];
    found.created.push({ entity, name: `${chosen.label} for ${name}`, version: 0 });
    const edit = (attribute: string, value: Identity, shown: string): Edit => ({
      entity,
      attribute,
      before: null,
      value: pack("reference", value),
      version: 0,
      shown: { entity: name, before: "", value: shown },
    });
    found.edits.push(edit(assigning.work, [task.type, task.key], name), edit(assigning.person, [chosen.type, chosen.key], chosen.label));
  }
  return found;
}
