// Orders beyond the newest ones: what a search finds in the whole database, and the older pages of a list.

import type { OrderPageView, OrderRowView, OrdersView } from '$lib/ipc/bindings';
import { chosen, type OrderFilter, isOf, rowKey } from './orders';

/** How the program is asked for a page. */
export type Ask = (text: string, status: OrderRowView['status'] | null, connectionId: string | null, after: string | null) => Promise<OrderPageView>;

/** A pause in typing that asks, ms. */
export const TYPING_MS = 180;

/** Pages of one question. The newest rows of the program are laid over them, so that no row shows an old state. */
export class FoundOrders {
  /** A page is on its way. */
  busy = $state(false);
  #rows = $state.raw<OrderRowView[]>([]);
  #next = $state.raw<string | null>(null);
  /** What the rows answer; `null` before the first answer. */
  #answered = $state.raw<string | null>(null);
  #text = $state('');
  #filter = $state<OrderFilter>('all');
  /** Of one shop; `null` for all. */
  #shop = $state<string | null>(null);

  readonly #ask: Ask;
  readonly #failed: (thrown: unknown) => void;
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: Ask, failed: (thrown: unknown) => void) {
    this.#ask = ask;
    this.#failed = failed;
  }

  /** Something was typed that is asked for. */
  get searching(): boolean {
    return this.#text !== '';
  }

  /** The rows answer what stands in the box now. */
  get answered(): boolean {
    return this.#answered === this.#question();
  }

  /** The box or the filter changed. Typing is waited for, a press is not. */
  want(text: string, filter: OrderFilter, shop: string | null = null): void {
    const trimmed = text.trim();
    if (trimmed === this.#text && filter === this.#filter && shop === this.#shop) return;
    const typed = trimmed !== this.#text;
    this.#text = trimmed;
    this.#filter = filter;
    this.#shop = shop;
    this.#forget();
    if (trimmed === '') return;
    this.busy = true;
    if (typed) this.#timer = setTimeout(() => void this.#load(null), TYPING_MS);
    else void this.#load(null);
  }

  /** Orders came or changed: what is shown is asked for again, without moving it. */
  refresh(): void {
    if (this.searching && this.answered && !this.busy) void this.#load(null);
  }

  /** Is there more behind what {@link list} shows? */
  more(orders: OrdersView): boolean {
    if (this.#answered !== null) return this.answered && this.#next !== null;
    return !this.searching && orders.next !== null;
  }

  /** Adds the next page. */
  async older(orders: OrdersView): Promise<void> {
    if (this.busy || !this.more(orders)) return;
    await this.#load(this.#answered === null ? orders.next : this.#next);
  }

  /** The rows to show. */
  list(orders: OrdersView): OrderRowView[] {
    const ofShop = (row: OrderRowView) => this.#shop === null || row.connectionId === this.#shop;
    const newest = chosen(orders.rows, this.#filter).filter(ofShop);
    if (this.#answered === null) return this.searching ? [] : newest;
    const live = new Map(orders.rows.map((row) => [rowKey(row), row]));
    const fits = (row: OrderRowView) => ofShop(row) && (this.#filter === 'all' || isOf(row.status, this.#filter));
    const found = this.#rows.map((row) => live.get(rowKey(row)) ?? row).filter(fits);
    if (this.searching) return found;
    const shown = new Set(newest.map((row) => rowKey(row)));
    return [...newest, ...found.filter((row) => !shown.has(rowKey(row)))];
  }

  /** Filter and shop: a list of other rows, whatever is typed. */
  #scope(): string {
    return `${this.#filter} ${this.#shop ?? ''}\n`;
  }

  #question(): string {
    return this.#scope() + this.#text;
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#turn++;
    this.busy = false;
    // While somebody types on, the last answer stays where it is.
    if (this.#text === '' || this.#answered === null || !this.#answered.startsWith(this.#scope()) || this.#answered === this.#scope()) {
      this.#answered = null;
      this.#rows = [];
      this.#next = null;
    }
  }

  async #load(after: string | null): Promise<void> {
    const turn = ++this.#turn;
    const question = this.#question();
    this.busy = true;
    try {
      const page = await this.#ask(this.#text, this.#filter === 'all' ? null : this.#filter, this.#shop, after);
      if (turn !== this.#turn) return;
      const known = new Set(this.#rows.map((row) => rowKey(row)));
      // A refreshed first page takes the place of what it covers; pages behind it stay.
      const fresh = new Set(page.rows.map((row) => rowKey(row)));
      const again = after === null && this.#answered === question && this.#rows.length > page.rows.length;
      if (again) this.#rows = [...page.rows, ...this.#rows.filter((row) => !fresh.has(rowKey(row)))];
      else {
        this.#rows = after === null ? page.rows : [...this.#rows, ...page.rows.filter((row) => !known.has(rowKey(row)))];
        this.#next = page.next;
      }
      this.#answered = question;
    } catch (thrown) {
      if (turn === this.#turn) this.#failed(thrown);
    } finally {
      if (turn === this.#turn) this.busy = false;
    }
  }
}
