import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import Hls, { type ErrorData, type Loader, type LoaderCallbacks, type LoaderContext, type LoaderStats } from 'hls.js';
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

// What the player builds on, asked of hls.js itself: the light file, with a network of our own.
describe('hls.js that gave up', () => {
  const LIST = (n: number): string =>
    `#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:${n}\n#EXT-X-MAP:URI="init.mp4"\n` +
    [0, 1, 2].map((i) => `#EXTINF:2,\nseg-${n + i}.m4s\n`).join('');
  let isUp = true;
  let lists = 0;

  /** Lists as long as the network is there; segments never come, so that only lists count. */
  class Network implements Loader<LoaderContext> {
    context: LoaderContext | null = null;
    stats: LoaderStats = {
      aborted: false, loaded: 0, retry: 0, total: 0, chunkCount: 0, bwEstimate: 0,
      loading: { start: 0, first: 0, end: 0 }, parsing: { start: 0, end: 0 }, buffering: { start: 0, first: 0, end: 0 },
    };
    private timer: ReturnType<typeof setTimeout> | undefined;
    load(context: LoaderContext, _: unknown, { onSuccess, onError }: LoaderCallbacks<LoaderContext>): void {
      this.context = context;
      if (!context.url.includes('.m3u8')) return;
      lists += 1;
      this.stats.loading.start = this.stats.loading.first = performance.now();
      this.timer = setTimeout(() => {
        if (isUp) onSuccess({ url: context.url, data: LIST(lists), code: 200 }, this.stats, context, null);
        else onError({ code: 0, text: '' }, context, null, this.stats);
      }, 10);
    }
    abort(): void {
      clearTimeout(this.timer);
    }
    destroy(): void {
      this.abort();
    }
  }

  const video = document.createElement('video');
  video.load = () => {};
  let hls: Hls;
  let fatal: ErrorData[] = [];
  beforeEach(async () => {
    vi.useFakeTimers();
    [isUp, lists, fatal] = [true, 0, []];
    const { default: Light } = (await import('hls.js/dist/hls.light.min.mjs' as string)) as { default: typeof Hls };
    hls = new Light({ loader: Network as never, enableWorker: false });
    hls.on(Light.Events.ERROR, (_, data) => {
      if (data.fatal) fatal.push(data);
    });
    hls.attachMedia(video);
    hls.loadSource('http://shop.test/live/stream.m3u8');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(lists).toBeGreaterThan(1);
  });
  afterEach(() => {
    hls.destroy();
    vi.useRealTimers();
  });

  it('asks for lists no more, until it is told to load: then the same one goes on', async () => {
    isUp = false;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(fatal.map((f) => f.type)).toEqual(['networkError']);
    isUp = true;
    const before = lists;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lists).toBe(before);
    hls.stopLoad();
    hls.startLoad();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(lists).toBeGreaterThan(before + 2);
    expect(fatal).toHaveLength(1);
  });

  it('does not ask for lists after repairing its media, unless it is told to load', async () => {
    hls.trigger('hlsMediaAttached' as never, { media: video } as never);
    hls.trigger('hlsError' as never, { type: 'mediaError', details: 'bufferAppendError', fatal: true, error: new Error('test') } as never);
    expect(fatal).toHaveLength(1);
    hls.recoverMediaError();
    // There is no media source in here that would say so.
    hls.trigger('hlsMediaAttached' as never, { media: video } as never);
    const before = lists;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(lists).toBe(before);
    hls.startLoad();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(lists).toBeGreaterThan(before + 2);
  });
});
