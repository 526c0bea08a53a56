import { fireEvent } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CouponView, OrderRowView, OrdersView } from '$lib/ipc/bindings';
import { FakeStudio, sampleView } from '$lib/ipc/fake';
import { lastCarrier } from '$lib/parts/carrier.svelte';
import { FRESH_MS } from '$lib/stores/orders';
import { panel } from '../../../tests/render';
import CouponCard from './coupons/CouponCard.svelte';
import Coupons from './coupons/Coupons.svelte';
import Desk from './Desk.svelte';
import OrderFeed from './orders/OrderFeed.svelte';
import { READING_MS } from './orders/queue.svelte';

const NOW = 1_800_000_000_000;
const sample = () => sampleView('live', false, NOW);

describe('order feed', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
    lastCarrier.name = '';
  });
  afterEach(() => void vi.useRealTimers());

  const feed = (orders: OrdersView = sample().orders, more: Record<string, unknown> = {}) => panel(OrderFeed, { orders, now: NOW, live: true, shopName: '半山茶器', ...more });
  const rows = (page: { queryAllByTestId(id: string): HTMLElement[] }) => page.queryAllByTestId('order-row');
  const extra = (id: string): OrderRowView => ({ ...(sample().orders.rows[0] as OrderRowView), id });

  it('shows masked names as text, sums with two decimals, and the new bar for twenty seconds', async () => {
    const orders = sample().orders;
    (orders.rows[0] as OrderRowView).buyer = '<b>林**</b>';
    const page = feed(orders);
    const [first] = rows(page) as [HTMLElement];
    expect(first.textContent).toContain('<b>林**</b>');
    expect(first.textContent).toContain('¥238.00');
    expect(first.textContent).toContain('减 ¥30');
    expect(first.className).toContain('new');
    await page.rerender({ now: NOW + FRESH_MS });
    expect(first.className).not.toContain('new');
  });

  it('filters by kind, with the counts of the whole database', async () => {
    const page = feed();
    expect(page.get('filter-toship').textContent).toContain('97');
    await fireEvent.click(page.get('filter-unpaid'));
    expect(rows(page).map((r) => r.dataset['order'])).toEqual(['o4']);
    await fireEvent.click(page.get('filter-aftersale'));
    expect(rows(page).map((r) => r.dataset['order'])).toEqual(['o7']);
  });

  it('shows a new order at once while nobody reads', async () => {
    const page = feed();
    const orders = sample().orders;
    await page.rerender({ orders: { ...orders, rows: [extra('n1'), ...orders.rows] } });
    expect(rows(page)[0]?.dataset['order']).toBe('n1');
    expect(page.find('orders-waiting')).toBeNull();
  });

  it('never moves the row under the pointer: new ones wait, and known ones stay true', async () => {
    const page = feed();
    await fireEvent.pointerMove(page.get('order-list'));
    const orders = sample().orders;
    const changed = orders.rows.map((row) => (row.id === 'o4' ? { ...row, status: 'cancelled' as const } : row));
    await page.rerender({ orders: { ...orders, rows: [extra('n1'), extra('n2'), ...changed] } });
    expect(rows(page)[0]?.dataset['order']).toBe('o1');
    expect(page.get('orders-waiting').textContent).toBe('2 条新订单');
    expect(rows(page).find((r) => r.dataset['order'] === 'o4')?.dataset['status']).toBe('cancelled');
    await fireEvent.click(page.get('orders-waiting'));
    expect(rows(page)[0]?.dataset['order']).toBe('n1');
    expect(page.find('orders-waiting')).toBeNull();
  });

  it('goes on when the pointer left or was forgotten', async () => {
    const page = feed();
    const orders = sample().orders;
    await fireEvent.pointerMove(page.get('order-list'));
    await page.rerender({ orders: { ...orders, rows: [extra('n1'), ...orders.rows] } });
    expect(rows(page)[0]?.dataset['order']).toBe('o1');
    await page.rerender({ now: NOW + READING_MS });
    expect(rows(page)[0]?.dataset['order']).toBe('n1');
    await fireEvent.pointerMove(page.get('order-list'));
    await fireEvent.pointerLeave(page.get('order-list'));
    await page.rerender({ orders: { ...orders, rows: [extra('n2'), ...orders.rows] } });
    expect(rows(page)[0]?.dataset['order']).toBe('n2');
  });

  it('says whether the list is whole, and is green only when it is', async () => {
    const page = feed();
    const seal = () => page.get('seal');
    expect([seal().dataset['seal'], seal().textContent?.includes('订单完整到')]).toEqual(['complete', true]);
    await page.rerender({ orders: { ...sample().orders, seal: { kind: 'behind', upToMs: NOW - 43_000, connection: '抖音' } } });
    expect(seal().dataset['seal']).toBe('behind');
    expect(seal().textContent).toContain('抖音 慢了 43 秒');
    expect(seal().className).not.toContain('complete');
    await page.rerender({ orders: { ...sample().orders, seal: { kind: 'unknown' } } });
    expect(seal().textContent).toContain('暂时核对不了');
  });

  it('tells quiet from not yet live', async () => {
    const none = { ...sample().orders, rows: [], total: 0 };
    const page = feed(none, { live: false });
    expect(page.get('orders-empty').textContent).toContain('开播后');
    await page.rerender({ live: true });
    expect(page.get('orders-empty').textContent).toContain('只是安静');
    await page.rerender({ orders: { ...none, seal: { kind: 'unknown' } } });
    expect(page.get('orders-empty').textContent).not.toContain('连接正常');
  });

  it('ships with carrier and number, says what is missing, and remembers the carrier', async () => {
    const page = feed();
    await fireEvent.click(page.getAllByTestId('ship-open')[0] as HTMLElement);
    await fireEvent.input(page.get('ship-carrier'), { target: { value: '顺丰' } });
    await fireEvent.click(page.get('ship-submit'));
    expect((await page.findByTestId('ship-error')).textContent).toBe('快递单号还没填。');
    await fireEvent.input(page.get('ship-tracking'), { target: { value: 'SF1' } });
    await fireEvent.click(page.get('ship-submit'));
    await vi.waitFor(() => expect(page.find('ship-submit')).toBeNull());
    expect(page.fake.asked.at(-1)).toEqual({ command: 'ship_order', args: ['o1', '顺丰', 'SF1'] });
    await fireEvent.click(page.getAllByTestId('ship-open')[1] as HTMLElement);
    expect((page.get('ship-carrier') as HTMLInputElement).value).toBe('顺丰');
  });

  it('offers shipping only for what is to be shipped and was not sent', () => {
    const page = feed();
    const with_ = rows(page).filter((row) => row.querySelector('[data-testid="ship-open"]'));
    expect(with_.map((row) => row.dataset['order'])).toEqual(['o1', 'o3']);
  });
});

