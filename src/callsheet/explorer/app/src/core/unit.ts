// The unit of work of the page: what was edited, with the values it was edited from, until the server has it.
//
// Equal values drop out, and several edits of a value are one. The id of a commit is made and kept before anything is
// sent, so that a lost answer is asked for again and nothing is done twice.

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

export interface Conflict {
  entity: Identity;
  attribute: string;
  base: Value;
  ours: Value;
  theirs: Value;
}

/** What is kept between visits; `sending` is the commit whose answer is not known. */
export interface Kept {
  edits: Edit[];
  sending: Sending | null;
}

export interface Sending {
  id: string;
  operations: unknown[];
  /** The place and the value of each edit that it sends. */
  edits: [place: string, value: Value][];
}

export interface Keeper {
  save(kept: Kept): Promise<void>;
}

interface WireResult {
  position: number;
  versions: (number | null)[];
}

const placeOf = (edit: { entity: Identity; attribute: string }): string => `${edit.entity.join("/")}/${edit.attribute}`;
const same = (a: Value, b: Value): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

export class UnitOfWork {
  private edits = new Map<string, Edit>();
  private steps: Map<string, Edit | undefined>[] = [];
  sending: Sending | null = null;
  conflicts: Conflict[] = [];
  private readonly own: string[] = [];
  /** How many edits were made, before equal ones became one. */
  made = 0;

  constructor(private readonly keeper: Keeper, private readonly changed: () => void) {}

  /** Take over what was kept from an earlier visit. */
  restore(kept: Kept): void {
    for (const edit of kept.edits) this.edits.set(placeOf(edit), edit);
    this.sending = kept.sending;
    this.made = kept.edits.length;
    this.changed();
  }

  /** Whether a commit was made by this page. */
  isOwn(commit: string): boolean {
    return this.own.includes(commit);
  }

  get pending(): Edit[] {
    return [...this.edits.values()];
  }

  /** The pending edit of a value, if there is one. */
  of(entity: Identity, attribute: string): Edit | undefined {
    return this.edits.get(placeOf({ entity, attribute }));
  }

  conflictOf(entity: Identity, attribute: string): Conflict | undefined {
    const place = placeOf({ entity, attribute });
    return this.conflicts.find((each) => placeOf(each) === place);
  }

  /** Record edits as one step, which `undo` takes back as one. */
  async record(edits: Edit[]): Promise<void> {
    const step = new Map<string, Edit | undefined>();
    for (const edit of edits) {
      const place = placeOf(edit);
      const known = this.edits.get(place);
      step.set(place, known);
      const next = known
        ? { ...edit, before: known.before, version: known.version, shown: { ...edit.shown, before: known.shown.before } }
        : edit;
      this.made += 1;
      if (same(next.before, next.value)) this.edits.delete(place);
      else this.edits.set(place, next);
    }
    this.steps.push(step);
    await this.keep();
  }

  /** Take back the last step. */
  async undo(): Promise<boolean> {
    const step = this.steps.pop();
    if (!step) return false;
    for (const [place, before] of step) {
      if (before) this.edits.set(place, before);
      else this.edits.delete(place);
    }
    await this.keep();
    return true;
  }

  /** Take back one edit, or all. */
  async drop(edit?: Edit): Promise<void> {
    if (edit) this.edits.delete(placeOf(edit));
    else this.edits.clear();
    this.conflicts = edit ? this.conflicts.filter((each) => placeOf(each) !== placeOf(edit)) : [];
    this.steps = [];
    await this.keep();
  }

  /** What would be sent: one update for each entity. */
  operations(): Omit<Sending, "id"> {
    const updates = new Map<string, { is: string; entity: Identity; values: Record<string, Value>; before: Record<string, Value>; version: number }>();
    const edits: Sending["edits"] = [];
    for (const [place, edit] of this.edits) {
      const name = edit.entity.join("/");
      const update = updates.get(name) ?? { is: "update", entity: edit.entity, values: {}, before: {}, version: edit.version };
      update.values[edit.attribute] = edit.value;
      update.before[edit.attribute] = edit.before;
      updates.set(name, update);
      edits.push([place, edit.value]);
    }
    return { operations: [...updates.values()], edits };
  }

  /** Send what is pending as one commit. The position of the commit, or null if nothing was sent or it conflicts. */
  async commit(wire: Wire): Promise<number | null> {
    if (!this.sending) {
      const { operations, edits } = this.operations();
      if (!operations.length) return null;
      this.sending = { id: crypto.randomUUID(), operations, edits };
      await this.keep();
    }
    const { id, operations, edits } = this.sending;
    this.own.push(id);
    if (this.own.length > 100) this.own.shift();
    try {
      const result = await wire.post<WireResult>(`/v1/commits/${id}`, { operations });
      for (const [place, sent] of edits) this.settle(place, sent);
      this.sending = null;
      this.conflicts = [];
      this.steps = [];
      this.made = this.edits.size;
      await this.keep();
      return result.position;
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

  /** A value is committed: it is pending no more, unless it was edited again while it was under way. */
  private settle(place: string, sent: Value): void {
    const edit = this.edits.get(place);
    if (!edit || same(edit.value, sent)) this.edits.delete(place);
    else this.edits.set(place, { ...edit, before: sent });
  }

  /** Decide a conflict: keep ours, which then starts from theirs, or take theirs. */
  async decide(conflict: Conflict, keepOurs: boolean, version: number): Promise<void> {
    const place = placeOf(conflict);
    const edit = this.edits.get(place);
    this.conflicts = this.conflicts.filter((each) => each !== conflict);
    if (edit && keepOurs) this.edits.set(place, { ...edit, before: conflict.theirs, version });
    else this.edits.delete(place);
    await this.keep();
  }

  private async keep(): Promise<void> {
    this.changed();
    await this.keeper.save({ edits: this.pending, sending: this.sending });
  }
}

function conflictsOf(error: WireError): Conflict[] {
  if (error.kind !== "conflict") return [];
  const found = error.details.conflicts;
  if (!Array.isArray(found)) return [];
  return found.map((each) => ({ ...(each as Conflict), entity: unpack((each as Conflict).entity) as Identity }));
}
