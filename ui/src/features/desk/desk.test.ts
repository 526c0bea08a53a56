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
import { READING_MS } from './queue.svelte';

const NOW = 1_800_000_000_000;
const sample = () => sampleView('live', false, NOW);

describe('order feed', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
    lastCarrier.name = '';
  });
  afterEach(() => void vi.useRealTimers());

  const feed = (orders: OrdersView = sample().orders, more: Record<string, unknown> = {}) => panel(OrderFeed, { orders, now: NOW, live: true, ...more });
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
    await page.rerender({ orders: { ...sample().orders, seal: { kind: 'behind', upToMs: NOW - 43_000, connections: ['抖音', '快手'] } } });
    expect(seal().dataset['seal']).toBe('behind');
    expect(seal().textContent).toContain('抖音、快手 慢了 43 秒');
    await page.rerender({ orders: { ...sample().orders, seal: { kind: 'behind', upToMs: null, connections: ['快手'] } } });
    expect(seal().textContent).toContain('还有店铺没核对');
    expect(seal().textContent).toContain('快手 还没核对过');
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
    expect(page.fake.asked.at(-1)).toEqual({ command: 'ship_order', args: ['local', 'o1', '顺丰', 'SF1', []] });
    await fireEvent.click(page.getAllByTestId('ship-open')[1] as HTMLElement);
    expect((page.get('ship-carrier') as HTMLInputElement).value).toBe('顺丰');
  });

  it('sends a part when told so, and offers the rest again', async () => {
    const orders = sample().orders;
    const first = orders.rows[0] as OrderRowView;
    first.lines = [{ ...(first.lines[0] as OrderRowView['lines'][number]), quantity: 3, left: 3 }, { ...(first.lines[0] as OrderRowView['lines'][number]), title: '<i>茶席</i>', quantity: 1, left: 1 }];
    const page = feed(orders);
    await fireEvent.click(page.getAllByTestId('ship-open')[0] as HTMLElement);
    await fireEvent.input(page.get('ship-carrier'), { target: { value: '顺丰' } });
    await fireEvent.input(page.get('ship-tracking'), { target: { value: 'SF1' } });
    await fireEvent.click(page.get('ship-parts'));
    await fireEvent.input(page.get('ship-pieces-0'), { target: { value: '2' } });
    await fireEvent.input(page.get('ship-pieces-1'), { target: { value: '0' } });
    await fireEvent.click(page.get('ship-submit'));
    await vi.waitFor(() => expect(page.find('ship-submit')).toBeNull());
    expect(page.fake.asked.at(-1)).toEqual({ command: 'ship_order', args: ['local', 'o1', '顺丰', 'SF1', [{ line: 0, quantity: 2 }]] });
    // As it comes back: one parcel, a word of its own, and what is left can be sent.
    const lines = first.lines.map((line, at) => ({ ...line, left: at === 0 ? 1 : 1 }));
    const parcels = [{ carrier: '顺丰', tracking: '<b>SF1</b>', lines: [{ line: 0, quantity: 2 }], shippedAtMs: NOW, deliveredAtMs: null }];
    const back: OrderRowView = { ...first, lines, parcels, status: 'partlyShipped', ship: { kind: 'confirmed', atMs: NOW } };
    await page.rerender({ orders: { ...orders, rows: [back, ...orders.rows.slice(1)] } });
    const row = rows(page)[0] as HTMLElement;
    expect(row.querySelector('[data-testid="order-status"]')?.textContent).toBe('部分发货');
    expect(row.textContent).toContain('<b>SF1</b>');
    expect(row.querySelector('[data-testid="parcels-left"]')?.textContent).toBe('还有 2 件没发');
    expect(row.querySelector('[data-testid="ship-open"]')).not.toBeNull();
    await fireEvent.click(page.get('filter-toship'));
    expect(rows(page)[0]?.dataset['order']).toBe('o1');
  });

  it('shows what a buyer asks for, refunds only when held, and refuses only with a reason', async () => {
    const orders = sample().orders;
    const row = orders.rows.find((r) => r.status === 'afterSale') as OrderRowView;
    (row.afterSales[0] as OrderRowView['afterSales'][number]).reason = '<img src=x>裂了';
    const page = feed(orders);
    await fireEvent.click(page.get('filter-aftersale'));
    expect(page.get('after-sale-reason').textContent).toBe('买家说：<img src=x>裂了');
    expect(page.get('after-sale').textContent).toContain('¥128.00');
    await fireEvent.click(page.get('agree-hold'));
    expect(page.fake.asked.filter((a) => a.command === 'agree_after_sale')).toEqual([]);
    await fireEvent.click(page.get('refuse-open'));
    await fireEvent.click(page.get('refuse-submit'));
    expect((await page.findByTestId('answer-error')).textContent).toBe('理由还没填。');
    await fireEvent.input(page.get('refuse-reason'), { target: { value: '已经签收' } });
    await fireEvent.click(page.get('refuse-submit'));
    await vi.waitFor(() => expect(page.find('refuse-submit')).toBeNull());
    expect(page.fake.asked.at(-1)).toEqual({ command: 'refuse_after_sale', args: ['local', 'o7', 'as1', '已经签收'] });
    // On its way there is nothing to press; a failure says why and can be sent again.
    const with_ = (action: OrderRowView['afterSales'][number]['action']) => ({ ...orders, rows: orders.rows.map((r) => (r.id === 'o7' ? { ...r, afterSales: r.afterSales.map((a) => ({ ...a, action })) } : r)) });
    await page.rerender({ orders: with_({ kind: 'sending' }) });
    expect(page.get('answer-state').textContent).toContain('答复发送中');
    expect(page.find('agree-hold')).toBeNull();
    await page.rerender({ orders: with_({ kind: 'failed', code: 'wrong_state', params: { state: 'x' }, intentId: 'i9' }) });
    expect(page.get('answer-state').textContent).toContain('答复没送到');
    expect(page.get('retry-answer')).not.toBeNull();
    expect(page.get('agree-hold')).not.toBeNull();
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
    expect(fake.asked.at(-1)?.args).toEqual([{ discount: '30.5', threshold: '', quantity: 100, validS: 90, connectionId: 'local' }]);
  });

  it('end early after a second press, and say how far that is', async () => {
    const page = card({});
    await fireEvent.click(page.get('coupon-withdraw'));
    expect(page.fake.asked).toEqual([]);
    expect(page.get('coupon-withdraw').textContent).toBe('再按一次就结束');
    await fireEvent.blur(page.get('coupon-withdraw'));
    expect(page.get('coupon-withdraw').textContent).toBe('提前结束');
    await fireEvent.click(page.get('coupon-withdraw'));
    await fireEvent.click(page.get('coupon-withdraw'));
    expect(page.fake.asked).toEqual([{ command: 'withdraw_coupon', args: ['c1'] }]);
    page.unmount();

    for (const [kind, word] of [['sending', '收回中'], ['checking', '核对中']] as const) {
      const going = card({ withdraw: { kind } });
      expect(going.get('coupon-withdraw-state').textContent).toContain(word);
      expect(going.find('coupon-left')).toBeNull();
      expect(going.find('coupon-withdraw')).toBeNull();
      going.unmount();
    }
    const failed = card({ withdraw: { kind: 'failed', code: 'unreachable', params: {}, intentId: 'i' } });
    expect(failed.get('failure-withdraw').textContent).toContain('点「算了」会再出现');
    expect(failed.get('retry-withdraw')).toBeTruthy();
    failed.unmount();
    const over = card({ state: 'ended', withdraw: { kind: 'confirmed', atMs: NOW } });
    expect(over.get('coupon-row').textContent).toContain('已提前结束');
    over.unmount();
  });

  it('are not offered where no shop can issue them, and it says why', () => {
    const fake = new FakeStudio(sampleView('little', false, NOW));
    const page = panel(Coupons, { coupons: fake.view.coupons, now: NOW, shopName: '' }, fake);
    expect((page.get('coupon-open') as HTMLButtonElement).disabled).toBe(true);
    expect(page.get('coupon-able').textContent).toContain('没有开放这个功能');
    expect(page.find('coupon-withdraw')).toBeNull();
    page.unmount();
    const feed = panel(OrderFeed, { orders: fake.view.orders, now: NOW, live: true }, fake);
    expect(feed.find('ship-open')).toBeNull();
    expect(feed.queryAllByTestId('ship-able')[0]?.textContent).toContain('到 半山茶器 后台填快递单号');
  });
});

describe('desk', () => {
  it('counts orders and open coupons, and opens the order window', async () => {
    const view = sample();
    const ontab = vi.fn();
    const onopenorders = vi.fn();
    const page = panel(Desk, { show: view.show, orders: view.orders, comments: view.comments, coupons: view.coupons, destinations: view.destinations, now: NOW, tab: 'orders', ontab, onopenorders });
    expect(page.get('tab-orders').textContent).toContain('128');
    expect(page.get('tab-comments').textContent).toContain('36');
    expect(page.get('tab-coupons').textContent).toContain('1');
    await fireEvent.click(page.get('tab-coupons'));
    await fireEvent.keyDown(page.get('tab-orders'), { key: 'ArrowRight' });
    await fireEvent.keyDown(page.get('tab-orders'), { key: 'ArrowLeft' });
    expect(ontab.mock.calls).toEqual([['coupons'], ['comments'], ['coupons']]);
    await fireEvent.click(page.get('open-orders'));
    expect(onopenorders).toHaveBeenCalledOnce();
  });
});
