import type { Coupon, Line, Mine, Money, Product, Sku } from './wire';

/** Most pieces of one line, most lines: the shop's own limits. */
export const PIECES_MOST = 99;
export const LINES_MOST = 50;

/** A line with what the shop says about it now. */
export interface Row {
  line: Line;
  product: Product;
  sku: Sku;
  /** More is wanted than there is. */
  short: boolean;
}

export const isLines = (value: unknown): value is Line[] =>
  Array.isArray(value) &&
  value.every((l: Partial<Line> | null) => typeof l?.skuId === 'string' && Number.isInteger(l.quantity) && (l.quantity ?? 0) >= 1);

/** More of a SKU. */
export function add(lines: readonly Line[], skuId: string, quantity = 1): Line[] {
  const known = lines.find((l) => l.skuId === skuId);
  if (!known && lines.length >= LINES_MOST) return [...lines];
  return set(lines, skuId, (known?.quantity ?? 0) + quantity);
}

/** So many of a SKU; none takes the line out. */
export function set(lines: readonly Line[], skuId: string, quantity: number): Line[] {
  const wanted = Math.min(Math.max(Math.trunc(quantity), 0), PIECES_MOST);
  if (wanted === 0) return lines.filter((l) => l.skuId !== skuId);
  if (!lines.some((l) => l.skuId === skuId)) return [...lines, { skuId, quantity: wanted }];
  return lines.map((l) => (l.skuId === skuId ? { skuId, quantity: wanted } : l));
}

export function pieces(lines: readonly Line[]): number {
  return lines.reduce((sum, l) => sum + l.quantity, 0);
}

/** The lines with their products. What the shop no longer has is left out. */
export function rows(lines: readonly Line[], products: readonly Product[]): Row[] {
  return lines.flatMap((line) => {
    for (const product of products) {
      const sku = product.skus.find((s) => s.id === line.skuId);
      if (sku) return [{ line, product, sku, short: line.quantity > sku.stock }];
    }
    return [];
  });
}

export interface Sum {
  goods: number;
  /** The held coupon that takes off most, if one applies. */
  coupon: Coupon | null;
  discount: number;
  total: number;
}

/** What the rows cost, with the best coupon this viewer holds: the shop computes the same and has the last word. */
export function sum(goodsRows: readonly Row[], coupons: readonly Coupon[], mine: Mine, nowMs: number): Sum {
  const goods = goodsRows.reduce((all, r) => all + r.sku.price.amount * r.line.quantity, 0);
  let coupon: Coupon | null = null;
  let discount = 0;
  for (const held of coupons) {
    if (!mine.coupons.includes(held.id) || mine.used.includes(held.id) || held.endsAtMs <= nowMs || goods < held.threshold.amount) continue;
    const off = Math.min(held.discount.amount, goods);
    if (off > discount) [coupon, discount] = [held, off];
  }
  return { goods, coupon, discount, total: goods - discount };
}

/** Pieces of a product that can still be sold. */
export function stockOf(product: Product): number {
  return product.skus.reduce((all, s) => all + s.stock, 0);
}

/** The lowest price among what can be bought, else among all. */
export function priceOf(product: Product): { price: Money; oldPrice: Money | null; from: boolean } | null {
  const offered = product.skus.some((s) => s.stock > 0) ? product.skus.filter((s) => s.stock > 0) : product.skus;
  const lowest = [...offered].sort((a, b) => a.price.amount - b.price.amount)[0];
  if (!lowest) return null;
  const from = product.skus.some((s) => s.price.amount !== lowest.price.amount);
  const oldPrice = lowest.oldPrice && lowest.oldPrice.amount > lowest.price.amount ? lowest.oldPrice : null;
  return { price: lowest.price, oldPrice, from };
}
