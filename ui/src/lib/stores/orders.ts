// Which orders a list shows.

import type { OrderRowView, OrderStatusView } from '$lib/ipc/bindings';

/** A choice of the filter. */
export type OrderFilter = 'all' | Extract<OrderStatusView, 'awaitingPayment' | 'toShip' | 'afterSale'>;

/** Rows younger than this carry the bar of a new order, ms. */
export const FRESH_MS = 20_000;

/** Seen first a moment ago. */
export const isFresh = (row: OrderRowView, now: number): boolean => now - (row.seenAtMs ?? 0) < FRESH_MS;

/** What is to ship includes what was shipped in part. */
export const isOf = (status: OrderStatusView, filter: OrderStatusView): boolean => status === filter || (filter === 'toShip' && status === 'partlyShipped');

/** Rows of a kind. */
export const chosen = (rows: OrderRowView[], filter: OrderFilter): OrderRowView[] => (filter === 'all' ? rows : rows.filter((row) => isOf(row.status, filter)));

/** What tells rows of all shops apart: two shops may give the same id. */
export const rowKey = (row: { connectionId: string; id: string }): string => `${row.connectionId} ${row.id}`;
