import { describe, expect, it } from 'vitest';
import { Rescue } from './rescue';

const GAVE_UP = true;
const STANDS = false;

describe('a picture that stopped', () => {
  it('is loaded again at once, and asked for', () => {
    expect(new Rescue(true).trouble(GAVE_UP, 0)).toEqual({ load: true, askInMs: 0 });
    expect(new Rescue(true).trouble(STANDS, 0)).toEqual({ load: true, askInMs: 0 });
  });

  it('is never opened anew while no list comes', () => {
    const rescue = new Rescue(true);
    rescue.trouble(GAVE_UP, 0);
    const waits: (number | undefined)[] = [];
    for (let now = 1_000; now < 600_000; now += 5_000) {
      expect(rescue.trouble(GAVE_UP, now)).toEqual({});
      expect(rescue.look(false, now)).toEqual({});
      const step = rescue.answered(null, now);
      expect(step.load ?? step.reopen).toBeUndefined();
      waits.push(step.askInMs);
    }
    expect(waits.slice(0, 5)).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  it('is loaded again when a list comes, and is well when it moves', () => {
    const rescue = new Rescue(true);
    rescue.trouble(STANDS, 0);
    rescue.answered(null, 4_000);
    expect(rescue.answered('1', 60_000)).toEqual({ load: true });
    expect(rescue.isOn).toBe(true);
    rescue.look(true, 61_000);
    expect(rescue.isOn).toBe(false);
    expect(rescue.look(false, 100_000)).toEqual({});
  });

  it('is not told twice in a moment', () => {
    const rescue = new Rescue(true);
    rescue.trouble(STANDS, 0);
    expect(rescue.answered('1', 100)).toEqual({});
    const other = new Rescue(true);
    other.trouble(STANDS, 0);
    other.trouble(GAVE_UP, 50);
    expect(other.answered('1', 100)).toEqual({ load: true });
  });

  it('is opened anew when lists grow and it does not move', () => {
    const rescue = new Rescue(true);
    rescue.trouble(STANDS, 0);
    rescue.answered('1', 100);
    expect(rescue.look(false, 6_000)).toEqual({});
    expect(rescue.look(false, 6_100)).toEqual({ askInMs: 0 });
    expect(rescue.answered('2', 6_200)).toEqual({ reopen: true });
    expect(rescue.isOn).toBe(false);
  });

  it('keeps its frame while the stream itself stands', () => {
    const rescue = new Rescue(true);
    rescue.trouble(STANDS, 0);
    rescue.answered('1', 100);
    rescue.look(false, 6_100);
    for (let now = 6_200; now < 60_000; now += 2_000) expect(rescue.answered('1', now)).toEqual({ askInMs: 2_000 });
    // It goes on: the player that is there gets its chance first.
    expect(rescue.answered('2', 60_000)).toEqual({ load: true });
    rescue.look(false, 66_000);
    expect(rescue.answered('3', 66_100)).toEqual({ reopen: true });
  });

  it('gets another chance where the network went away during the first', () => {
    const rescue = new Rescue(true);
    rescue.trouble(STANDS, 0);
    rescue.answered('1', 100);
    rescue.look(false, 6_100);
    rescue.answered(null, 10_000);
    expect(rescue.answered('2', 20_000)).toEqual({ load: true });
  });

  it('plays out what it has, and does not go round and round', () => {
    const rescue = new Rescue(true);
    rescue.trouble(GAVE_UP, 0);
    rescue.trouble(GAVE_UP, 10);
    rescue.answered('1', 20);
    rescue.trouble(GAVE_UP, 30);
    expect(rescue.look(true, 500)).toEqual({});
    expect(rescue.look(true, 1_100)).toEqual({ load: true, askInMs: 0 });
    rescue.answered('2', 1_200);
    rescue.trouble(GAVE_UP, 1_300);
    expect(rescue.look(false, 2_000)).toEqual({});
    expect(rescue.look(false, 2_300)).toEqual({ askInMs: 0 });
    expect(rescue.answered('3', 2_400)).toEqual({ reopen: true });
  });

  it('waits for no time once the network is back', () => {
    const rescue = new Rescue(true);
    expect(rescue.online(0)).toEqual({ load: true, askInMs: 0 });
    for (let i = 0; i < 9; i += 1) rescue.answered(null, i);
    expect(rescue.online(100)).toEqual({ askInMs: 0 });
    expect(rescue.answered(null, 200)).toEqual({ askInMs: 1_000 });
    rescue.answered('1', 300);
    expect(rescue.online(400)).toEqual({});
  });

  it('is opened anew where the player cannot be told, but only when lists grow', () => {
    const rescue = new Rescue(false);
    expect(rescue.trouble(GAVE_UP, 0)).toEqual({ askInMs: 0 });
    expect(rescue.answered(null, 0)).toEqual({ askInMs: 1_000 });
    expect(rescue.answered('1', 1_000)).toEqual({});
    expect(rescue.look(false, 2_000)).toEqual({ askInMs: 0 });
    expect(rescue.answered('1', 2_100)).toEqual({ askInMs: 2_000 });
    expect(rescue.answered('2', 4_100)).toEqual({});
    rescue.look(false, 5_100);
    expect(rescue.answered('3', 5_200)).toEqual({ reopen: true });
  });
});
