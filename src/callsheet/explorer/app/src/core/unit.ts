// The unit of work of the page: what was edited, created and deleted, until the server has it.
//
// Equal values drop out, and several edits of a value are one. The id of a commit is made and kept before anything is
// sent, so that a lost answer is asked for again and nothing is done twice.

import { newKey } from "./keys.ts";
import type { Identity, Value } from "./records.ts";
import { unpack, WireError, type Wire } from "./wire.ts";

/** An edit of one value; `before` and `value` are as the native wire has them. */
export interface Edit {
  entity: Identity;
  attribute: string;
  before: Value;
  value: Value;
  version: number;
  /** What people read: of the entity, and of both values where they are references. */
  shown: { entity: string; before: string; value: string };
}

/** An entity that is to be created, or deleted; its name is what people read. */
export interface Marked {
  entity: Identity;
  name: string;
  version: number;
}

export interface Conflict {
  entity: Identity;
  attribute: string;
  base: Value;
  ours: Value;
  theirs: Value;
}

interface Work {
  edits: Map<string, Edit>;
  created: Map<string, Marked>;
  deleted: Map<string, Marked>;
}

/** What is kept between visits; `sending` is the commit whose answer is not known. */
export interface Kept {
  edits: Edit[];
  created: Marked[];
  deleted: Marked[];
  sending: Sending | null;
}

export interface Sending {
  id: string;
  operations: unknown[];
  /** The place and the value of each edit that it sends. */
  edits: [place: string, value: Value][];
  /** The entities that it creates and deletes. */
  entities: string[];
}

export interface Keeper {
  save(kept: Kept): Promise<void>;
}

interface WireResult {
  position: number;
  versions: (number | null)[];
}

/** Steps that can be taken back. */
const STEPS = 200;

const nameOf = (entity: Identity): string => entity.join("/");
const placeOf = (edit: { entity: Identity; attribute: string }): string => `${nameOf(edit.entity)}/${edit.attribute}`;
const same = (a: Value, b: Value): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

export class UnitOfWork {
  private work: Work = { edits: new Map(), created: new Map(), deleted: new Map() };
  private steps: Work[] = [];
  private readonly own: string[] = [];
  sending: Sending | null = null;
  conflicts: Conflict[] = [];
  /** How many edits were made, before equal ones became one. */
  made = 0;

  constructor(private readonly keeper: Keeper, private readonly changed: () => void) {}

  /** Take over what was kept from an earlier visit. */
  restore(kept: Kept): void {
    const marked = (given: Marked[] | undefined) => new Map((given ?? []).map((each) => [nameOf(each.entity), each]));
    this.work = {
      edits: new Map(kept.edits.map((each) => [placeOf(each), each])),
      created: marked(kept.created),
      deleted: marked(kept.deleted),
    };
    this.sending = kept.sending;
    this.made = this.size;
    this.changed();
  }

  // What is pending

  get pending(): Edit[] {
    return [...this.work.edits.values()];
  }

  get created(): Marked[] {
    return [...this.work.created.values()];
  }

  get deleted(): Marked[] {
    return [...this.work.deleted.values()];
  }

  /** How many lines the call sheet has. */
  get size(): number {
    const { edits, created, deleted } = this.work;
    let values = 0;
    for (const edit of edits.values()) if (!created.has(nameOf(edit.entity))) values += 1;
    return values + created.size + deleted.size;
  }

  /** The pending edit of a value, if there is one. */
  of(entity: Identity, attribute: string): Edit | undefined {
    return this.work.edits.get(placeOf({ entity, attribute }));
  }

  isCreated(entity: Identity): boolean {
    return this.work.created.has(nameOf(entity));
  }

  isDeleted(entity: Identity): boolean {
    return this.work.deleted.has(nameOf(entity));
  }

  conflictOf(entity: Identity, attribute: string): Conflict | undefined {
    const place = placeOf({ entity, attribute });
    return this.conflicts.find((each) => placeOf(each) === place);
  }

  /** Whether a commit was made by this page. */
  isOwn(commit: string): boolean {
    return this.own.includes(commit);
  }

  // Recording

  /** Record edits as one step, which `undo` takes back as one. */
  async record(edits: Edit[]): Promise<void> {
    await this.step((work) => edits.forEach((edit) => this.put(work, edit)));
  }

  /** Record new entities, with values of theirs. */
  async create(created: Marked[], values: Edit[] = []): Promise<void> {
    await this.step((work) => {
      for (const each of created) work.created.set(nameOf(each.entity), each);
      for (const edit of values) this.put(work, edit);
    });
  }

  /** Record that entities go: edits of them go, too, and one that is not on the server yet is simply forgotten. */
  async remove(entities: Marked[]): Promise<void> {
    await this.step((work) => {
      for (const each of entities) {
        const name = nameOf(each.entity);
        this.forget(work, each.entity);
        if (!work.created.delete(name)) work.deleted.set(name, each);
      }
    });
  }

  /** Record several things as one step: a commit taken back. */
  async recordAll(edits: Edit[], created: Marked[], deleted: Marked[]): Promise<void> {
    await this.step((work) => {
      for (const each of deleted) {
        this.forget(work, each.entity);
        if (!work.created.delete(nameOf(each.entity))) work.deleted.set(nameOf(each.entity), each);
      }
      for (const each of created) work.created.set(nameOf(each.entity), each);
      for (const edit of edits) this.put(work, edit);
    });
  }

