import { createEvent, fireEvent, render } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import HoldButton, { HOLD_MS } from './HoldButton.svelte';

describe('hold button', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function setUp(more: Record<string, unknown> = {}) {
    const onheld = vi.fn();
    const props = { label: '按住开播', holding: '再按一会儿', icon: 'radio' as const, meaning: 'live', testid: 'hold', onheld, ...more };
    const page = render(HoldButton, { props });
    return { ...page, onheld, button: page.getByTestId('hold'), props };
  }
  const down = (b: Element) => fireEvent.pointerDown(b, { button: 0 });

  it('fires once after one second, not before and not again', async () => {
    const { button, onheld } = setUp();
    await down(button);
    expect(button.textContent).toContain('再按一会儿');
    vi.advanceTimersByTime(HOLD_MS - 1);
    expect(onheld).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(onheld).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(HOLD_MS * 5);
    expect(onheld).toHaveBeenCalledTimes(1);
  });

  it.each(['pointerUp', 'pointerLeave', 'pointerCancel', 'blur'] as const)('empties on %s', async (what) => {
    const { button, onheld } = setUp();
    await down(button);
    vi.advanceTimersByTime(HOLD_MS - 50);
    await fireEvent[what](button);
    expect(button.textContent).toContain('按住开播');
    vi.advanceTimersByTime(HOLD_MS * 2);
    expect(onheld).not.toHaveBeenCalled();
    // And it begins anew, not where it was.
    await down(button);
    vi.advanceTimersByTime(HOLD_MS - 1);
    expect(onheld).not.toHaveBeenCalled();
  });

  it.each([
    ['pointerUp', HOLD_MS, 1],
    ['pointerUp', HOLD_MS - 1, 0],
    ['pointerLeave', HOLD_MS * 2, 0],
    ['blur', HOLD_MS * 2, 0],
  ] as const)('counts a hold by when it happened where the page was busy: %s after %d ms', async (what, ms, times) => {
    const { button, onheld } = setUp();
    const at = async (event: Event, timeStamp: number) => {
      Object.defineProperty(event, 'timeStamp', { value: timeStamp });
      await fireEvent(button, event);
    };
    await at(createEvent.pointerDown(button, { button: 0 }), 5_000);
    // No timer has run meanwhile.
    await at(createEvent[what](button), 5_000 + ms);
    expect(onheld).toHaveBeenCalledTimes(times);
    vi.advanceTimersByTime(HOLD_MS * 2);
    expect(onheld).toHaveBeenCalledTimes(times);
    expect(button.textContent).toContain('按住开播');
  });

  it('does nothing for a click, Enter, another mouse button or a disabled button', async () => {
    const { button, onheld, rerender } = setUp();
    await fireEvent.click(button);
    await fireEvent.keyDown(button, { key: 'Enter' });
    await fireEvent.pointerDown(button, { button: 2 });
    vi.advanceTimersByTime(HOLD_MS * 2);
    await rerender({ disabled: true });
    await down(button);
    vi.advanceTimersByTime(HOLD_MS * 2);
    expect(onheld).not.toHaveBeenCalled();
    expect(button.getAttribute('aria-disabled')).toBe('true');
  });

  it('works with Space held, whose repeats do not start it again', async () => {
    const { button, onheld } = setUp();
    await fireEvent.keyDown(button, { key: ' ' });
    vi.advanceTimersByTime(600);
    await fireEvent.keyUp(button, { key: ' ' });
    vi.advanceTimersByTime(HOLD_MS);
    expect(onheld).not.toHaveBeenCalled();
    await fireEvent.keyDown(button, { key: ' ' });
    for (let i = 0; i < 40; i++) {
      vi.advanceTimersByTime(50);
      await fireEvent.keyDown(button, { key: ' ', repeat: true });
    }
    expect(onheld).toHaveBeenCalledTimes(1);
  });

  it('never means two things in one press', async () => {
    const { button, onheld, rerender } = setUp();
    await down(button);
    vi.advanceTimersByTime(HOLD_MS);
    expect(onheld).toHaveBeenCalledTimes(1);
    // The show goes live under the finger that is still down.
    await rerender({ meaning: 'end', label: '按住结束直播' });
    await down(button);
    vi.advanceTimersByTime(HOLD_MS * 2);
    expect(onheld).toHaveBeenCalledTimes(1);
    await fireEvent.pointerUp(button);
    await down(button);
    vi.advanceTimersByTime(HOLD_MS);
    expect(onheld).toHaveBeenCalledTimes(2);
  });

  it('lets go when its meaning changes in the middle', async () => {
    const { button, onheld, rerender } = setUp();
    await down(button);
    vi.advanceTimersByTime(HOLD_MS / 2);
    await rerender({ meaning: 'end' });
    vi.advanceTimersByTime(HOLD_MS * 2);
    expect(onheld).not.toHaveBeenCalled();
  });

  it('is quiet after it left the page', async () => {
    const { button, onheld, unmount } = setUp();
    await down(button);
    unmount();
    vi.advanceTimersByTime(HOLD_MS * 2);
    expect(onheld).not.toHaveBeenCalled();
  });
});
