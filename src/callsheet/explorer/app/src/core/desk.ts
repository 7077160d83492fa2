// The desk: everything the page holds, and what it can do. Parts show it and call it; they never use the wire.

import { Board } from "./board.ts";
import { inverseOf, type CommitChange } from "./inverse.ts";
import { Journal } from "./journal.ts";
import { newKey } from "./keys.ts";
import { Live, type Update } from "./live.ts";
import type { Row } from "./records.ts";
import type { Place } from "./routes.ts";
import { Schema } from "./schema.ts";
import { Sheet, type QueryFault, type SheetRequest } from "./sheet.ts";
import { UnitOfWork, type Conflict } from "./unit.ts";
import { Wire, WireError } from "./wire.ts";
import type { View } from "./view.ts";

export interface About {
  account: string;
  administrator: boolean;
  workspace: string;
  token: string;
  server: { description: string };
  /** The types whose entities may have work by step. */
  work: string[];
  user: { first_name?: string; last_name?: string } | null;
}

/** A commit of an entity's history. */
export interface Commit {
  position: number;
  commit_id: string;
  user: string;
  time: unknown;
  changes: { kind: string; before?: Record<string, unknown>; after?: Record<string, unknown> }[];
}

/** An entity that a search found, with the label of what it is in. */
export interface Found {
  type: string;
  key: string;
  label: string;
  within: string;
}

/** By what one may sign in, beside a name and a password; null for what the server has not. */
export interface Ways {
  oidc: { name: string } | null;
}

export interface Notice {
  text: string;
  bad: boolean;
  action?: { label: string; run: () => void };
}

/** How long the mark of somebody else's commit stays, in milliseconds. */
export const MARKED = 8_000;

/** How long good news stays, in milliseconds. */
const SAID = 6_000;

export class Desk extends EventTarget {
  readonly wire: Wire;
  state: "starting" | "signed out" | "ready" | "failed" = "starting";
  reason = "";
  /** Where the login at the provider of the house is ended, after signing out here. */
  leaveAt = "";
  about: About | null = null;
  schema: Schema | null = null;
  unit: UnitOfWork;
  live: Live | null = null;
  sheet: Sheet | null = null;
  board: Board | null = null;
  /** What is shown, where it is neither a sheet nor a board. */
  view: View | null = null;
  private reopen: () => Promise<void> = async () => {};
  fault: QueryFault | null = null;
  loading = false;
  /** The commits that changed the entity in sight, newest first. */
  history: Commit[] = [];
  notice: Notice | null = null;
  /** What a part that asks by itself says in the frame: its name, and a line about what it shows. */
  caption: { title: string; status: string } | null = null;
  /** Entities that somebody else's commit has just changed: until when they are marked, and by whom. */
  readonly incoming = new Map<string, { until: number; user: string }>();
  private touched = new Set<string>();
  private refreshing: ReturnType<typeof setTimeout> | undefined;
  private opened = 0;
  private boardRequest: { query: string; by: string } = { query: "", by: "" };

  constructor(prefix: string) {
    super();
    this.wire = new Wire(prefix);
    this.unit = new UnitOfWork({ save: async () => {} }, () => this.changed());
  }

  changed(): void {
    this.dispatchEvent(new Event("change"));
  }

  // Coming in

  /** Sign in by a code, if there is one, and read who and what this is about. */
  async start(code: string): Promise<void> {
    try {
      if (code) await this.enter({ code });
      else await this.arrive();
    } catch (error) {
      this.refused(error);
    }
  }

  async signIn(name: string, password: string): Promise<void> {
    await this.enter({ name, password });
  }

  /** By what one may sign in here, beside a name and a password. */
  ways(): Promise<Ways> {
    return this.wire.get<Ways>("/explorer/x/ways");
  }

  async signOut(everywhere: boolean): Promise<void> {
    const path = `/explorer/x/session${everywhere ? "?everywhere=1" : ""}`;
    const { leave } = (await this.wire.request<{ leave?: string }>("DELETE", path)) ?? {};
    this.leave("You signed out.");
    this.leaveAt = leave ?? "";
    this.changed();
  }

  private async enter(given: Record<string, string>): Promise<void> {
    const { token } = await this.wire.post<{ token: string }>("/explorer/x/session", { ...given, device: deviceName() });
    this.wire.token = token;
    await this.arrive();
  }

  private async arrive(): Promise<void> {
    const about = (this.about = await this.wire.get<About>("/explorer/x/page"));
    this.wire.token = about.token;
    const { schema } = await this.wire.get<{ schema: ConstructorParameters<typeof Schema>[0] }>("/v1/description");
    this.schema = new Schema(schema);
    const journal = new Journal(`${this.wire.prefix} ${about.account}`);
    this.unit = new UnitOfWork(journal, () => this.changed());
    const kept = await journal.load();
    if (kept) this.unit.restore(kept);
    this.live = new Live(`${this.wire.prefix}/v1/events`, (update) => this.arrived(update), () => this.connected());
    this.live.open();
    this.state = "ready";
    this.reason = "";
    this.changed();
    if (this.unit.sending) void this.commit();
  }

