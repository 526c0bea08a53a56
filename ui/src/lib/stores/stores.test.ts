import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DestinationView, StudioEvent, StudioView } from '$lib/ipc/bindings';
import { asUiError, isPictureAddress, type Client } from '$lib/ipc/client';
import { FakeStudio, sampleView } from '$lib/ipc/fake';
import { found, neighbour, stockShare } from './bag';
import { bitrate, clockTime, longTime, machineShare, price, shortTime, timeLeft, totalSum } from './format';
import { linkState } from './link';
import { Loudness, meterShare, micWord } from './loudness';
import { NOTICE_MS, Notices } from './notices.svelte';
import { chosen } from './orders';
import { reduce } from './reduce';
import { isStale, STALE_MS, StudioStore } from './studio.svelte';

const money = (text: string, short: string) => ({ amount: '0', currency: 'CNY', text, short });

describe('reduce', () => {
  const view = sampleView('live');

  it('replaces exactly the section that came', () => {
    const others = sampleView('idle');
    const events: StudioEvent[] = [
      { section: 'show', value: others.show },
      { section: 'bag', value: [] },
      { section: 'orders', value: others.orders },
      { section: 'coupons', value: [] },
      { section: 'stats', value: others.stats },
      { section: 'destinations', value: [] },
      { section: 'settings', value: others.settings },
      { section: 'health', value: [] },
    ];
    for (const event of events) {
      const next = reduce(view, event);
      for (const section of Object.keys(view) as (keyof StudioView)[]) {
        expect(next[section], `${event.section} → ${section}`).toBe(section === event.section ? event.value : view[section]);
      }
    }
  });

  it('is not troubled by a section of a newer program', () => {
    expect(reduce(view, { section: 'horoscope', value: [] } as unknown as StudioEvent)).toBe(view);
  });
});

describe('store', () => {
  function slow() {
    const fake = new FakeStudio(sampleView('live'));
    let answer: (view: StudioView) => void = () => {};
    const client: Client = { ...fake.client, snapshot: () => new Promise((done) => (answer = done)) };
    return { fake, client, answer: (view: StudioView) => answer(view) };
  }

  it('applies what changed while the snapshot was on its way after it', async () => {
    const { fake, client, answer } = slow();
    const old = fake.view;
    const store = new StudioStore(client);
    const opened = store.open();
    await Promise.resolve();
    await Promise.resolve();
    fake.send({ section: 'show', value: { ...old.show, title: 'new' } });
    expect(store.view).toBeNull();
    answer(old);
    await opened;
    expect(store.phase).toBe('ready');
    expect(store.view?.show.title).toBe('new');
  });

  it('says why it did not open, and opens at the next try', async () => {
    const fake = new FakeStudio(sampleView('live'));
    fake.refusals.set('snapshot', { code: 'engine_down', params: {}, retryable: true });
    const store = new StudioStore(fake.client);
    await store.open();
    expect([store.phase, store.error?.code]).toEqual(['failed', 'engine_down']);
    await store.open();
    expect(store.phase).toBe('ready');
    // Opened twice, it still hears everything once.
    fake.send({ section: 'stats', value: { ...fake.view.stats, kbps: 7 } });
    expect(store.trend).toEqual([7]);
  });

  it('hears nothing after it was closed', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const store = new StudioStore(fake.client);
    await store.open();
    store.close();
    fake.send({ section: 'bag', value: [] });
    expect(store.view?.bag.length).toBe(9);
  });

  it('knows figures that stand still from a process that never spoke', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const store = new StudioStore(fake.client);
    await store.open();
    expect(isStale(store.heardAtMs, Date.now() + STALE_MS * 10)).toBe(false);
    fake.send({ section: 'stats', value: fake.view.stats });
    expect(isStale(store.heardAtMs, Date.now())).toBe(false);
    expect(isStale(store.heardAtMs, Date.now() + STALE_MS + 1000)).toBe(true);
    fake.send({ section: 'show', value: { ...fake.view.show, state: 'opening' } });
    expect(store.heardAtMs).toBeNull();
  });

  it('keeps two minutes of bitrate', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const store = new StudioStore(fake.client);
    await store.open();
    for (let i = 0; i < 130; i++) fake.send({ section: 'stats', value: { ...fake.view.stats, kbps: i } });
    expect([store.trend.length, store.trend[0], store.trend.at(-1)]).toEqual([120, 10, 129]);
  });
});

