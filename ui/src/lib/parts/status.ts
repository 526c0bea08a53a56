// How an order's status looks.

import type { OrderRowView, OrderStatusView } from '$lib/ipc/bindings';

/** Class of the chip. */
export const STATUS_TONE: Record<OrderStatusView, string> = {
  awaitingPayment: 'warn',
  toShip: 'info',
  partlyShipped: 'warn',
  shipped: 'good',
  delivered: 'good',
  afterSale: 'bad',
  refunded: '',
  cancelled: '',
  unknown: 'ghost',
};

/** Over, and not sold. */
export const isOff = (status: OrderStatusView): boolean => status === 'cancelled' || status === 'refunded';

/** Something is left to send. */
export const isToShip = (status: OrderStatusView): boolean => status === 'toShip' || status === 'partlyShipped';

/** A parcel can be sent now: nothing about shipping is on its way. */
export const canSend = (row: OrderRowView): boolean => isToShip(row.status) && (row.ship === null || row.ship.kind === 'failed' || row.ship.kind === 'confirmed');
