// The part of the local shop's JSON that the viewer page reads and writes. Amounts are minor units, times are ms UTC.

export interface Money {
  amount: number;
  currency: string;
}

export interface ShopFace {
  name: string;
  currency: string;
}

export interface Sku {
  id: string;
  /** Empty when it is the only one. */
  title: string;
  price: Money;
  oldPrice: Money | null;
  stock: number;
}

export interface Product {
  id: string;
  /** The number the host says. */
  number: number;
  title: string;
  picture: string | null;
  skus: Sku[];
  /** Number of its last change. */
  seq: number;
}

export interface Live {
  state: 'idle' | 'live' | 'ended';
  startedAtMs: number | null;
  /** Wall clock at program time zero. */
  programEpochMs: number | null;
}

export interface Pin {
  productId: string;
  atMs: number;
  programMs: number | null;
}

export interface Coupon {
  id: string;
  discount: Money;
  threshold: Money;
  quantity: number;
  claimed: number;
  state: 'active' | 'ended';
  endsAtMs: number;
  validS: number;
}

/** What somebody wrote: text, whatever is in it. */
export interface Comment {
  id: string;
  /** Masked; empty for a guest. */
  author: string;
  text: string;
  atMs: number;
  isQuestion: boolean;
}

export interface CommentForm {
  text: string;
  name?: string;
}

export interface Room {
  seq: number;
  live: Live;
  pin: Pin | null;
  coupons: Coupon[];
  viewers: number;
  nowMs: number;
}

/** Coupons this viewer holds, and those of them that an order used up. */
export interface Mine {
  coupons: string[];
  used: string[];
}

export interface Line {
  skuId: string;
  quantity: number;
}

export interface OrderLine {
  productId: string;
  skuId: string;
  title: string;
  skuTitle: string;
  quantity: number;
  unitPrice: Money;
}

export interface Cart {
  id: string;
  lines: OrderLine[];
  total: Money;
}

export interface Buyer {
  name: string;
  phone: string;
  address: string;
}

export interface OrderForm {
  lines?: Line[];
  cartId?: string;
  couponId?: string;
  expectedTotal: Money;
  buyer: Buyer;
}

export type OrderState = 'awaiting_payment' | 'to_ship' | 'partly_shipped' | 'shipped' | 'delivered' | 'after_sale' | 'refunded' | 'cancelled';

export interface Order {
  id: string;
  number: string;
  version: number;
  buyer: Buyer;
  lines: OrderLine[];
  total: Money;
  discount: Money;
  couponId: string | null;
  state: OrderState;
  refunded: Money;
  placedAtMs: number;
  reservedUntilMs: number | null;
  cancelReason: string | null;
  shipments: Shipment[];
  afterSales: AfterSale[];
}

export interface Shipment {
  id: string;
  carrier: string;
  tracking: string;
  /** By place in the order's lines. */
  lines: { line: number; quantity: number }[];
  atMs: number;
}

export type AfterSaleKind = 'refund_only' | 'return_refund';

export interface AfterSale {
  id: string;
  /** About which line, from 0; `null` = the whole order. */
  line: number | null;
  quantity: number;
  kind: AfterSaleKind;
  state: 'requested' | 'refunded' | 'rejected' | 'closed';
  amount: Money;
  reason: string;
  answer: string | null;
  askedAtMs: number;
}

export interface AfterSaleForm {
  kind: AfterSaleKind;
  reason: string;
  line?: number;
  quantity?: number;
}

export type Provider = 'dummy' | 'manual';