describe('notices', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('say one thing once, are few, and leave', () => {
    const notices = new Notices();
    for (const code of ['a', 'b', 'a', 'c', 'd']) notices.push({ code, params: {}, retryable: false });
    expect(notices.list.map((n) => n.error.code)).toEqual(['a', 'c', 'd']);
    vi.advanceTimersByTime(NOTICE_MS);
    expect(notices.list).toEqual([]);
  });

  it('take whatever is thrown', () => {
    expect(asUiError('no such command').code).toBe('internal');
    expect(asUiError(new Error('x')).params['detail']).toBe('x');
    expect(asUiError({ code: 'not_live' })).toEqual({ code: 'not_live', params: {}, retryable: false });
    expect(asUiError(null).code).toBe('internal');
  });
});

describe('figures', () => {
  it('read as people read them, and are a dash when unknown', () => {
    expect(longTime(4_368_000)).toBe('01:12:48');
    expect(shortTime(252_999)).toBe('04:12');
    expect(shortTime(3_600_000)).toBe('01:00:00');
    expect(longTime(-5)).toBe('00:00:00');
    expect(totalSum(money('¥2188499.90', '2188499.90'))).toBe('¥2,188,499');
    expect(price(money('¥68.50', '68.50'))).toBe('¥68.50');
    expect(price(money('$68.50', '68.50'))).toBe('$68.50');
    expect(machineShare(1.84, 4)).toBe('46%');
    expect(machineShare(9, 4)).toBe('100%');
    expect([bitrate(4000), bitrate(640), bitrate(0)]).toEqual(['4.0 Mbps', '640 kbps', '—']);
    for (const gone of [null, undefined, Number.NaN]) {
      expect([clockTime(gone), longTime(gone), shortTime(gone), bitrate(gone), machineShare(gone, 4)]).toEqual(['—', '—', '—', '—', '—']);
    }
  });

  it('count down to zero only at the end', () => {
    expect(timeLeft(156_000, 0)).toBe('02:36');
    expect(timeLeft(1_000, 999)).toBe('00:01');
    expect(timeLeft(1_000, 1_000)).toBe('00:00');
    expect(timeLeft(1_000, 9_000)).toBe('00:00');
    expect(timeLeft(null, 0)).toBe('—');
  });
});