  /** Take back the last step. */
  async undo(): Promise<boolean> {
    const before = this.steps.pop();
    if (!before) return false;
    this.work = before;
    await this.keep();
    return true;
  }

  /** Take back one edit, one entity that was to be created or deleted, or all. */
  async drop(what?: Edit | Marked): Promise<void> {
    await this.step((work) => {
      if (!what) for (const each of Object.values(work)) each.clear();
      else if ("attribute" in what) work.edits.delete(placeOf(what));
      else {
        if (work.created.delete(nameOf(what.entity))) this.forget(work, what.entity);
        work.deleted.delete(nameOf(what.entity));
      }
    });
    this.conflicts = what && "attribute" in what ? this.conflicts.filter((each) => placeOf(each) !== placeOf(what)) : [];
    this.changed();
  }

  // Sending

  /** What would be sent: creations, one update for each other entity, deletions. */
  operations(): Omit<Sending, "id"> {
    const { edits, created, deleted } = this.work;
    const creates = new Map<string, { is: string; entity: Identity; values: Record<string, Value> }>();
    const updates = new Map<string, { is: string; entity: Identity; values: Record<string, Value>; before: Record<string, Value>; version: number }>();
    for (const [name, { entity }] of created) creates.set(name, { is: "create", entity, values: {} });
    for (const edit of edits.values()) {
      const name = nameOf(edit.entity);
      const create = creates.get(name);
      if (create) create.values[edit.attribute] = edit.value;
      else {
        const update = updates.get(name) ?? { is: "update", entity: edit.entity, values: {}, before: {}, version: edit.version };
        update.values[edit.attribute] = edit.value;
        update.before[edit.attribute] = edit.before;
        updates.set(name, update);
      }
    }
    const deletes = [...deleted.values()].map(({ entity, version }) => ({ is: "delete", entity, version }));
    return {
      operations: [...creates.values(), ...updates.values(), ...deletes],
      edits: [...edits].map(([place, edit]) => [place, edit.value]),
      entities: [...created.keys(), ...deleted.keys()],
    };
  }

  /** Send what is pending as one commit. Its id and position, or null if nothing was sent or it conflicts. */
  async commit(wire: Wire): Promise<{ id: string; position: number } | null> {
    if (!this.sending) {
      const sent = this.operations();
      if (!sent.operations.length) return null;
      this.sending = { id: newKey(), ...sent };
      await this.keep();
    }
    const { id, operations, edits, entities } = this.sending;
    this.own.push(id);
    if (this.own.length > 100) this.own.shift();
    try {
      const result = await wire.post<WireResult>(`/v1/commits/${id}`, { operations });
      for (const [place, value] of edits) this.settle(place, value);
      for (const name of entities) {
        this.work.created.delete(name);
        this.work.deleted.delete(name);
      }
      this.sending = null;
      this.conflicts = [];
      this.steps = [];
      this.made = this.size;
      await this.keep();
      return { id, position: result.position };
    } catch (error) {
      if (error instanceof WireError && !error.isLost && error.status !== 401) {
        this.sending = null;
        this.conflicts = conflictsOf(error);
        await this.keep();
        if (this.conflicts.length) return null;
      } else this.changed();
      throw error;
    }
  }

  /** Decide a conflict: keep ours, which then starts from theirs, or take theirs. */
  async decide(conflict: Conflict, keepOurs: boolean, version: number): Promise<void> {
    const place = placeOf(conflict);
    const edit = this.work.edits.get(place);
    this.conflicts = this.conflicts.filter((each) => each !== conflict);
    if (edit && keepOurs) this.work.edits.set(place, { ...edit, before: conflict.theirs, version });
    else this.work.edits.delete(place);
    await this.keep();
  }

  // Within

  private async step(change: (work: Work) => void): Promise<void> {
    const { edits, created, deleted } = this.work;
    this.steps.push(this.work);
    if (this.steps.length > STEPS) this.steps.shift();
    this.work = { edits: new Map(edits), created: new Map(created), deleted: new Map(deleted) };
    change(this.work);
    await this.keep();
  }

  private put(work: Work, edit: Edit): void {
    const place = placeOf(edit);
    const known = work.edits.get(place);
    const next = known
      ? { ...edit, before: known.before, version: known.version, shown: { ...edit.shown, before: known.shown.before } }
      : edit;
    this.made += 1;
    if (same(next.before, next.value)) work.edits.delete(place);
    else work.edits.set(place, next);
  }

  private forget(work: Work, entity: Identity): void {
    const begin = `${nameOf(entity)}/`;
    for (const place of [...work.edits.keys()]) if (place.startsWith(begin)) work.edits.delete(place);
  }

  /** A value is committed: it is pending no more, unless it was edited again while it was under way. */
  private settle(place: string, sent: Value): void {
    const edit = this.work.edits.get(place);
    if (!edit || same(edit.value, sent)) this.work.edits.delete(place);
    else this.work.edits.set(place, { ...edit, before: sent });
  }

  private async keep(): Promise<void> {
    this.changed();
    await this.keeper.save({ edits: this.pending, created: this.created, deleted: this.deleted, sending: this.sending });
  }
}

function conflictsOf(error: WireError): Conflict[] {
  if (error.kind !== "conflict") return [];
  const found = error.details.conflicts;
  if (!Array.isArray(found)) return [];
  return found.map((each) => ({ ...(each as Conflict), entity: unpack((each as Conflict).entity) as Identity }));
}
