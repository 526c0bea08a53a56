import { beforeEach, describe, expect, it, vi } from 'vitest';
import { NoAnswer, Refusal } from './api';
import { Checkout } from './checkout';
import type { Order, OrderForm } from './wire';

const form: OrderForm = {
  lines: [{ skuId: 's-1', quantity: 1 }],
  expectedTotal: { amount: 100, currency: 'CNY' },
  buyer: { name: '林', phone: '13800138000', address: '杭州' },
};
const order = (number: string): Order => ({ id: `id-${number}`, number }) as Order;

/** A shop whose answers can be lost, on a clock that only waiting moves. */
class FakeShop {
  readonly placedBy = new Map<string, Order>();
  readonly keys: string[] = [];
  nowMs = 0;
  loseAnswer = false;
  loseRequest = false;
  isDown = false;
  refusal: Refusal | null = null;

  async place(key: string): Promise<Order> {
    this.keys.push(key);
    if (this.loseRequest) throw new NoAnswer('gone');
    if (this.refusal) throw this.refusal;
    const placed = this.placedBy.get(key) ?? order(String(1_000_001 + this.placedBy.size));
    this.placedBy.set(key, placed);
    if (this.loseAnswer) throw new NoAnswer('gone');
    return placed;
  }

  async placed(key: string): Promise<Order | null> {
    if (this.isDown) throw new NoAnswer('down');
    return this.placedBy.get(key) ?? null;
  }

  checkout(onChecking: () => void = () => undefined): Checkout {
    const wait = async (ms: number): Promise<void> => {
      this.nowMs += ms;
      if (this.nowMs > 30_000) this.isDown = false;
    };
    return new Checkout({ api: this, onChecking, now: () => this.nowMs, wait });
  }
}

beforeEach(() => localStorage.clear());

describe('a checkout', () => {
  it('is one order however often it is pressed, and the next one is another', async () => {
    const shop = new FakeShop();
    const checkout = shop.checkout();
    expect(await checkout.place(form)).toMatchObject({ kind: 'placed', order: { number: '1000001' } });
    expect(localStorage.getItem('stallcast.checkout')).toBeNull();
    await checkout.place(form);
    expect(new Set(shop.keys).size).toBe(2);
  });

  it('keeps its key over a refusal and a reload until an order answers', async () => {
    const shop = new FakeShop();
    shop.refusal = new Refusal(409, 'price_changed', {});
    expect(await shop.checkout().place(form)).toMatchObject({ kind: 'refused' });
    shop.refusal = null;
    const reloaded = shop.checkout();
    expect(reloaded.isOpen).toBe(false);
    expect(await reloaded.place(form)).toMatchObject({ kind: 'placed' });
    expect(new Set(shop.keys).size).toBe(1);
  });

  it('looks a lost answer up and does not send again', async () => {
    const shop = new FakeShop();
    shop.loseAnswer = true;
    const onChecking = vi.fn();
    expect(await shop.checkout(onChecking).place(form)).toMatchObject({ kind: 'placed', order: { number: '1000001' } });
    expect(onChecking).toHaveBeenCalledOnce();
    expect(shop.keys.length).toBe(1);
  });

  it('asks for as long as the shop is away', async () => {
    const shop = new FakeShop();
    shop.loseAnswer = true;
    shop.isDown = true;
    expect(await shop.checkout().place(form)).toMatchObject({ kind: 'placed' });
    expect(shop.nowMs).toBeGreaterThan(30_000);
    expect(shop.keys.length).toBe(1);
  });

  it('says that nothing was placed only once the shop must be done with it, and keeps the key', async () => {
    const shop = new FakeShop();
    shop.loseRequest = true;
    const checkout = shop.checkout();
    expect(await checkout.place(form)).toEqual({ kind: 'not_placed' });
    expect(shop.nowMs).toBeGreaterThanOrEqual(12_000);
    expect(shop.keys.length).toBe(1);
    shop.loseRequest = false;
    expect(await checkout.place(form)).toMatchObject({ kind: 'placed' });
    expect(new Set(shop.keys).size).toBe(1);
  });

  it('goes on asking after a reload in the middle', async () => {
    const shop = new FakeShop();
    localStorage.setItem('stallcast.checkout', JSON.stringify({ key: 'k-1', sentAtMs: 0, fromCart: true }));
    shop.placedBy.set('k-1', order('1000007'));
    const reloaded = shop.checkout();
    expect(reloaded.isOpen).toBe(true);
    expect(await reloaded.resume()).toMatchObject({ kind: 'placed', order: { number: '1000007' }, fromCart: true });
    expect(shop.keys).toEqual([]);
    expect(shop.checkout().isOpen).toBe(false);
  });

  it('shows the order that another press already got with this key', async () => {
    const shop = new FakeShop();
    localStorage.setItem('stallcast.checkout', JSON.stringify({ key: 'k-1', sentAtMs: null, fromCart: false }));
    shop.placedBy.set('k-1', order('1000007'));
    shop.refusal = new Refusal(409, 'idempotency_mismatch', {});
    expect(await shop.checkout().place(form)).toMatchObject({ kind: 'placed', order: { number: '1000007' } });
  });

  it('keeps nothing of the buyer in the browser', async () => {
    const shop = new FakeShop();
    const kept: string[] = [];
    const spy = vi.spyOn(Storage.prototype, 'setItem').mockImplementation((_, value) => void kept.push(value));
    await shop.checkout().place({ ...form, cartId: 'c-1' });
    spy.mockRestore();
    expect(kept.length).toBeGreaterThan(0);
    for (const value of Object.values(form.buyer)) expect(kept.join()).not.toContain(value);
  });

  it('is not stopped by what somebody wrote into the storage', () => {
    for (const junk of ['{', '5', 'null', '{"key":""}', '{"key":"k","sentAtMs":"x"}']) {
      localStorage.setItem('stallcast.checkout', junk);
      expect(new FakeShop().checkout().isOpen).toBe(false);
    }
  });
});
