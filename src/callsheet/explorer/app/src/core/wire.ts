// The server's two wires: the native one below /v1/, and the page's own below x/. No DOM.

/** An error of the server, with the fields of its JSON form. */
export class WireError extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    message: string,
    readonly details: Record<string, unknown> = {},
    readonly entity: [string, string] | null = null,
    readonly attribute: string | null = null,
  ) {
    super(message);
  }

  /** Nobody answered: the same request may be sent again. */
  get isLost(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

export type Fetch = (address: string, options: RequestInit) => Promise<Response>;

/** Requests of one page, with its token; `prefix` is the address of the server or workspace, without a slash at the end. */
export class Wire {
  token = "";

  constructor(readonly prefix: string, private readonly send: Fetch = (address, options) => fetch(address, options)) {}

  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.request<T>("GET", path, undefined, signal);
  }

  post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return this.request<T>("POST", path, body, signal);
  }

  async request<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (method !== "GET" && this.token) headers["x-callsheet-token"] = this.token;
    const text = body === undefined ? undefined : JSON.stringify(body);
    let answer: Response;
    try {
      answer = await this.send(this.prefix + path, { method, headers, body: text, signal, credentials: "same-origin" });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new WireError(0, "disconnected", "the server cannot be reached");
    }
    const said = await answer.text();
    if (answer.ok) return (said ? JSON.parse(said) : {}) as T;
    throw errorOf(answer.status, said);
  }
}

function errorOf(status: number, text: string): WireError {
  try {
    const { error } = JSON.parse(text);
    return new WireError(status, error.kind, error.message, error.details ?? {}, error.entity, error.attribute);
  } catch {
    return new WireError(status, "error", `the server answered ${status}`);
  }
}

/** A value of the wire as the page has it: dates are texts, identities `[type, key]`. */
export function unpack(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpack);
  if (value === null || typeof value !== "object") return value;
  const given = value as Record<string, unknown>;
  for (const tag of ["$date", "$datetime", "$identity"]) if (tag in given) return given[tag];
  const inner = ("$object" in given ? given.$object : given) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(inner).map(([name, each]) => [name, unpack(each)]));
}

/** A value of an attribute as the native wire has it in operations. */
export function pack(type: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === "reference") return { $identity: value };
  if (type === "date") return { $date: value };
  if (type === "datetime") return { $datetime: value };
  return value;
}
