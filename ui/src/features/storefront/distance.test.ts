import { describe, expect, it } from 'vitest';
import { Distance } from './distance';

const HOUR = 3_600_000;

/** Plays over a link that stops a second after the picture came nearer than it carries; the moments of the stops. */
function play(distance: Distance, needs: (nowMs: number) => number, fromMs: number, toMs: number): number[] {
  const stops: number[] = [];
  let nearMs = 0;
  for (let now = fromMs; now < toMs; now += 500) {
    nearMs = distance.look(now) < needs(now) - 0.001 ? nearMs + 500 : 0;
    if (nearMs < 1_000) continue;
    stops.push(now);
    distance.stalled(now);
    nearMs = 0;
  }
  return stops;
}

describe('distance to the live edge', () => {
  it('grows with each stop, up to a limit, and shrinks soon where nothing stops', () => {
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

  it('stops a link that needs more a few times, not all through the show', () => {
    const distance = new Distance();
    const stops = play(distance, () => 1.5, 0, 8 * HOUR);
    // By and by: most at the beginning, then one an hour.
    expect(stops.length).toBeLessThanOrEqual(15);
    expect(stops.filter((at) => at >= 2 * HOUR).length).toBeLessThanOrEqual(6);
    // And it is not simply kept away: it is held at what carries.
    expect(distance.seconds).toBeCloseTo(1.6);
  });

  it('tries again what was too near after twice the time', () => {
    const stops = play(new Distance(), () => 1.5, 0, HOUR);
    const gaps = stops.slice(1).map((at, i) => at - (stops[i] ?? 0));
    expect(gaps.length).toBeGreaterThan(4);
    // Twenty seconds of each are the way back to where it held.
    for (let i = 2; i < gaps.length; i += 1) expect((gaps[i] ?? 0) / (gaps[i - 1] ?? 1)).toBeGreaterThan(1.5);
  });

  it('comes back to the least when the link gets good again', () => {
    const distance = new Distance();
    play(distance, (now) => (now < 4 * HOUR ? 1.5 : 1), 0, 5 * HOUR + HOUR / 2);
    expect(distance.seconds).toBe(1.2);
    // And has forgotten: another bad moment costs seconds, not an hour.
    const at = 6 * HOUR;
    distance.stalled(at);
    play(distance, () => 1, at, at + 60_000);
    expect(distance.seconds).toBe(1.2);
  });

  it('does not blame a distance that has held for long', () => {
    const distance = new Distance();
    // A hiccup every quarter of an hour, however far away the picture is.
    for (let now = 0; now < 8 * HOUR; now += 500) {
      if (now % (HOUR / 4) === 0) distance.stalled(now);
      distance.look(now);
      if (now % (HOUR / 4) === 120_000) expect(distance.seconds).toBe(1.2);
    }
  });

  it('keeps the nearest distance that holds in mind through a burst of stops', () => {
    const distance = new Distance();
    play(distance, () => 1.5, 0, 2 * HOUR);
    for (let i = 0; i < 6; i += 1) distance.stalled(2 * HOUR + i);
    expect(distance.seconds).toBe(3);
    play(distance, () => 1.5, 2 * HOUR, 2 * HOUR + 200_000);
    expect(distance.seconds).toBeCloseTo(1.6);
  });
});