describe('coupons', () => {
  const coupon = (change: Partial<CouponView>): CouponView => ({ ...(sample().coupons[0] as CouponView), ...change });
  const card = (change: Partial<CouponView>) => panel(CouponCard, { coupon: coupon(change), now: NOW, shopName: '半山茶器' });

  it('count down once active, and are over at the end without an event', async () => {
    const page = card({ endsAtMs: NOW + 156_000 });
    expect(page.get('coupon-row').textContent).toContain('满 ¥199 减 ¥30');
    expect(page.get('coupon-left').textContent).toBe('02:36');
    expect(page.get('coupon-row').textContent).toContain('143 / 200');
    await page.rerender({ now: NOW + 156_000 });
    expect(page.get('coupon-row').dataset['state']).toBe('ended');
    expect(page.find('coupon-left')).toBeNull();
  });

  it('show no countdown and no figures before the read-back', () => {
    for (const state of ['sending', 'checking'] as const) {
      const page = card({ state, endsAtMs: null, claimed: 0 });
      expect(page.find('coupon-left')).toBeNull();
      expect(page.get('coupon-row').textContent).not.toContain('发放中');
      page.unmount();
    }
  });

  it('say why one failed, with another try', async () => {
    const page = card({ state: 'failed', failure: 'unauthorized', intentId: 'i9' });
    expect(page.get('coupon-row').textContent).toContain('不认这个登录');
    await fireEvent.click(page.get('retry-coupon'));
    expect(page.fake.asked).toEqual([{ command: 'retry_intent', args: ['i9'] }]);
  });

  it('without a threshold are said so', () => {
    expect(card({ threshold: { amount: '0', currency: 'CNY', text: '¥0.00', short: '0' } }).get('coupon-row').textContent).toContain('立减 ¥30');
  });

  it('are issued as typed; a refusal marks its field and keeps the form', async () => {
    const fake = new FakeStudio(sample());
    const page = panel(Coupons, { coupons: [], now: NOW, shopName: '' }, fake);
    expect(page.get('coupons-empty').textContent).toContain('还没发券');
    await fireEvent.click(page.get('coupon-open'));
    await fireEvent.input(page.get('coupon-discount'), { target: { value: ' 30.5 ' } });
    await fireEvent.input(page.get('coupon-minutes'), { target: { value: '0.1' } });
    await fireEvent.click(page.get('coupon-submit'));
    expect((await page.findByTestId('coupon-error')).textContent).toContain('30 秒到 24 小时');
    await fireEvent.input(page.get('coupon-minutes'), { target: { value: '1.5' } });
    await fireEvent.click(page.get('coupon-submit'));
    await vi.waitFor(() => expect(page.find('coupon-form')).toBeNull());
    expect(fake.asked.at(-1)?.args).toEqual([{ discount: '30.5', threshold: '', quantity: 100, validS: 90 }]);
  });
});

describe('desk', () => {
  it('counts orders and open coupons, and opens the order window', async () => {
    const view = sample();
    const ontab = vi.fn();
    const onopenorders = vi.fn();
    const page = panel(Desk, { show: view.show, orders: view.orders, coupons: view.coupons, now: NOW, tab: 'orders', ontab, onopenorders });
    expect(page.get('tab-orders').textContent).toContain('128');
    expect(page.get('tab-coupons').textContent).toContain('1');
    await fireEvent.click(page.get('tab-coupons'));
    await fireEvent.keyDown(page.get('tab-orders'), { key: 'ArrowRight' });
    expect(ontab.mock.calls).toEqual([['coupons'], ['coupons']]);
    await fireEvent.click(page.get('open-orders'));
    expect(onopenorders).toHaveBeenCalledOnce();
  });
});
