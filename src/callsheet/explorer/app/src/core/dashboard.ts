// Dashboards: tiles on twelve columns, one filter for all, all numbers of one position.

import type { Update } from "./live.ts";
import { pivotBody } from "./pivot.ts";
import type { PivotRequest } from "./pivot-place.ts";
import { PivotTable, type PivotAnswer } from "./pivot-table.ts";
import { placeOf } from "./routes.ts";
import type { Wire } from "./wire.ts";

export type TileKind = "number" | "pivot" | "chart";

export interface Tile {
  title: string;
  kind: TileKind;
  /** The address of a pivot: what the tile shows, and where it leads. */
  address: string;
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface DashboardData {
  filter: string[];
  tiles: Tile[];
}

/** What a tile has: its numbers, or what is wrong with it. */
export interface TileState {
  table: PivotTable | null;
  fault: string;
}

export const COLUMNS = 12;
const PAUSE = 150;

/** A dashboard of its JSON; what does not fit is left out. */
export function dashboardOf(text: string): DashboardData {
  const given = JSON.parse(text) as Partial<DashboardData>;
  const tiles = (Array.isArray(given.tiles) ? given.tiles : []).map(tileOf);
  return { filter: (given.filter ?? []).map(String), tiles };
}

function tileOf(given: Partial<Tile>): Tile {
  const whole = (value: unknown, least: number, most: number, otherwise: number): number =>
    typeof value === "number" && Number.isFinite(value) ? Math.max(least, Math.min(most, Math.round(value))) : otherwise;
  const w = whole(given.w, 2, COLUMNS, 6);
  const kind = given.kind === "number" || given.kind === "chart" ? given.kind : "pivot";
  return {
    title: String(given.title ?? ""), kind, address: String(given.address ?? ""),
    w, h: whole(given.h, 2, 20, 4), x: whole(given.x, 0, COLUMNS - w, 0), y: whole(given.y, 0, 1000, 0),
  };
}

/** The dashboard with one more tile, below the others. */
export function added(data: DashboardData, tile: Omit<Tile, "x" | "y" | "w" | "h">): DashboardData {
  const y = Math.max(0, ...data.tiles.map((each) => each.y + each.h));
  const size = tile.kind === "number" ? { w: 3, h: 2 } : { w: 6, h: 5 };
  const row = data.tiles.filter((each) => each.y === y - size.h && each.h === size.h);
  const x = Math.max(0, ...row.map((each) => each.x + each.w));
  const fits = row.length > 0 && x + size.w <= COLUMNS;
  return { ...data, tiles: [...data.tiles, { ...tile, ...size, x: fits ? x : 0, y: fits ? y - size.h : y }] };
}

/** The dashboard with a tile changed; those that it would cover go below it. */
export function changed(data: DashboardData, place: number, change: Partial<Tile>): DashboardData {
  const tiles = data.tiles.map((each) => ({ ...each }));
  const tile = Object.assign(tiles[place]!, change);
  Object.assign(tile, tileOf(tile));
  return { ...data, tiles: settled(tiles, tile) };
}

function settled(tiles: Tile[], first: Tile): Tile[] {
  const done: Tile[] = [first];
  for (const each of tiles.filter((one) => one !== first).sort((one, other) => one.y - other.y || one.x - other.x)) {
    for (let under = covered(done, each); under; under = covered(done, each)) each.y = under.y + under.h;
    done.push(each);
  }
  return tiles;
}

function covered(done: Tile[], tile: Tile): Tile | undefined {
  return done.find((each) => tile.x < each.x + each.w && each.x < tile.x + tile.w && tile.y < each.y + each.h && each.y < tile.y + tile.h);
}

/** What a tile asks: its pivot, under the filter of all. */
export function requestOf(tile: Tile, filter: string[]): PivotRequest | null {
  const [path, query = ""] = tile.address.split("?", 2) as [string, string?];
  const place = placeOf(path, `?${query}`);
  return place.is === "pivot" ? { ...place.request, where: [...place.request.where, ...filter] } : null;
}

export class Dashboard {
  states: TileState[] = [];
  position: number | null = null;
  milliseconds = 0;
  fault = "";
  private turn = 0;
  private types = new Set<string>();
  private waiting: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly wire: Wire, public data: DashboardData, private readonly changed: () => void) {}

  /** Ask for all tiles by one request. */
  async ask(): Promise<void> {
    const turn = ++this.turn;
    const asked = this.data.tiles.map((tile) => requestOf(tile, this.data.filter));
    const bodies = asked.filter((each) => each !== null).map((each) => pivotBody(each));
    try {
      const found = bodies.length
        ? await this.wire.post<{ position: number | null; tiles: (PivotAnswer | { error: string })[]; milliseconds: number }>("/explorer/x/dashboard", { tiles: bodies })
        : { position: null, tiles: [], milliseconds: 0 };
      if (turn !== this.turn) return;
      const answers = [...found.tiles];
      this.states = asked.map((request) => this.state(request, request ? answers.shift()! : { error: "this tile's address is no pivot" }));
      Object.assign(this, { position: found.position, milliseconds: found.milliseconds, fault: "" });
      this.types = new Set(found.tiles.flatMap((each) => ("types" in each ? each.types : [])));
    } catch (error) {
      if (turn !== this.turn) return;
      this.fault = error instanceof Error ? error.message : String(error);
    }
    this.changed();
  }

  private state(request: PivotRequest | null, answer: PivotAnswer | { error: string }): TileState {
    if ("error" in answer) return { table: null, fault: answer.error };
    return { table: new PivotTable(answer, request!), fault: "" };
  }

  reached(update: Update): void {
    if (!update.types.some((each) => this.types.has(each))) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => void this.ask(), PAUSE);
  }

  close(): void {
    this.turn++;
    clearTimeout(this.waiting);
  }
}
