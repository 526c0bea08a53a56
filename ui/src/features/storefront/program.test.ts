import { describe, expect, it } from 'vitest';
import { cardIn, dateOf, pictureDate, ribbonIn } from './program';
import type { Coupon, Live } from './wire';

const live: Live = { state: 'live', startedAtMs: 1_000_000, programEpochMs: 1_000_000 };
const coupon = (id: string, fromMs: number, validS: number): Coupon => ({
  id,
  discount: { amount: 3_000, currency: 'CNY' },
  threshold: { amount: 0, currency: 'CNY' },
  quantity: 1,
  claimed: 0,
  state: 'active',
  endsAtMs: fromMs + validS * 1_000,
  validS,
});

describe('the program clock', () => {
  it('dates an event by its program time, and by the wall clock where it has none', () => {
    expect(dateOf(live, 2_500, 1_009_999)).toBe(1_002_500);
    expect(dateOf(live, null, 1_009_999)).toBe(1_009_999);
    expect(dateOf({ ...live, programEpochMs: null }, 2_500, 1_009_999)).toBe(1_009_999);
  });

  it('knows which card the picture shows, seconds after the pin', () => {
    const marks = [
      { dateMs: 1_010_000, productId: 'p-1' },
      { dateMs: 1_020_000, productId: 'p-2' },
      { dateMs: 1_030_000, productId: null },
    ];
    expect(cardIn(marks, 1_009_999)).toBeNull();
    expect(cardIn(marks, 1_010_000)).toBe('p-1');
    expect(cardIn(marks, 1_019_999)).toBe('p-1');
    expect(cardIn(marks, 1_025_000)).toBe('p-2');
    expect(cardIn(marks, 1_030_000)).toBeNull();
    expect(cardIn(marks, null)).toBeNull();
  });

  it('shows the ribbon of the newest coupon only, while it runs', () => {
    const [old, young] = [coupon('old', 1_000_000, 600), coupon('young', 1_100_000, 60)];
    expect(ribbonIn([old, young], old, 1_050_000)).toBe(true);
    expect(ribbonIn([old, young], young, 1_050_000)).toBe(false);
    expect(ribbonIn([old, young], young, 1_110_000)).toBe(true);
    expect(ribbonIn([old, young], old, 1_110_000)).toBe(false);
    expect(ribbonIn([old, young], young, 1_160_000)).toBe(false);
    expect(ribbonIn([old, young], old, null)).toBe(false);
  });

  it('guesses the date of a picture that does not say it', () => {
    expect(pictureDate(5, 1_000_000)).toBe(5);
    expect(pictureDate(null, 1_000_000)).toBeLessThan(1_000_000);
  });
});
