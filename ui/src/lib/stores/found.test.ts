import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { OrderPageView, OrderRowView } from '$lib/ipc/bindings';
import { sampleView } from '$lib/ipc/fake';
import { FoundOrders, TYPING_MS } from './found.svelte';

const orders = sampleView('live').orders;
const row = (id: string, more: Partial<OrderRowView> = {}): OrderRowView => ({ ...(orders.rows[0] as OrderRowView), id, ...more });

describe('found orders', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const asked: { args: unknown[]; answer: (page: OrderPageView) => void; refuse: (thrown: unknown) => void }[] = [];
  const failed = vi.fn();
  const fresh = () => {
    asked.length = 0;
    failed.mockClear();
    return new FoundOrders((...args) => new Promise((answer, refuse) => asked.push({ args, answer, refuse })), failed);
  };
  const settle = () => vi.advanceTimersByTimeAsync(0);
  const ids = (found: FoundOrders) => found.list(orders).map((r) => r.id);

  it('waits for a pause in typing, and takes no answer to an old question', async () => {
    const found = fresh();
    for (const text of ['青', '青瓷', '青瓷盖']) {
      found.want(text, 'all');
      await vi.advanceTimersByTimeAsync(TYPING_MS - 1);
    }
    expect([asked.length, found.busy, found.answered]).toEqual([0, true, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect(asked[0]?.args).toEqual(['青瓷盖', null, null, null]);
    found.want('茶', 'all');
    await vi.advanceTimersByTimeAsync(TYPING_MS);
    asked[1]?.answer({ rows: [row('new')], next: null });
    await settle();
    asked[0]?.answer({ rows: [row('late')], next: null });
    await settle();
    expect([ids(found), found.answered, found.busy]).toEqual([['new'], true, false]);
  });

  it('shows a row as it is now, and not one that left the filter', async () => {
    const found = fresh();
    found.want('x', 'toShip');
    await vi.advanceTimersByTimeAsync(TYPING_MS);
    expect(asked[0]?.args).toEqual(['x', 'toShip', null, null]);
    asked[0]?.answer({ rows: [row('o2', { ship: null }), row('o6', { status: 'toShip' }), row('far', { status: 'toShip' })], next: null });
    await settle();
    const list = found.list(orders);
    expect(list.map((r) => r.id)).toEqual(['o2', 'far']);
    expect(list[0]?.ship).toEqual({ kind: 'sending' });
  });

  it('goes on to older pages, with and without a search, each row once', async () => {
    const found = fresh();
    found.want('', 'all');
    expect([found.more(orders), asked.length]).toEqual([true, 0]);
    void found.older(orders);
    void found.older(orders);
    expect(asked.map((a) => a.args)).toEqual([['', null, null, '0']]);
    asked[0]?.answer({ rows: [row('o10'), row('old1')], next: '7' });
    await settle();
    expect(ids(found).slice(-2)).toEqual(['o10', 'old1']);
    void found.older(orders);
    asked[1]?.answer({ rows: [row('old1'), row('old2')], next: null });
    await settle();
    expect(ids(found).slice(-2)).toEqual(['old1', 'old2']);
    expect(found.more(orders)).toBe(false);
    found.want('', 'toShip');
    expect(ids(found)).toEqual(['o1', 'o2', 'o3', 'o5']);
  });

  it('asks again when orders came, and keeps the pages behind', async () => {
    const found = fresh();
    found.want('茶', 'all');
    await vi.advanceTimersByTimeAsync(TYPING_MS);
    asked[0]?.answer({ rows: [row('b')], next: '1' });
    await settle();
    void found.older(orders);
    asked[1]?.answer({ rows: [row('a')], next: null });
    await settle();
    found.refresh();
    asked[2]?.answer({ rows: [row('c')], next: '1' });
    await settle();
    expect(ids(found)).toEqual(['c', 'b', 'a']);
    expect(found.more(orders)).toBe(false);
  });

  it('says when it failed, and stands where it was', async () => {
    const found = fresh();
    found.want('茶', 'all');
    await vi.advanceTimersByTimeAsync(TYPING_MS);
    asked[0]?.refuse({ code: 'internal' });
    await settle();
    expect(failed).toHaveBeenCalledOnce();
    expect([found.busy, found.answered, ids(found)]).toEqual([false, false, []]);
  });

  it('lists one shop alone, and keeps the rows of two shops apart whatever their ids', async () => {
    const two = { ...orders, next: '0', rows: [row('same'), row('same', { connectionId: 'far', buyer: '远**' })] };
    const found = fresh();
    expect(found.list(two)).toHaveLength(2);
    found.want('', 'all', 'far');
    expect(found.list(two).map((r) => r.buyer)).toEqual(['远**']);
    void found.older(two);
    expect(asked[0]?.args).toEqual(['', null, 'far', '0']);
    asked[0]?.answer({ rows: [row('older', { connectionId: 'far' }), row('same', { connectionId: 'far', buyer: 'old' })], next: null });
    await settle();
    expect(found.list(two).map((r) => [r.id, r.buyer])).toEqual([['same', '远**'], ['older', row('').buyer]]);
    found.want('', 'all', null);
    expect(found.list(two)).toHaveLength(2);
  });
});