  refused(error: unknown): void {
    if (error instanceof WireError && error.status === 401) this.leave(this.about ? error.message : "");
    else {
      this.state = this.schema ? "ready" : "failed";
      this.reason = textOf(error);
      this.say(this.reason, true);
    }
    this.changed();
  }

  private leave(reason: string): void {
    this.live?.close();
    this.sheet?.stop();
    const length = this.unit.size;
    const kept = length ? ` What was on your call sheet is kept on this computer: ${length} ${length === 1 ? "change" : "changes"}.` : "";
    this.state = "signed out";
    this.reason = reason + kept;
    // `about` stays: parts are drawn once more before the frame goes.
    this.view?.stop();
    this.sheet = this.live = this.view = null;
    this.changed();
  }

  // Looking

  /** Show a sheet. The rows of the last one stay until the new ones are here; they also stay if the query is wrong. */
  async open(request: SheetRequest): Promise<void> {
    await this.show(
      () => Sheet.open(this.wire, this.schema!, request, () => this.changed(), (error) => this.refused(error)),
      (found) => (this.sheet = found),
    );
  }

  /** Show a board. */
  async openBoard(request: { query: string; by: string }): Promise<void> {
    await this.show(
      () => Board.open(this.wire, this.schema!, request, () => this.changed(), (error) => this.refused(error)),
      (found) => {
        this.board = found;
        this.sheet = found.sheet;
        this.boardRequest = request;
      },
    );
  }

  /** Show another view of a query. */
  async openView<V extends View>(made: (desk: Desk) => Promise<V | QueryFault>): Promise<void> {
    await this.show(
      () => made(this),
      (found) => {
        this.view = found;
        this.reopen = () => this.openView(made);
      },
    );
  }

  /** What a view needs to draw itself again, and to say what went wrong. */
  readonly redraw = (): void => this.changed();
  readonly fail = (error: unknown): void => this.refused(error);

  /** Put what was asked for in place of what is shown, unless something else was asked for meanwhile. */
  private async show<F extends object>(made: () => Promise<F | QueryFault>, put: (found: F) => void): Promise<void> {
    const turn = ++this.opened;
    this.loading = true;
    this.changed();
    try {
      const found = await made();
      if (turn !== this.opened) return;
      this.fault = "error" in found ? found : null;
      if ("error" in found) return;
      this.sheet?.stop();
      this.board?.stop();
      this.view?.stop();
      this.sheet = this.board = this.view = null;
      put(found);
    } catch (error) {
      if (turn === this.opened) this.refused(error);
    } finally {
      if (turn === this.opened) this.loading = false;
      this.changed();
    }
  }

  /** Show one entity, with its history. */
  async openEntity(type: string, key: string): Promise<void> {
    const turn = ++this.opened;
    this.history = [];
    await this.open({ query: `${type} where id is "${key.replace(/["\\]/g, "\\$&")}"`, columns: ["*"], sort: "" });
    if (this.sheet?.windows.count !== 1) return;
    try {
      const { result } = await this.wire.post<{ result: { commits: Commit[] } }>("/v1/call/history", { entity_type: type, key, limit: 50 });
      if (this.opened === turn + 1) this.history = result.commits;
    } catch (error) {
      this.refused(error);
    }
    this.changed();
  }

  /** A part that asks by itself is shown: no sheet is open. */
  leaveSheet(): void {
    this.opened++;
    this.sheet?.stop();
    this.board?.stop();
    this.view?.stop();
    this.sheet = this.board = this.view = this.fault = null;
    this.loading = false;
    this.changed();
  }

  /** What the frame says of the part that is shown. */
  captioned(title: string, status: string): void {
    if (this.caption?.title === title && this.caption.status === status) return;
    this.caption = { title, status };
    this.changed();
  }

  /** Entities whose label contains a text. */
  async search(text: string): Promise<Found[]> {
    if (text.trim().length < 2) return [];
    try {
      return (await this.wire.get<{ found: Found[] }>(`/explorer/x/search?q=${encodeURIComponent(text)}`)).found;
    } catch (error) {
      this.refused(error);
      return [];
    }
  }

  /** The place that a first visit leads to. */
  home(): Place {
    const types = this.schema!.types;
    const first = ["Shot", "Task", "Project"].find((name) => types.has(name)) ?? [...types.values()].find((each) => !each.abstract)!.name;
    return { is: "sheet", query: first, columns: [], sort: "" };
  }

  // Changing

