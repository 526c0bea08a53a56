// Which orders a list shows.

import type { OrderRowView, OrderStatusView } from '$lib/ipc/bindings';

/** A choice of the filter. */
export type OrderFilter = 'all' | Extract<OrderStatusView, 'awaitingPayment' | 'toShip' | 'afterSale'>;

/** Rows younger than this carry the bar of a new order, ms. */
export const FRESH_MS = 20_000;

/** Seen first a moment ago. */
export const isFresh = (row: OrderRowView, now: number): boolean => now - (row.seenAtMs ?? 0) < FRESH_MS;

/** Rows of a kind whose buyer, number, product or spoken number matches. */
export function chosen(rows: OrderRowView[], filter: OrderFilter, search: string): OrderRowView[] {
  const words = search.trim().toLocaleLowerCase();
  return rows.filter((row) => (filter === 'all' || row.status === filter) && (words === '' || matches(row, words)));
}

function matches(row: OrderRowView, words: string): boolean {
  return (
    row.buyer.toLocaleLowerCase().includes(words) ||
    row.number.toLocaleLowerCase().endsWith(words) ||
    row.lines.some((line) => String(line.bagNumber ?? '') === words || line.title.toLocaleLowerCase().includes(words))
  );
}
