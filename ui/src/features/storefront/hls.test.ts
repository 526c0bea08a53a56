import Hls from 'hls.js';
import { describe, expect, it } from 'vitest';
import { loader } from './hls';

describe('fetching hls.js', () => {
  it('asks under another address after each failure, and no more once it is there', async () => {
    const asked: string[] = [];
    let isThere = false;
    const load = loader(async (url) => {
      asked.push(url);
      if (!isThere) throw new TypeError('Failed to fetch dynamically imported module');
      return { default: Hls };
    });
    await expect(load()).rejects.toThrow();
    await expect(load()).rejects.toThrow();
    isThere = true;
    expect(await load()).toBe(Hls);
    expect(await load()).toBe(Hls);
    const [first = ''] = asked;
    expect(first).toMatch(/hls\.light\.min[^?]*\.mjs$/);
    expect(asked).toEqual([first, `${first}?try=1`, `${first}?try=2`]);
  });
});
