import { describe, expect, it } from 'vitest';
import { Distance } from './distance';

describe('distance to the live edge', () => {
  it('grows with each stop, up to a limit, and shrinks again when nothing stops', () => {
    const distance = new Distance();
    expect(distance.look(0)).toBe(1.2);
    distance.stalled(1_000);
    distance.stalled(2_000);
    expect(distance.look(3_000)).toBeCloseTo(2);
    for (let i = 0; i < 20; i += 1) distance.stalled(4_000);
    expect(distance.look(23_999)).toBe(3);
    expect(distance.look(24_000)).toBeCloseTo(2.8);
    expect(distance.look(24_500)).toBeCloseTo(2.8);
    let now = 24_000;
    for (let i = 0; i < 20; i += 1) distance.look((now += 20_000));
    expect(distance.look(now)).toBe(1.2);
  });
});
