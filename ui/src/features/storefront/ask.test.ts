import { fireEvent, render } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';
import { words } from '../../lib/i18n/storefront';
import AskForm from './AskForm.svelte';
import type { Storefront } from './storefront.svelte';
import type { AfterSaleForm, Order } from './wire';

const yuan = (amount: number) => ({ amount, currency: 'CNY' });

const order = (more: Partial<Order> = {}): Order => ({
  id: 'o1',
  number: '1000001',
  version: 3,
  buyer: { name: '林小姐', phone: '13800138000', address: '杭州' },
  lines: [
    { productId: 'p1', skuId: 's1', title: '<b>盖碗</b>', skuTitle: '', quantity: 3, unitPrice: yuan(10_000) },
    { productId: 'p2', skuId: 's2', title: '茶席', skuTitle: '雾灰', quantity: 1, unitPrice: yuan(5_000) },
  ],
  total: yuan(35_000),
  discount: yuan(0),
  couponId: null,
  state: 'to_ship',
  refunded: yuan(0),
  placedAtMs: 1,
  reservedUntilMs: null,
  cancelReason: null,
  shipments: [],
  afterSales: [],
  ...more,
});

function form(of: Order, answer = true) {
  const asked: AfterSaleForm[] = [];
  const onclose = vi.fn();
  const askAfterSale = (what: AfterSaleForm) => Promise.resolve(asked.push(what) > 0 && answer);
  const store = { w: words('zh-CN'), lang: 'zh-CN', isAsking: false, askNote: null, askAfterSale } as unknown as Storefront;
  const page = render(AskForm, { props: { store, order: of, onclose } });
  return { ...page, asked, onclose };
}

describe('asking for money back', () => {
  it('asks for the whole order, with the words as typed', async () => {
    const page = form(order());
    expect(page.queryByTestId('ask-kind')).toBeNull();
    await fireEvent.input(page.getByTestId('ask-reason'), { target: { value: ' 拍错了 ' } });
    await fireEvent.click(page.getByTestId('ask-send'));
    expect(page.asked).toEqual([{ kind: 'refund_only', reason: '拍错了' }]);
    await vi.waitFor(() => expect(page.onclose).toHaveBeenCalled());
  });

  it('asks for pieces of one line, never for more than there are, and for goods back only where some were sent', async () => {
    const shipments = [{ id: 'k', carrier: '顺丰', tracking: 'SF1', lines: [{ line: 1, quantity: 1 }], atMs: 5 }];
    const page = form(order({ state: 'partly_shipped', shipments }), false);
    expect(page.getByTestId('ask-about').textContent).toContain('<b>盖碗</b>');
    expect(page.queryByTestId('ask-kind')).not.toBeNull();
    await fireEvent.change(page.getByTestId('ask-kind'), { target: { value: 'return_refund' } });
    await fireEvent.change(page.getByTestId('ask-about'), { target: { value: '0' } });
    expect(page.queryByTestId('ask-kind')).toBeNull();
    await fireEvent.input(page.getByTestId('ask-quantity'), { target: { value: '9' } });
    await fireEvent.input(page.getByTestId('ask-reason'), { target: { value: 'x' } });
    await fireEvent.click(page.getByTestId('ask-send'));
    expect(page.asked).toEqual([{ kind: 'refund_only', reason: 'x', line: 0, quantity: 3 }]);
    await fireEvent.change(page.getByTestId('ask-about'), { target: { value: '1' } });
    expect(page.queryByTestId('ask-quantity')).toBeNull();
    await fireEvent.click(page.getByTestId('ask-send'));
    expect(page.asked.at(-1)).toEqual({ kind: 'return_refund', reason: 'x', line: 1, quantity: 1 });
    // What was not taken stays to be changed.
    expect(page.onclose).not.toHaveBeenCalled();
  });
});
