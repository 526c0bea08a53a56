import { fireEvent, waitFor } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';
import type { ConnectionView } from '$lib/ipc/bindings';
import { FAR, FakeStudio, sampleView } from '$lib/ipc/fake';
import { panel } from '../../../tests/render';
import CouponForm from '../desk/coupons/CouponForm.svelte';
import OrderFeed from '../desk/orders/OrderFeed.svelte';
import ShopsPanel from './ShopsPanel.svelte';

const many = () => new FakeStudio(sampleView('many'));
const open = (fake: FakeStudio, shops = fake.view.connections, onclose = vi.fn()) => ({ ...panel(ShopsPanel, { shops, onclose }, fake), onclose, fake });

async function type(field: HTMLElement, value: string): Promise<void> {
  await fireEvent.input(field, { target: { value } });
}

describe('shops', () => {
  it('say in words where each is, whether it answers, and what it can do', () => {
    const none = { kind: 'unavailable' as const, reason: 'no_call' };
    const hostile: ConnectionView = { ...FAR, id: 'h', name: '<b>店</b>', state: { kind: 'silent', code: 'unauthorized' }, ship: none, pin: none };
    const fake = many();
    const page = open(fake, [...fake.view.connections, hostile, { ...FAR, id: 'n', state: { kind: 'connecting' } }, { ...FAR, id: 'f', state: { kind: 'off' } }]);
    const rows = page.getAllByTestId('shop-row');
    const words = rows.map((row) => row.textContent ?? '');
    for (const [i, word] of ['已接通', '已接通', '连不上', '不认令牌', '正在连接', '没开'].entries()) expect(words[i]).toContain(word);
    expect(words[0]).toContain('本机');
    expect(words[1]).toContain('http://192.168.1.20:8080');
    expect(words[3]).toContain('<b>店</b>');
    expect(words[3]).toContain('自己做不了：讲解、发货');
    expect(rows[0]?.querySelector('[data-testid="shop-remove"]'), 'ours is not removed').toBeNull();
  });

  it('are added by address and token; a refusal marks its field and keeps what was typed', async () => {
    const { get, find, fake } = open(many());
    await fireEvent.click(get('shop-add'));
    const error = async () => {
      await fireEvent.click(get('shop-submit'));
      return waitFor(() => get('shop-error').textContent);
    };
    expect(await error()).toContain('店铺地址还没填');
    await type(get('shop-address'), 'rtmp://x/y');
    expect(await error()).toContain('这不是店铺地址');
    expect(get('shop-address').getAttribute('aria-invalid')).toBe('true');
    await type(get('shop-address'), '192.168.1.44:8080');
    expect(await error()).toContain('卖家令牌还没填');
    expect((get('shop-token') as HTMLInputElement).type).toBe('password');
    await type(get('shop-token'), 'secret');
    expect(await error()).toContain('传输不加密');
    await fireEvent.click(get('shop-trust'));
    for (const [code, sentence] of [['shop_not_reached', '连不上'], ['shop_token_refused', '不认这个令牌'], ['shop_known', '已经接好'], ['shop_not_a_shop', '不是能接的店铺']] as const) {
      fake.refusals.set('add_shop', { code, params: { address: 'http://192.168.1.44:8080', name: '楼下' }, retryable: false });
      expect(await error()).toContain(sentence);
    }
    expect((get('shop-address') as HTMLInputElement).value).toBe('192.168.1.44:8080');
    await fireEvent.click(get('shop-submit'));
    await waitFor(() => expect(find('shop-form')).toBeNull());
    expect(fake.asked.at(-1)).toEqual({ command: 'add_shop', args: [{ address: '192.168.1.44:8080', token: 'secret', name: '', trustNetwork: true }] });
    expect(JSON.stringify(fake.view)).not.toContain('secret');
  });

  it('are renamed in place and removed only after a second press that says what stays', async () => {
    const { getAllByTestId, get, find, fake } = open(many());
    await fireEvent.click(getAllByTestId('shop-rename')[1] as HTMLElement);
    await type(get('shop-name-field'), '三楼');
    fake.refusals.set('rename_shop', { code: 'invalid', params: { field: 'name', rule: 'empty' }, retryable: false });
    await fireEvent.submit(get('shop-name-field'));
    await waitFor(() => expect(get('shop-rename-error').textContent).toContain('名称还没填'));
    await fireEvent.submit(get('shop-name-field'));
    await waitFor(() => expect(find('shop-name-field')).toBeNull());
    expect(fake.view.connections[1]?.name).toBe('三楼');
    const remove = () => getAllByTestId('shop-remove')[0] as HTMLElement;
    await fireEvent.click(remove());
    expect(fake.asked.some((a) => a.command === 'remove_shop')).toBe(false);
    expect(getAllByTestId('shop-row')[1]?.textContent).toContain('订单会留下');
    await fireEvent.click(remove());
    await waitFor(() => expect(fake.asked.at(-1)).toEqual({ command: 'remove_shop', args: ['far'] }));
  });

  it('close with Escape, the innermost first', async () => {
    const { get, find, onclose } = open(many());
    await fireEvent.click(get('shop-add'));
    await fireEvent.keyDown(get('shop-address'), { key: 'Escape' });
    expect([find('shop-form'), onclose.mock.calls.length]).toEqual([null, 0]);
    await fireEvent.keyDown(get('shops'), { key: 'Escape' });
    expect(onclose).toHaveBeenCalledOnce();
  });

  it('filter the orders where there are several, and only there', async () => {
    const fake = many();
    const now = Date.now();
    const page = panel(OrderFeed, { orders: fake.view.orders, now, live: true }, fake);
    const all = page.getAllByTestId('order-row').length;
    await fireEvent.change(page.get('order-shop'), { target: { value: 'far' } });
    expect(page.getAllByTestId('order-row')).toHaveLength(1);
    expect(page.get('order-row').textContent).toContain('楼下工作室');
    await fireEvent.change(page.get('order-shop'), { target: { value: '' } });
    expect(page.getAllByTestId('order-row')).toHaveLength(all);
    page.unmount();
    const one = new FakeStudio(sampleView('live'));
    expect(panel(OrderFeed, { orders: one.view.orders, now, live: true }, one).find('order-shop')).toBeNull();
  });

  it('let a coupon be issued where the host says, by the first one that can otherwise', async () => {
    const fake = many();
    const page = panel(CouponForm, { onclose: vi.fn() }, fake);
    await type(page.get('coupon-discount'), '5');
    await fireEvent.click(page.get('coupon-submit'));
    await fireEvent.change(page.get('coupon-place'), { target: { value: 'far' } });
    await fireEvent.click(page.get('coupon-submit'));
    const places = fake.asked.filter((a) => a.command === 'issue_coupon').map((a) => (a.args[0] as { connectionId: string }).connectionId);
    expect(places).toEqual(['local', 'far']);
    page.unmount();
    expect(panel(CouponForm, { onclose: vi.fn() }, new FakeStudio(sampleView('live'))).find('coupon-place')).toBeNull();
  });

  it('that were removed leave their orders, which say why nothing can be pressed', () => {
    const fake = many();
    fake.view.connections = fake.view.connections.filter((shop) => shop.id !== 'far');
    const page = panel(OrderFeed, { orders: fake.view.orders, now: Date.now(), live: true }, fake);
    const row = page.getAllByTestId('order-row').find((r) => r.textContent?.includes('楼下工作室'));
    expect(row?.textContent).toContain('已经移除');
    expect(row?.querySelector('[data-testid="ship-open"]')).toBeNull();
  });
});
