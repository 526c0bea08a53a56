import { describe, expect, it } from 'vitest';
import { add, isLines, pieces, priceOf, rows, set, stockOf, sum } from './cart';
import type { Coupon, Product, Sku } from './wire';

const cny = (amount: number) => ({ amount, currency: 'CNY' });
const sku = (id: string, price: number, stock: number): Sku => ({ id, title: id, price: cny(price), oldPrice: null, stock });
const product = (number: number, skus: Sku[]): Product => ({ id: `p-${number}`, number, title: '', picture: null, seq: 1, skus });
const coupon = (id: string, discount: number, threshold: number, endsAtMs = 1_000): Coupon => ({
  id,
  discount: cny(discount),
  threshold: cny(threshold),
  quantity: 1,
  claimed: 0,
  state: 'active',
  endsAtMs,
  validS: 1,
});

describe('lines', () => {
  it('add up, stay within the limits, and go at none', () => {
    let lines = add(add([], 'a'), 'a', 2);
    expect(lines).toEqual([{ skuId: 'a', quantity: 3 }]);
    lines = set(lines, 'a', 1_000);
    expect(pieces(lines)).toBe(99);
    expect(set(lines, 'a', 0)).toEqual([]);
    expect(set(lines, 'a', -5)).toEqual([]);
    const full = Array.from({ length: 50 }, (_, n) => ({ skuId: String(n), quantity: 1 }));
    expect(add(full, 'new').length).toBe(50);
    expect(add(full, '7').find((l) => l.skuId === '7')?.quantity).toBe(2);
  });

  it('are believed from the storage only when they are lines', () => {
    expect(isLines([{ skuId: 'a', quantity: 1 }])).toBe(true);
    for (const junk of [null, {}, [1], [{ skuId: 'a', quantity: 0 }], [{ skuId: 'a', quantity: 1.5 }], [{ quantity: 1 }], [null]]) {
      expect(isLines(junk)).toBe(false);
    }
  });

  it('know what is short and leave out what is gone', () => {
    const products = [product(1, [sku('a', 100, 2)])];
    const found = rows([{ skuId: 'a', quantity: 3 }, { skuId: 'gone', quantity: 1 }], products);
    expect(found.map((r) => [r.sku.id, r.short])).toEqual([['a', true]]);
  });
});

describe('the sum', () => {
  const goods = rows([{ skuId: 'a', quantity: 2 }], [product(1, [sku('a', 10_000, 9)])]);

  it('takes the best coupon that is held, unspent, in time and reached', () => {
    const coupons = [coupon('small', 500, 0), coupon('big', 3_000, 19_900), coupon('high', 9_000, 99_900), coupon('late', 5_000, 0, 10), coupon('spent', 8_000, 0)];
    const mine = { coupons: ['small', 'big', 'high', 'late', 'spent'], used: ['spent'] };
    expect(sum(goods, coupons, mine, 500)).toMatchObject({ goods: 20_000, discount: 3_000, total: 17_000, coupon: { id: 'big' } });
    expect(sum(goods, coupons, { coupons: [], used: [] }, 500)).toMatchObject({ discount: 0, total: 20_000, coupon: null });
  });

  it('is never below nothing', () => {
    expect(sum(goods, [coupon('huge', 90_000, 0)], { coupons: ['huge'], used: [] }, 0).total).toBe(0);
  });
});

describe('the price of a product', () => {
  it('is the lowest that can be bought', () => {
    const mixed = product(1, [sku('cheap', 100, 0), sku('dear', 300, 2), sku('middle', 200, 1)]);
    expect(priceOf(mixed)).toMatchObject({ price: { amount: 200 }, from: true });
    expect(stockOf(mixed)).toBe(3);
    expect(priceOf(product(2, [sku('x', 5, 0)]))).toMatchObject({ price: { amount: 5 }, from: false });
    expect(priceOf(product(3, []))).toBeNull();
  });

  it('is struck through only if it was higher', () => {
    const raised = product(1, [{ ...sku('a', 300, 1), oldPrice: cny(200) }]);
    expect(priceOf(raised)?.oldPrice).toBeNull();
  });
});
