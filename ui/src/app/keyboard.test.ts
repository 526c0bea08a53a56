import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DIGITS_MS, Keys } from './keyboard';

describe('keys', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function setUp(numbers: number[]) {
    const actions = { explain: vi.fn(), next: vi.fn(), previous: vi.fn(), mute: vi.fn(), record: vi.fn(), tab: vi.fn(), answered: vi.fn(() => true), numbers: () => numbers };
    const keys = new Keys(actions);
    const press = (key: string, init: KeyboardEventInit = {}, target: HTMLElement = document.body) => {
      const event = new KeyboardEvent('keydown', { key, ...init });
      Object.defineProperty(event, 'target', { value: target });
      return keys.press(event);
    };
    return { actions, press };
  }

  it('explain at once when no longer number is possible', () => {
    const { actions, press } = setUp([1, 2, 3]);
    expect(press('3')).toBe(true);
    expect(actions.explain.mock.calls).toEqual([[3]]);
  });

  it('wait for a second digit only where it can make a number', () => {
    const { actions, press } = setUp([1, 2, 10, 12]);
    press('2');
    expect(actions.explain.mock.calls).toEqual([[2]]);
    press('1');
    expect(actions.explain).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(DIGITS_MS - 1);
    press('2');
    expect(actions.explain.mock.calls).toEqual([[2], [12]]);
    press('1');
    vi.advanceTimersByTime(DIGITS_MS);
    expect(actions.explain.mock.calls).toEqual([[2], [12], [1]]);
    press('0');
    expect(actions.explain.mock.calls.at(-1)).toEqual([10]);
  });

  it('go on and back, mute, record and change tabs', () => {
    const { actions, press } = setUp([]);
    press('ArrowRight');
    press('ArrowLeft');
    press('m');
    press('R');
    press('¡', { altKey: true, code: 'Digit1' });
    press('2', { altKey: true, code: 'Digit2' });
    press('3', { altKey: true, code: 'Digit3' });
    expect([actions.next.mock.calls.length, actions.previous.mock.calls.length]).toEqual([1, 1]);
    expect([actions.mute.mock.calls.length, actions.record.mock.calls.length]).toEqual([1, 1]);
    expect(actions.tab.mock.calls).toEqual([['orders'], ['comments'], ['coupons']]);
  });

  it('put the answered comment away, and leave Escape alone where there is none', () => {
    const { actions, press } = setUp([]);
    expect(press('Escape')).toBe(true);
    actions.answered.mockReturnValue(false);
    expect(press('Escape')).toBe(false);
    expect(press('Escape', {}, document.createElement('input'))).toBe(false);
    expect(actions.answered).toHaveBeenCalledTimes(2);
  });

  it('do nothing while somebody types, with a modifier, or held down', () => {
    const { actions, press } = setUp([3]);
    const field = document.createElement('input');
    expect(press('3', {}, field)).toBe(false);
    expect(press('r', { ctrlKey: true })).toBe(false);
    expect(press('m', { metaKey: true })).toBe(false);
    expect(press('m', { repeat: true })).toBe(false);
    expect(press('x')).toBe(false);
    expect(actions.explain).not.toHaveBeenCalled();
    expect(actions.mute).not.toHaveBeenCalled();
  });
});