  /** Send the call sheet. */
  async commit(): Promise<void> {
    const many = this.unit.size;
    const reloads = this.unit.created.length + this.unit.deleted.length > 0;
    try {
      const done = await this.unit.commit(this.wire);
      if (done) {
        const text = `${many} ${many === 1 ? "change is" : "changes are"} committed as ${done.position.toLocaleString("en")}.`;
        this.say(text, false, { label: "Undo", run: () => void this.takeBack(done.id) });
      }
      if (this.board) await this.openBoard(this.boardRequest);
      else if (this.view) await (done && reloads ? this.reopen() : this.view.refresh(null));
      else if (done && reloads && this.sheet) await this.open(this.sheet.request);
      else await this.refresh(new Set(this.sheetKeys()));
    } catch (error) {
      if (error instanceof WireError && error.isLost) this.say("The server cannot be reached. The call sheet is kept and is sent when it is back.", true);
      else this.refused(error);
    }
  }

  /** Record the inverse of a commit: it waits on the call sheet, where one sees it first. */
  async takeBack(id: string): Promise<void> {
    try {
      const { result } = await this.wire.post<{ result: { commits: { changes: CommitChange[] }[] } }>("/v1/call/commits", { commit_id: id });
      const { edits, created, deleted } = inverseOf(this.schema!, result.commits.flatMap((each) => each.changes));
      await this.unit.recordAll(edits, created, deleted);
      this.say("What takes the commit back is on the call sheet. Commit it to undo.", false);
    } catch (error) {
      this.refused(error);
    }
  }

  /** Record a new entity of the type in sight, beside a row: what it must refer to is taken from that row. */
  async create(beside: Row | undefined): Promise<void> {
    const sheet = this.sheet;
    if (!sheet || sheet.type.abstract) return;
    const key = newKey();
    const edits = beside ? sheet.inherited(beside, [sheet.type.name, key]) : [];
    await this.unit.create([{ entity: [sheet.type.name, key], name: `New ${sheet.type.name}`, version: 0 }], edits);
  }

  /** Record that the entities of rows go. */
  async remove(rows: Row[]): Promise<void> {
    const sheet = this.sheet!;
    await this.unit.remove(rows.map((row) => ({ entity: [row.type, row.key], name: sheet.name(row), version: row.version })));
  }

  /** Decide a conflict, and commit from there when all are decided. */
  async decide(conflict: Conflict, keepOurs: boolean): Promise<void> {
    if (this.view) await this.view.refresh(null);
    else await this.refresh(new Set([conflict.entity[1]]));
    const version = this.versionOf(conflict.entity[1]) ?? 0;
    await this.unit.decide(conflict, keepOurs, version);
  }

  say(text: string, bad: boolean, action?: Notice["action"]): void {
    const notice = (this.notice = { text, bad, action });
    this.changed();
    if (!bad) setTimeout(() => this.notice === notice && this.quiet(), SAID);
  }

  quiet(): void {
    this.notice = null;
    this.changed();
  }

  // Others

  /** The stream of commits has begun, or broken off. What could not be sent is sent when it is back. */
  private connected(): void {
    this.changed();
    if (this.live?.connected && this.unit.sending) void this.commit();
  }

  private arrived(update: Update): void {
    this.dispatchEvent(new CustomEvent("update", { detail: update }));
    const { sheet, view } = this;
    const keys = view ? view.touched(update) : sheet && update.types.includes(sheet.type.name) ? [update.key] : [];
    if (!keys.length) return;
    if (!this.unit.isOwn(update.commit)) {
      this.incoming.set(update.key, { until: Date.now() + MARKED, user: update.user });
      setTimeout(() => this.forget(), MARKED + 100);
    }
    for (const key of keys) this.touched.add(key);
    clearTimeout(this.refreshing);
    this.refreshing = setTimeout(() => {
      const keys = this.touched;
      this.touched = new Set();
      void this.refresh(keys);
    }, 60);
  }

  private async refresh(keys: Set<string>): Promise<void> {
    if (!keys.size) return;
    if (this.board) return this.openBoard(this.boardRequest);
    try {
      if (this.view) await this.view.refresh(keys);
      else await this.sheet?.windows.refresh(keys);
    } catch (error) {
      this.refused(error);
    }
    this.changed();
  }

  private forget(): void {
    const now = Date.now();
    for (const [key, { until }] of this.incoming) if (until <= now) this.incoming.delete(key);
    this.changed();
  }

  private sheetKeys(): string[] {
    return this.sheet ? [...this.sheet.windows.here()].map(([, row]) => row.key) : [];
  }

  private versionOf(key: string): number | undefined {
    if (this.view) return this.view.versionOf(key);
    if (!this.sheet) return undefined;
    for (const { windows } of this.board?.columns ?? []) for (const [, row] of windows.here()) if (row.key === key) return row.version;
    for (const [, row] of this.sheet.windows.here()) if (row.key === key) return row.version;
    return undefined;
  }
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function deviceName(): string {
  const agent = navigator.userAgent;
  const browser = /Firefox/.test(agent) ? "Firefox" : /Edg\//.test(agent) ? "Edge" : /Chrom/.test(agent) ? "Chrome" : "a browser";
  const system = /Windows/.test(agent) ? "Windows" : /Mac/.test(agent) ? "macOS" : /Linux/.test(agent) ? "Linux" : "another system";
  return `${browser} on ${system}`;
}
