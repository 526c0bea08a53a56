import { fireEvent } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';
import type { ActionView, BagItemView } from '$lib/ipc/bindings';
import { FakeStudio, sampleView } from '$lib/ipc/fake';
import { HOLD_MS } from '$lib/ui/HoldButton.svelte';
import { panel } from '../../../tests/render';
import Bag from './Bag.svelte';

const NOW = 1_800_000_000_000;
const HOSTILE = '<img src=x onerror="document.title=1">\u202Eevil';

function show(change: (item: BagItemView) => Partial<BagItemView>) {
  const view = sampleView('live', false, NOW);
  const bag = view.bag.map((item) => ({ ...item, ...change(item) }));
  const onexplain = vi.fn(async () => {});
  const onend = vi.fn(async () => {});
  return { ...panel(Bag, { bag, shopName: '半山茶器', now: NOW, onexplain, onend }, new FakeStudio(view)), onexplain, onend };
}

describe('bag', () => {
  it('shows each state of a row', () => {
    const { get } = show(() => ({}));
    expect(get('bag-row-3').getAttribute('aria-current')).toBe('true');
    expect(get('explaining-3').textContent).toBe('04:12');
    expect(get('unpin').textContent).toBe('结束');
    expect(get('explain-4').className).toContain('primary');
    expect(get('bag-row-4').textContent).toContain('下一个');
    expect(get('explain-1').textContent).toBe('再讲');
    expect(get('bag-row-1').textContent).toContain('讲过 16:00');
    expect(get('restock-2').textContent).toBe('补货');
    expect(get('bag-row-2').textContent).toContain('售罄');
    expect(get('bag-row-8').textContent).toContain('仅剩 6');
  });

  it('fills only the next one to explain', () => {
    const { container } = show(() => ({}));
    expect(container.querySelectorAll('.btn.primary').length).toBe(1);
  });

  it('says what became of the press: never a tick before the read-back', () => {
    const states = [
      [{ kind: 'sending' }, 'sending', '发送中'],
      [{ kind: 'checking' }, 'checking', '核对中'],
      [{ kind: 'confirmed', atMs: NOW }, 'confirmed', '已确认'],
      [{ kind: 'failed', code: 'unreachable', params: {}, intentId: 'i' }, 'failed', '没送到'],
    ] as const;
    for (const [pin, name, word] of states) {
      const { get, unmount } = show((item) => (item.number === 3 ? { pin } : {}));
      expect(get('pin-3').dataset['action']).toBe(name);
      expect(get('pin-3').textContent).toContain(word);
      expect(get('pin-3').querySelector('use')?.getAttribute('href') === '#i-check').toBe(name === 'confirmed');
      unmount();
    }
  });

  it('says overlay only when the platform has no such button', () => {
    const view = sampleView('little', false, NOW);
    const { get } = panel(Bag, { bag: view.bag, shopName: '', now: NOW, onexplain: async () => {}, onend: async () => {} }, new FakeStudio(view));
    expect(get('pin-3').dataset['action']).toBe('overlay');
    expect(get('pin-3').textContent).toContain('仅画面');
  });

  it('sends a failed one again under its own key, or gives it up', async () => {
    const { get, fake } = show((item) => (item.number === 5 ? { pin: { kind: 'failed', code: 'unreachable', params: {}, intentId: 'i5' } } : {}));
    expect(get('failure-5').textContent).toContain('连不上 半山茶器');
    await fireEvent.click(get('retry-5'));
    await fireEvent.click(get('discard-5'));
    expect(fake.asked).toEqual([
      { command: 'retry_intent', args: ['i5'] },
      { command: 'discard_intent', args: ['i5'] },
    ]);
  });

  it('offers no second try for what the platform cannot do, but says why', () => {
    const { get, find } = show((item) => (item.number === 5 ? { pin: { kind: 'failed', code: 'unsupported', params: {}, intentId: 'i5' } } : {}));
    expect(get('pin-5').textContent).toContain('不可用');
    expect(get('failure-5').textContent).toContain('没有这个功能');
    expect(find('retry-5')).toBeNull();
  });

  it('explains once, however fast it is pressed', async () => {
    const view = sampleView('live', false, NOW);
    let done: () => void = () => {};
    const onexplain = vi.fn(() => new Promise<void>((end) => (done = end)));
    const { get } = panel(Bag, { bag: view.bag, shopName: '', now: NOW, onexplain, onend: async () => {} });
    await fireEvent.click(get('explain-4'));
    await fireEvent.click(get('explain-4'));
    expect(onexplain).toHaveBeenCalledTimes(1);
    expect(onexplain).toHaveBeenCalledWith(4);
    done();
    await vi.waitFor(() => expect(get('explain-4').getAttribute('aria-busy')).toBe('false'));
    await fireEvent.click(get('explain-4'));
    expect(onexplain).toHaveBeenCalledTimes(2);
  });

  it('shows hostile titles as text', () => {
    const { container, get } = show((item) => ({ title: HOSTILE, picture: item.number === 1 ? 'javascript:alert(1)' : item.picture }));
    expect(get('bag-row-3').querySelector('.ti')?.textContent).toBe(HOSTILE);
    expect(container.querySelector('img[src="x"]')).toBeNull();
    expect(get('bag-row-1').querySelector('img')).toBeNull();
    expect(document.title).not.toBe('1');
  });

  it('is found by number and name, and says when nothing is', async () => {
    const { get, find, container } = show(() => ({}));
    await fireEvent.input(get('bag-search'), { target: { value: '盖碗' } });
    expect(container.querySelectorAll('[data-testid^="bag-row-"]').length).toBe(1);
    await fireEvent.input(get('bag-search'), { target: { value: 'zzz' } });
    expect(find('bag-row-3')).toBeNull();
    expect(container.textContent).toContain('没有找到');
  });

  it('says what will appear when it is empty', () => {
    const { get, find } = panel(Bag, { bag: [], shopName: '', now: NOW, onexplain: async () => {}, onend: async () => {} });
    expect(get('bag-empty').textContent).toContain('购物袋是空的');
    expect(find('bag-search')).toBeNull();
  });

  function live() {
    const fake = new FakeStudio(sampleView('live', false, NOW));
    const bag = () => fake.view.bag;
    const page = panel(Bag, { bag: bag(), shopName: '', now: NOW, onexplain: async () => {}, onend: async () => {} }, fake);
    void fake.client.listen((event) => event.section === 'bag' && void page.rerender({ bag: event.value }));
    const order = () => [...page.container.querySelectorAll('[data-testid^="bag-row-"]')].map((row) => Number(row.querySelector('.no')?.textContent));
    return { ...page, order };
  }

  it('is put in another order by buttons and keys, and no number changes', async () => {
    const { get, find, order, fake } = live();
    expect(find('up-4')).toBeNull();
    await fireEvent.click(get('bag-arrange'));
    expect(find('explain-4')).toBeNull();
    get('up-4').focus();
    await fireEvent.click(get('up-4'));
    await vi.waitFor(() => expect(order().slice(0, 4)).toEqual([1, 2, 4, 3]));
    expect(document.activeElement).toBe(get('up-4'));
    await fireEvent.keyDown(get('up-4'), { key: 'ArrowUp', altKey: true });
    await fireEvent.keyDown(get('up-4'), { key: 'ArrowUp' });
    await vi.waitFor(() => expect(order().slice(0, 4)).toEqual([1, 4, 2, 3]));
    expect(fake.asked.filter((a) => a.command === 'move_in_bag').map((a) => a.args)).toEqual([[4, -1], [4, -1]]);
    expect(get('up-1').getAttribute('aria-disabled')).toBe('true');
    await fireEvent.click(get('up-1'));
    expect(fake.asked.filter((a) => a.command === 'move_in_bag').length).toBe(2);
    await fireEvent.click(get('bag-done'));
    expect(get('explain-4').textContent).toBe('讲解');
  });

  it('lets a product out and in again under its number, but not the one being explained', async () => {
    const { get, find, order, fake } = live();
    await fireEvent.click(get('bag-arrange'));
    expect(get('remove-3').getAttribute('aria-label')).toContain('先结束再移出');
    await fireEvent.click(get('remove-3'));
    expect(fake.asked).toEqual([]);
    await fireEvent.click(get('remove-5'));
    await vi.waitFor(() => expect(order()).not.toContain(5));
    await fireEvent.click(get('bag-done'));
    await fireEvent.click(get('bag-add'));
    await vi.waitFor(() => expect(get('candidate-add-p5').textContent?.trim()).toBe('加回 5 号'));
    await fireEvent.input(get('candidate-search'), { target: { value: '没有的' } });
    await vi.waitFor(() => expect(find('candidate-p5')).toBeNull());
    await fireEvent.input(get('candidate-search'), { target: { value: '5' } });
    await vi.waitFor(() => expect(find('candidate-p5')).not.toBeNull());
    expect(fake.asked.filter((a) => a.command === 'bag_candidates').map((a) => a.args[0])).toEqual(['', '没有的', '5']);
    await fireEvent.input(get('candidate-search'), { target: { value: '' } });
    await fireEvent.click(get('candidate-add-p5'));
    await vi.waitFor(() => expect(find('candidates-empty')).not.toBeNull());
    await fireEvent.click(get('bag-done'));
    expect(order().at(-1)).toBe(5);
  });

  const type = (field: HTMLElement, value: string) => fireEvent.input(field, { target: { value } });
  async function hold(button: HTMLElement, ms = HOLD_MS) {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await fireEvent.pointerDown(button, { button: 0 });
    vi.advanceTimersByTime(ms);
    vi.useRealTimers();
    await fireEvent.pointerUp(button);
  }

  it('changes a price only when held, and sends what the host saw', async () => {
    const { get, find, fake } = live();
    await fireEvent.click(get('offer-open-4'));
    expect(get('offer-hold').getAttribute('aria-disabled')).toBe('true');
    expect(get('offer-sum').textContent).toContain('还没改');
    await type(get('offer-price'), '179');
    expect(get('offer-sum').textContent).toContain('¥199 改成 ¥179');
    await hold(get('offer-hold'), HOLD_MS - 1);
    await fireEvent.click(get('offer-hold'));
    expect(fake.asked.filter((a) => a.command === 'change_offer')).toEqual([]);
    await hold(get('offer-hold'));
    await vi.waitFor(() => expect(find('offer-4')).toBeNull());
    expect(fake.asked.find((a) => a.command === 'change_offer')?.args).toEqual([{ number: 4, skuId: 's4', price: '179', stockBy: 0 }]);
    await vi.waitFor(() => expect(get('offer-word-4').textContent).toContain('发送中'));
    expect(get('bag-row-4').querySelector('.me b')?.textContent).toBe('¥199');
    const cheap = { amount: '17900', currency: 'CNY', text: '¥179.00', short: '179' };
    fake.send({ section: 'bag', value: fake.view.bag.map((i) => (i.number === 4 ? { ...i, price: cheap } : i)) });
    await vi.waitFor(() => expect(get('bag-row-4').querySelector('.me b')?.textContent).toBe('¥179'));
  });

  it('sends pieces as a difference, and says what is wrong beside the form', async () => {
    const { get, fake } = live();
    await fireEvent.click(get('restock-2'));
    expect(document.activeElement).toBe(get('offer-stock'));
    await type(get('offer-stock'), '12');
    await fireEvent.click(get('offer-more'));
    expect(get('offer-sum').textContent).toContain('加 13 件');
    fake.refusals.set('change_offer', { code: 'invalid', params: { field: 'price', rule: 'zero' }, retryable: false });
    await hold(get('offer-hold'));
    await vi.waitFor(() => expect(get('offer-error').textContent).toBe('价格要大于 0。'));
    await hold(get('offer-hold'));
    await vi.waitFor(() => expect(fake.asked.at(-1)?.args).toEqual([{ number: 2, skuId: 's2', price: null, stockBy: 13 }]));
    await fireEvent.click(get('offer-open-5'));
    await fireEvent.keyDown(get('offer-price'), { key: 'Escape' });
    expect(document.querySelector('[data-testid="offer-5"]')).toBeNull();
  });

  it('shows the price that holds until the new one was read back, and names what fell in between', () => {
    const change = (action: ActionView, atOtherPrice = 0) => ({ skuId: 's4', price: { amount: '17900', currency: 'CNY', text: '¥179.00', short: '179' }, priceBefore: { amount: '19900', currency: 'CNY', text: '¥199.00', short: '199' }, stockBy: 0, action, atOtherPrice, atNewPrice: 0 });
    const at = (action: ActionView, other = 0) => show((item) => (item.number === 4 ? { change: change(action, other) } : { change: null }));
    for (const [kind, word] of [['sending', '发送中'], ['checking', '核对中']] as const) {
      const { get, unmount } = at({ kind });
      expect(get('offer-word-4').textContent).toContain(word);
      expect(get('bag-row-4').querySelector('.me b')?.textContent).toBe('¥199');
      unmount();
    }
    const failed = at({ kind: 'failed', code: 'stock_promised', params: { reserved: '4', stock: '6' }, intentId: 'i' });
    expect(failed.get('failure-offer-4').textContent).toContain('有 4 件已被订单占着，现在还能卖 6 件');
    expect(failed.get('failure-offer-4').textContent).toContain('画面还是原来的价格');
    expect(failed.get('retry-offer-4')).toBeTruthy();
    failed.unmount();
    const done = at({ kind: 'confirmed', atMs: NOW - 70_000 }, 2);
    expect(done.get('offer-other-4').textContent).toBe('改价期间有 2 单不是按新价下的，旧价是 ¥199。');
    done.unmount();
    expect(at({ kind: 'confirmed', atMs: NOW - 70_000 }).find('offer-state-4')).toBeNull();
  });

  it('says what a shop cannot do instead of offering it', async () => {
    const view = sampleView('little', false, NOW);
    const { get, find } = panel(Bag, { bag: view.bag, shopName: '', now: NOW, onexplain: async () => {}, onend: async () => {} }, new FakeStudio(view));
    await fireEvent.click(get('offer-open-4'));
    expect(get('offer-able-4').textContent).toContain('半山茶器 没有开放这个功能');
    expect(find('offer-hold')).toBeNull();
    expect((get('explain-2') as HTMLButtonElement).disabled).toBe(true);
    expect(get('explain-2').getAttribute('aria-label')).toContain('卖完了');
  });
});
