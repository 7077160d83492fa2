// What every view of a query has, beside what it draws: the desk keeps one, refreshes it and says what it shows.

import type { Update } from "./live.ts";
import type { EntityType } from "./schema.ts";

export interface View {
  readonly type: EntityType;
  readonly count: number;
  readonly counted: boolean;
  readonly milliseconds: number;
  /** The rows that a commit of somebody touches; `refresh` is given their keys. */
  touched(update: Update): string[];
  /** Read again what is shown of these rows; after a commit of one's own, of all that is in sight. */
  refresh(keys: Set<string> | null): Promise<void>;
  /** The version that an entity has here, if it is here. */
  versionOf(key: string): number | undefined;
  stop(): void;
}
