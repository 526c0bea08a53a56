// How an order's status looks.

import type { OrderStatusView } from '$lib/ipc/bindings';

/** Class of the chip. */
export const STATUS_TONE: Record<OrderStatusView, string> = {
  awaitingPayment: 'warn',
  toShip: 'info',
  shipped: 'good',
  delivered: 'good',
  afterSale: 'bad',
  refunded: '',
  cancelled: '',
  unknown: 'ghost',
};

/** Over, and not sold. */
export const isOff = (status: OrderStatusView): boolean => status === 'cancelled' || status === 'refunded';
