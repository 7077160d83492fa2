// The lines of a grouped sheet: a head for each group, then its rows unless it is shut. Rows are known by their places.

export interface Group {
  key: unknown;
  label: unknown;
  count: number;
  totals: (number | null)[];
}

export type Line = { is: "group"; group: number } | { is: "row"; place: number };

export class Lines {
  /** Where the head of each group is, and the place of its first row. */
  private heads: number[] = [];
  private firsts: number[] = [];
  private readonly shut = new Set<number>();
  length = 0;

  constructor(private groups: Group[], private count: number) {
    this.arrange();
  }

  /** The groups have other numbers of rows, or there are others. */
  replace(groups: Group[], count: number): void {
    const shut = new Set([...this.shut].map((place) => JSON.stringify(this.groups[place]?.key)));
    this.shut.clear();
    for (const [place, group] of groups.entries()) if (shut.has(JSON.stringify(group.key))) this.shut.add(place);
    this.groups = groups;
    this.count = count;
    this.arrange();
  }

  at(line: number): Line {
    if (!this.groups.length) return { is: "row", place: line };
    const group = this.groupOf(line);
    const within = line - this.heads[group]!;
    return within === 0 ? { is: "group", group } : { is: "row", place: this.firsts[group]! + within - 1 };
  }

  /** The line of a row's head, if rows are grouped. */
  headOf(line: number): number {
    return this.groups.length ? this.heads[this.groupOf(line)]! : 0;
  }

  isShut(group: number): boolean {
    return this.shut.has(group);
  }

  /** Open or shut a group. */
  toggle(group: number): void {
    if (!this.shut.delete(group)) this.shut.add(group);
    this.arrange();
  }

  /** Open or shut all groups. */
  toggleAll(shut: boolean): void {
    this.shut.clear();
    if (shut) for (const place of this.groups.keys()) this.shut.add(place);
    this.arrange();
  }

  private groupOf(line: number): number {
    let low = 0;
    let high = this.heads.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.heads[middle]! <= line) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private arrange(): void {
    this.heads = [];
    this.firsts = [];
    let line = 0;
    let place = 0;
    for (const [index, group] of this.groups.entries()) {
      this.heads.push(line);
      this.firsts.push(place);
      line += 1 + (this.shut.has(index) ? 0 : group.count);
      place += group.count;
    }
    this.length = this.groups.length ? line : this.count;
  }
}
