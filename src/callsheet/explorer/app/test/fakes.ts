// A server in a few lines: it answers what a test says, and keeps what it was asked.

import { Wire } from "../src/core/wire.ts";
import { Schema } from "../src/core/schema.ts";

export interface Asked {
  method: string;
  path: string;
  body: any;
}

export type Answer = (asked: Asked) => unknown | Promise<unknown>;

/** An answer with a status of its own. */
export class Status {
  constructor(readonly status: number, readonly body: unknown) {}
}

export function fakeWire(answer: Answer): { wire: Wire; asked: Asked[] } {
  const asked: Asked[] = [];
  const wire = new Wire("", async (path, options) => {
    const one = { method: options.method!, path, body: options.body ? JSON.parse(String(options.body)) : undefined };
    asked.push(one);
    const said = await answer(one);
    if (said instanceof Status) return new Response(JSON.stringify(said.body), { status: said.status });
    return new Response(JSON.stringify(said), { status: 200 });
  });
  return { wire, asked };
}

export const SCHEMA = new Schema({
  types: {
    Node: {
      abstract: true,
      attributes: { name: { type: "string", required: true }, parent: { type: "reference", target: "Node" } },
    },
    Status: { attributes: { name: { type: "string", required: true } } },
    Shot: {
      extends: "Node",
      attributes: {
        bid: { type: "number" },
        due: { type: "date" },
        status: { type: "reference", target: "Status" },
        notes: { type: "collection", target: "Node" },
        path: { type: "json", computed: "link" },
      },
    },
  },
});
