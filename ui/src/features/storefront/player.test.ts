import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Player, type Picture } from './player';

const hlsjs = vi.hoisted(() => ({ load: vi.fn() }));
vi.mock('./hls', () => ({ loadHls: hlsjs.load }));

/** As hls.js behaves towards its element, see its source: only detaching takes the picture away. */
class FakeHls {
  static Events = { MANIFEST_PARSED: 'manifest', LEVEL_LOADED: 'level', ERROR: 'error' };
  static ErrorTypes = { MEDIA_ERROR: 'mediaError', NETWORK_ERROR: 'networkError' };
  static ErrorDetails = { BUFFER_STALLED_ERROR: 'stalled' };
  static isSupported = (): boolean => true;
  static all: FakeHls[] = [];

  targetLatency = 0;
  playingDate = null;
  isDestroyed = false;
  startLoad = vi.fn();
  stopLoad = vi.fn();
  loadSource = vi.fn();
  recoverMediaError = vi.fn(() => this.detach());
  private readonly heard = new Map<string, (name: string, data: unknown) => void>();

  constructor() {
    FakeHls.all.push(this);
  }
  on(name: string, hear: (name: string, data: unknown) => void): void {
    this.heard.set(name, hear);
  }
  attachMedia(): void {
    video.setAttribute('src', 'blob:it');
  }
  destroy(): void {
    this.isDestroyed = true;
    this.detach();
  }
  fails(type: string): void {
    this.heard.get('error')?.('error', { fatal: true, type, details: 'any' });
  }
  private detach(): void {
    video.removeAttribute('src');
    video.load();
  }
}

let video: HTMLVideoElement;
let player: Player;
let pictures: Picture[];
/** How often the list was asked for. */
let asked = 0;
/** What the shop answers; null is no network. */
let list: () => string | null;
let time = 0;
let ready = 0;

const last = (): FakeHls => FakeHls.all[FakeHls.all.length - 1] as FakeHls;
const growing = (): string => `#EXTM3U\n${Date.now()}`;
const run = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

/** So long, with the picture moving. */
async function plays(ms: number): Promise<void> {
  ready = 4;
  for (let i = 0; i < ms; i += 250) {
    time += 0.25;
    await run(250);
  }
  ready = 2;
}

function make(): void {
  player = new Player(video, { url: '/live/stream.m3u8', onPicture: (picture) => pictures.push(picture) });
  player.start();
}

async function playing(): Promise<void> {
  make();
  await run(0);
  ready = 4;
  video.dispatchEvent(new Event('playing'));
  await plays(1_000);
  expect(pictures).toEqual(['loading', 'playing']);
}

