// The server's schema as the page needs it: types, their attributes, labels and what may be written.

export type Kind = "attribute" | "reference" | "collection";

export interface Attribute {
  name: string;
  kind: Kind;
  /** The type of values: string, integer, number, boolean, date, datetime, enum, json … */
  type: string;
  /** The type that a reference or a collection leads to. */
  target: string;
  choices: string[];
  readOnly: boolean;
  required: boolean;
  label: string;
}

export interface EntityType {
  name: string;
  base: string | null;
  abstract: boolean;
  label: string;
  attributes: Map<string, Attribute>;
}

interface Described {
  extends?: string;
  abstract?: boolean;
  label?: string;
  attributes?: Record<string, Record<string, unknown>>;
}

export class Schema {
  readonly types = new Map<string, EntityType>();

  constructor(document: { types: Record<string, Described> }) {
    for (const name of Object.keys(document.types)) this.read(name, document.types);
  }

  type(name: string): EntityType {
    const found = this.types.get(name);
    if (!found) throw new Error(`the schema has no type ${name}`);
    return found;
  }

  /** Whether a type is, or extends, another. */
  isA(name: string, other: string): boolean {
    for (let at: string | null = name; at; at = this.types.get(at)?.base ?? null) if (at === other) return true;
    return false;
  }

  private read(name: string, all: Record<string, Described>): EntityType {
    const known = this.types.get(name);
    if (known) return known;
    const given = all[name]!;
    const base = given.extends ? this.read(given.extends, all) : null;
    const attributes = new Map(base ? base.attributes : []);
    for (const [each, said] of Object.entries(given.attributes ?? {})) attributes.set(each, attributeOf(each, said));
    const made: EntityType = {
      name,
      base: given.extends ?? null,
      abstract: given.abstract ?? false,
      label: given.label ?? base?.label ?? "name",
      attributes,
    };
    this.types.set(name, made);
    return made;
  }
}

function attributeOf(name: string, said: Record<string, unknown>): Attribute {
  const type = String(said.type ?? "string");
  const target = String(said.target ?? "");
  const kind: Kind = type === "reference" || type === "collection" ? type : "attribute";
  return {
    name,
    kind,
    type,
    target,
    choices: (said.choices as string[] | undefined) ?? [],
    readOnly: Boolean(said.computed),
    required: Boolean(said.required),
    label: String(said.label ?? name),
  };
}
