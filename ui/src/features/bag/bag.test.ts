import { fireEvent } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';
import type { BagItemView } from '$lib/ipc/bindings';
import { FakeStudio, sampleView } from '$lib/ipc/fake';
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
    expect((get('explain-2') as HTMLButtonElement).disabled).toBe(true);
    expect(get('explain-2').getAttribute('aria-label')).toContain('卖完了');
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
      [{ kind: 'failed', code: 'unreachable', intentId: 'i' }, 'failed', '没送到'],
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
    const { get } = show((item) => (item.number === 3 ? { pin: null } : {}));
    expect(get('pin-3').dataset['action']).toBe('overlay');
    expect(get('pin-3').textContent).toContain('仅画面');
  });

  it('sends a failed one again under its own key, or gives it up', async () => {
    const { get, fake } = show((item) => (item.number === 5 ? { pin: { kind: 'failed', code: 'unreachable', intentId: 'i5' } } : {}));
    expect(get('failure-5').textContent).toContain('连不上 半山茶器');
    await fireEvent.click(get('retry-5'));
    await fireEvent.click(get('discard-5'));
    expect(fake.asked).toEqual([
      { command: 'retry_intent', args: ['i5'] },
      { command: 'discard_intent', args: ['i5'] },
    ]);
  });

  it('offers no second try for what the platform cannot do, but says why', () => {
    const { get, find } = show((item) => (item.number === 5 ? { pin: { kind: 'failed', code: 'unsupported', intentId: 'i5' } } : {}));
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
});
