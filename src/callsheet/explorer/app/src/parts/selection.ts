// A range of cells, with the cell that the keys act on.

export interface Cell {
  x: number;
  y: number;
}

export class Selection {
  cursor: Cell = { x: 0, y: 0 };
  anchor: Cell = { x: 0, y: 0 };

  get left(): number {
    return Math.min(this.cursor.x, this.anchor.x);
  }

  get right(): number {
    return Math.max(this.cursor.x, this.anchor.x);
  }

  get top(): number {
    return Math.min(this.cursor.y, this.anchor.y);
  }

  get bottom(): number {
    return Math.max(this.cursor.y, this.anchor.y);
  }

  get many(): boolean {
    return this.left !== this.right || this.top !== this.bottom;
  }

  holds(x: number, y: number): boolean {
    return x >= this.left && x <= this.right && y >= this.top && y <= this.bottom;
  }

  is(x: number, y: number): boolean {
    return this.cursor.x === x && this.cursor.y === y;
  }

  /** Put the cursor somewhere within the bounds; with `extend` the other end of the range stays. */
  move(to: Cell, columns: number, lines: number, extend: boolean): void {
    this.cursor = { x: Math.max(0, Math.min(columns - 1, to.x)), y: Math.max(0, Math.min(lines - 1, to.y)) };
    if (!extend) this.anchor = this.cursor;
  }
}

/** Where a key moves the cursor; null for other keys. */
export function moved(event: KeyboardEvent, { x, y }: Cell, page: number): Cell | null {
  const moves: Record<string, Cell> = {
    ArrowUp: { x, y: y - 1 },
    ArrowDown: { x, y: y + 1 },
    ArrowLeft: { x: x - 1, y },
    ArrowRight: { x: x + 1, y },
    PageUp: { x, y: y - page },
    PageDown: { x, y: y + page },
    Home: { x: 0, y: event.ctrlKey ? 0 : y },
    End: { x: Infinity, y: event.ctrlKey ? Infinity : y },
  };
  return moves[event.key] ?? null;
}
