// New orders and comments never move the row that is being read: they wait behind a line that says how many.

import { rowKey } from '$lib/stores/orders';

/** What tells rows apart. */
interface Row {
  id: string;
  connectionId: string;
}

/** The pointer rests this long before the list may move again, ms. */
export const READING_MS = 5_000;

/** Which rows the list shows. */
export class ReadingQueue {
  #known = $state.raw<ReadonlySet<string>>(new Set());
  #movedAtMs = $state(0);
  #scrolled = $state(false);

  /** The pointer moved over the list. */
  moved(nowMs: number): void {
    this.#movedAtMs = nowMs;
  }

  /** The pointer left. */
  left(): void {
    this.#movedAtMs = 0;
  }

  /** The list stands at its top, or not. */
  scrolled(away: boolean): void {
    this.#scrolled = away;
  }

  /** Somebody looks at a row. */
  reading(nowMs: number): boolean {
    return this.#scrolled || nowMs - this.#movedAtMs < READING_MS;
  }

  /** Everything that is there becomes known: called while nobody reads. */
  release(rows: readonly Row[]): void {
    if (rows.length === this.#known.size && rows.every((row) => this.#known.has(rowKey(row)))) return;
    this.#known = new Set(rows.map((row) => rowKey(row)));
  }

  /** Rows held back. */
  waiting(rows: readonly Row[]): number {
    if (this.#known.size === 0) return 0;
    return rows.reduce((n, row) => n + (this.#known.has(rowKey(row)) ? 0 : 1), 0);
  }

  /** Rows to show; what is known is always as new as the program says. */
  visible<T extends Row>(rows: T[]): T[] {
    return this.#known.size === 0 ? rows : rows.filter((row) => this.#known.has(rowKey(row)));
  }
}