beforeEach(() => {
  vi.useFakeTimers();
  [FakeHls.all, pictures, asked, time, ready] = [[], [], 0, 0, 0];
  list = growing;
  video = document.createElement('video');
  video.play = async () => {};
  video.load = () => void video.dispatchEvent(new Event('emptied'));
  Object.defineProperty(video, 'currentTime', { get: () => time, set: (to: number) => (time = to) });
  Object.defineProperty(video, 'readyState', { get: () => ready });
  Object.defineProperty(video, 'paused', { get: () => false });
  hlsjs.load.mockReset().mockImplementation(async () => FakeHls);
  vi.stubGlobal('fetch', async (_: string, { signal }: RequestInit) => {
    asked += 1;
    const text = list();
    await new Promise((done) => setTimeout(done, 20));
    signal?.throwIfAborted();
    if (text === null) throw new TypeError('Failed to fetch');
    return new Response(text);
  });
});
afterEach(() => {
  player.destroy();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('a picture whose network goes', () => {
  it('keeps its last frame for as long as that takes, and goes on in the same player', async () => {
    await playing();
    list = () => null;
    last().fails('networkError');
    expect(last().startLoad).toHaveBeenCalledTimes(1);
    for (let i = 0; i < 40; i += 1) {
      await run(3_000);
      last().fails('networkError');
    }
    expect(FakeHls.all).toHaveLength(1);
    expect(last().isDestroyed).toBe(false);
    expect(video.hasAttribute('src')).toBe(true);
    expect(last().startLoad).toHaveBeenCalledTimes(1);
    expect(pictures).toEqual(['loading', 'playing', 'stalled']);

    list = growing;
    await run(5_100);
    expect(last().startLoad).toHaveBeenCalledTimes(2);
    await plays(2_000);
    expect(pictures).toEqual(['loading', 'playing', 'stalled', 'playing']);
    await plays(20_000);
    expect(FakeHls.all).toHaveLength(1);
  });

  it('is asked for at once when the network is said to be back', async () => {
    await playing();
    list = () => null;
    last().fails('networkError');
    await run(60_000);
    list = growing;
    const before = asked;
    window.dispatchEvent(new Event('online'));
    await run(30);
    expect(asked).toBe(before + 1);
    expect(last().startLoad).toHaveBeenCalledTimes(2);
  });

  it('is loaded at once then, even if nothing was known to be wrong yet', async () => {
    await playing();
    await run(3_000);
    expect(pictures).toEqual(['loading', 'playing', 'stalled']);
    window.dispatchEvent(new Event('online'));
    expect(last().startLoad).toHaveBeenCalledTimes(1);
  });

  it('leaves a moving picture alone then', async () => {
    hlsjs.load.mockRejectedValueOnce(new TypeError('Failed to fetch dynamically imported module'));
    make();
    await run(1_000);
    video.dispatchEvent(new Event('playing'));
    await plays(1_000);
    expect(FakeHls.all).toHaveLength(1);
    window.dispatchEvent(new Event('online'));
    await plays(1_000);
    expect(FakeHls.all).toHaveLength(1);
    expect(last().startLoad).not.toHaveBeenCalled();
    expect(asked).toBe(0);
  });

  it('stops a request that hangs before it loads again', async () => {
    await playing();
    await run(13_000);
    expect(last().isDestroyed).toBe(false);
    const [stop = 0] = last().stopLoad.mock.invocationCallOrder;
    const [start = 0] = last().startLoad.mock.invocationCallOrder;
    expect(stop).toBeGreaterThan(0);
    expect(start).toBeGreaterThan(stop);
  });

  it('does not take a page of the network for a list', async () => {
    await playing();
    list = () => '<html>please log in</html>';
    last().fails('networkError');
    await run(60_000);
    expect(last().startLoad).toHaveBeenCalledTimes(1);
    expect(FakeHls.all).toHaveLength(1);
  });
});

describe('a picture that does not come back by loading', () => {
  it('is opened anew once lists grow, and says that there is nothing to see meanwhile', async () => {
    await playing();
    await run(30_000);
    expect(FakeHls.all.length).toBe(2);
    expect(FakeHls.all[0]?.isDestroyed).toBe(true);
    expect(pictures).toEqual(['loading', 'playing', 'stalled', 'loading']);
    video.dispatchEvent(new Event('playing'));
    expect(pictures[pictures.length - 1]).toBe('playing');
  });

  it('keeps its last frame while the stream itself stands', async () => {
    await playing();
    list = () => '#EXTM3U\nthe same';
    await run(120_000);
    expect(FakeHls.all).toHaveLength(1);
    expect(pictures).toEqual(['loading', 'playing', 'stalled']);
  });

  it('is repaired twice where its media failed, and told to load each time', async () => {
    await playing();
    for (const times of [1, 2]) {
      last().fails('mediaError');
      expect(last().recoverMediaError).toHaveBeenCalledTimes(times);
      expect(last().startLoad).toHaveBeenCalledTimes(times);
      // The repair takes the frame away.
      expect(pictures[pictures.length - 1]).toBe('loading');
      video.dispatchEvent(new Event('playing'));
      await plays(1_000);
    }
    last().fails('mediaError');
    expect(FakeHls.all[0]?.isDestroyed).toBe(true);
    await run(1_100);
    expect(FakeHls.all).toHaveLength(2);
  });

  it('is opened anew as before where no frame was shown yet', async () => {
    make();
    await run(0);
    last().fails('networkError');
    expect(last().isDestroyed).toBe(true);
    await run(999);
    expect(FakeHls.all).toHaveLength(1);
    window.dispatchEvent(new Event('online'));
    await run(0);
    expect(FakeHls.all).toHaveLength(2);
    // And not once more by the wait that was cut short.
    await run(3_000);
    expect(FakeHls.all).toHaveLength(2);
  });
});

describe('hls.js that does not come', () => {
  it('is asked for again like everything else, and at once when the network is back', async () => {
    hlsjs.load.mockRejectedValue(new TypeError('Failed to fetch dynamically imported module'));
    make();
    await run(0);
    expect(hlsjs.load).toHaveBeenCalledTimes(1);
    await run(1_000);
    expect(hlsjs.load).toHaveBeenCalledTimes(2);
    await run(30_000);
    expect(hlsjs.load.mock.calls.length).toBeGreaterThan(6);
    hlsjs.load.mockImplementation(async () => FakeHls);
    window.dispatchEvent(new Event('online'));
    await run(0);
    expect(FakeHls.all).toHaveLength(1);
    video.dispatchEvent(new Event('playing'));
    expect(pictures).toEqual(['loading', 'playing']);
  });

  it('is asked for no more when the player is stopped', async () => {
    hlsjs.load.mockRejectedValue(new TypeError('Failed to fetch dynamically imported module'));
    make();
    player.stop();
    await run(30_000);
    expect(hlsjs.load).toHaveBeenCalledTimes(1);
  });
});

describe('a player that is no longer wanted', () => {
  it('hears nothing more and asks nothing more', async () => {
    await playing();
    list = () => null;
    last().fails('networkError');
    await run(10_000);
    player.destroy();
    const [askedBefore, opened] = [asked, FakeHls.all.length];
    player.start();
    player.stop();
    const known = pictures.length;
    window.dispatchEvent(new Event('online'));
    video.dispatchEvent(new Event('playing'));
    video.dispatchEvent(new Event('emptied'));
    await run(60_000);
    expect(asked).toBe(askedBefore);
    expect(FakeHls.all.length).toBe(opened);
    expect(pictures.length).toBe(known);
  });

  it('takes its listener from the window', () => {
    const listen = vi.spyOn(window, 'addEventListener');
    make();
    const [, , options] = listen.mock.calls.find(([name]) => name === 'online') ?? [];
    const { signal } = options as { signal: AbortSignal };
    expect(signal.aborted).toBe(false);
    player.destroy();
    expect(signal.aborted).toBe(true);
    listen.mockRestore();
  });
});

describe('the player of WebKit', () => {
  beforeEach(() => {
    Object.assign(video, { getStartDate: () => new Date(0), canPlayType: () => 'maybe' });
  });

  it('keeps its last frame through an error until lists grow again, then opens the stream anew', async () => {
    await playing();
    expect(hlsjs.load).not.toHaveBeenCalled();
    const emptied = vi.fn();
    video.addEventListener('emptied', emptied);
    list = () => null;
    video.dispatchEvent(new Event('error'));
    await run(60_000);
    expect(emptied).not.toHaveBeenCalled();
    expect(video.getAttribute('src')).toBe('/live/stream.m3u8');
    expect(pictures).toEqual(['loading', 'playing', 'stalled']);
    list = growing;
    window.dispatchEvent(new Event('online'));
    await run(3_000);
    expect(emptied).toHaveBeenCalledTimes(1);
    expect(video.getAttribute('src')).toBe('/live/stream.m3u8');
    video.dispatchEvent(new Event('playing'));
    expect(pictures).toEqual(['loading', 'playing', 'stalled', 'loading', 'playing']);
    expect(hlsjs.load).not.toHaveBeenCalled();
  });

  it('mends itself unhurt', async () => {
    await playing();
    list = () => null;
    await run(20_000);
    list = growing;
    await plays(10_000);
    expect(pictures).toEqual(['loading', 'playing', 'stalled', 'playing']);
  });

  it('is left for hls.js where it shows nothing three times', async () => {
    make();
    for (let i = 0; i < 3; i += 1) {
      video.dispatchEvent(new Event('error'));
      await run(5_000);
    }
    expect(FakeHls.all).toHaveLength(1);
  });
});
