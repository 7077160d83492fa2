// Commits of others as they happen: one stream of the native wire's events, from a position on.

import { unpack } from "./wire.ts";

export interface Update {
  type: string;
  types: string[];
  key: string;
  action: string;
  changed: string[];
  user: string;
  commit: string;
}

/** A source of events, as browsers have it. */
export interface Stream {
  onmessage: ((message: { data: string; lastEventId: string }) => void) | null;
  onopen: (() => void) | null;
  onerror: (() => void) | null;
  close(): void;
}

export class Live {
  connected = false;
  private stream: Stream | null = null;
  private last = "";
  private waiting: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly address: string,
    private readonly updated: (updates: Update) => void,
    private readonly state: () => void,
    private readonly make: (address: string) => Stream = (address) => new EventSource(address) as unknown as Stream,
  ) {}

  open(): void {
    const query = new URLSearchParams({ filter: "topic=callsheet.update" });
    if (this.last) query.set("after", this.last);
    const stream = (this.stream = this.make(`${this.address}?${query}`));
    stream.onopen = () => this.is(true);
    stream.onerror = () => {
      this.is(false);
      stream.close();
      clearTimeout(this.waiting);
      if (this.stream === stream) this.waiting = setTimeout(() => this.open(), 1_000 + Math.random() * 1_000);
    };
    stream.onmessage = (message) => {
      this.last = message.lastEventId || this.last;
      const found = updateOf(message.data);
      if (found) this.updated(found);
    };
  }

  /** The position reached, as the server counts it. */
  get position(): number | null {
    const found = Number.parseInt(this.last, 10);
    return Number.isNaN(found) ? null : found;
  }

  close(): void {
    clearTimeout(this.waiting);
    this.stream?.close();
    this.stream = null;
  }

  private is(connected: boolean): void {
    if (this.connected === connected) return;
    this.connected = connected;
    this.state();
  }
}

/** The update of an event's text; null for other events. */
export function updateOf(text: string): Update | null {
  const event = JSON.parse(text) as { topic: string; data?: unknown };
  if (event.topic !== "callsheet.update") return null;
  const data = unpack(event.data) as Record<string, unknown>;
  const entity = data.entity as { type: string; id: string; types: string[] };
  const changes = (data.changes ?? {}) as Record<string, unknown>;
  return {
    type: entity.type,
    types: entity.types,
    key: entity.id,
    action: String(data.action),
    changed: Object.keys(changes),
    user: String(data.user ?? ""),
    commit: String(data.commit_id ?? ""),
  };
}