describe('words of the strip', () => {
  const d = (state: DestinationView['state'], behindMs = 0, enabled = true): DestinationView => ({ id: state, preset: 'custom', name: state, host: '', keyHint: '', oneShow: false, keyGone: false, enabled, state, behindMs, notes: [], lastStep: null });

  it('let the worst destination decide', () => {
    const word = (list: DestinationView[], state: 'live' | 'ready' = 'live', stale = false) => linkState({ state, liveSinceMs: null }, list, 100, stale).word;
    expect(word([d('publishing')])).toBe('good');
    expect(word([])).toBe('good');
    expect(word([d('publishing', 2_000), d('connecting')])).toBe('slow');
    expect(word([d('connecting'), d('publishing')])).toBe('connecting');
    expect(word([d('publishing', 9_000), d('reconnecting')])).toBe('lost');
    expect(word([d('refused'), d('publishing')])).toBe('lost');
    expect(word([d('refused', 0, false), d('publishing')])).toBe('good');
    expect(word([d('publishing')], 'ready')).toBe('none');
    expect(word([d('publishing')], 'live', true)).toBe('lost');
    const lowered = (percent: number) => linkState({ state: 'live', liveSinceMs: 1 }, [d('publishing')], percent, false);
    expect([lowered(89).word, lowered(89).why, lowered(90).word]).toEqual(['slow', 'lowered', 'good']);
    expect(linkState({ state: 'live', liveSinceMs: 1 }, [], 50, false).word).toBe('good');
    expect(linkState({ state: 'opening', liveSinceMs: 1 }, [d('publishing')], 100, false)).toMatchObject({ word: 'lost', why: 'interrupted' });
  });

  it('judge a voice by its loudest moment, so that a pause is not quiet', () => {
    const heard = new Loudness();
    const show = { muted: false, mic: 'm', state: 'live' } as const;
    expect(micWord(show, heard.loudest(0))).toBe('unknown');
    heard.take({ peakDb: -14, rmsDb: -20 }, 0);
    heard.take({ peakDb: -70, rmsDb: -80 }, 2_000);
    expect(micWord(show, heard.loudest(2_000))).toBe('good');
    expect(micWord(show, heard.loudest(4_000))).toBe('quiet');
    heard.take({ peakDb: -0.5, rmsDb: -6 }, 4_100);
    expect(micWord(show, heard.loudest(4_100))).toBe('loud');
    expect(micWord({ ...show, muted: true }, heard.loudest(4_100))).toBe('muted');
    expect(micWord({ ...show, mic: '' }, null)).toBe('none');
    // Silence is no number on the wire.
    heard.take({ peakDb: null as unknown as number, rmsDb: -100 }, 9_000);
    expect(micWord(show, heard.loudest(9_000))).toBe('quiet');
  });

  it('keep the meter between its ends and rising', () => {
    const shares = [null, -100, -60, -48, -36, -20, -6, -3, 0, 6].map(meterShare);
    expect(shares[0]).toBe(0);
    expect(shares.at(-1)).toBe(1);
    for (let i = 1; i < shares.length; i++) expect(shares[i]).toBeGreaterThanOrEqual(shares[i - 1] ?? 0);
  });
});

describe('bag', () => {
  const { bag } = sampleView('live');

  it('steps over what is sold out, and stops at the ends', () => {
    const only = (...stock: (number | null)[]) => bag.slice(0, stock.length).map((item, i) => ({ ...item, stock: stock[i] ?? null, explainingSinceMs: i === 0 ? 1 : null }));
    expect(neighbour(only(1, 0, 5), 1)?.number).toBe(3);
    expect(neighbour(only(1, 0), 1)).toBeNull();
    expect(neighbour(only(1, 5), -1)).toBeNull();
    const idle = bag.map((item) => ({ ...item, explainingSinceMs: null }));
    expect([neighbour(idle, 1)?.number, neighbour(idle, -1)?.number]).toEqual([1, 9]);
    expect(neighbour([], 1)).toBeNull();
  });

  it('is searched by number or title', () => {
    expect(found(bag, ' 3 ').map((i) => i.number)).toEqual([3]);
    expect(found(bag, '茶').map((i) => i.number)).toEqual([4, 5, 8]);
    expect(found(bag, '')).toBe(bag);
  });

  it('draws a bar that never leaves its track', () => {
    const item = bag[0] as (typeof bag)[0];
    for (const [stock, stockOf, share] of [[30, 60, 0.5], [90, 60, 1], [-2, 60, 0], [5, 0, 1], [null, 60, 0], [4, null, 1]] as const) {
      expect(stockShare({ ...item, stock, stockOf })).toBe(share);
    }
  });
});

describe('orders', () => {
  it('are chosen by kind', () => {
    const { rows } = sampleView('live').orders;
    expect(chosen(rows, 'awaitingPayment').map((r) => r.id)).toEqual(['o4']);
    expect(chosen(rows, 'all').length).toBe(rows.length);
  });
});

describe('addresses of pictures', () => {
  it('are taken only if they are pictures', () => {
    expect(isPictureAddress('picture/local/%E8%8C%B6%2F1?v=v1')).toBe(true);
    for (const bad of ['javascript:alert(1)', 'https://evil.example/a.png', 'picture/a?v=1', 'picture/../frame?v=1&x', 'picture/local/a?v=1&x=2', 'picture/local/../frame', 'picture/a"onerror', '//evil', 'data:image/png;base64,x', '']) {
      expect(isPictureAddress(bad), bad).toBe(false);
    }
  });
});
