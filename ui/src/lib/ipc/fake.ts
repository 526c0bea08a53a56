// A studio inside the page, for working on looks and for tests. Development only: `boot.ts` keeps it out of production.
//
// ?fake=live|idle|opening|empty|trouble|failed  &lang=en  &theme=light  &canvas=landscape  &frozen (no events)

import type {
  ActionView,
  BagItemView,
  CouponView,
  DestinationView,
  MoneyView,
  OrderRowView,
  StudioEvent,
  StudioView,
  UiError,
} from './bindings';
import { isPictureAddress, type Client } from './client';

const yuan = (fen: number): MoneyView => {
  const short = fen % 100 === 0 ? String(fen / 100) : (fen / 100).toFixed(2);
  return { amount: String(fen), currency: 'CNY', text: `¥${(fen / 100).toFixed(2)}`, short };
};

const refuse = (code: string, params: Record<string, string> = {}): UiError => ({ code, params, retryable: false });

type Goods = [title: string, english: string, price: number, old: number, stock: number, of: number];
const GOODS: Goods[] = [
  ['桂花乌龙 100 g', 'Osmanthus oolong', 6800, 8800, 74, 120],
  ['手捏粗陶主人杯', 'Hand-pinched cup', 12800, 16800, 0, 40],
  ['青瓷盖碗三件套', 'Celadon gaiwan set', 26800, 35800, 18, 60],
  ['桑蚕丝茶染方巾', 'Tea-dyed silk scarf', 19900, 25900, 50, 50],
  ['亚麻茶席 雾灰', 'Linen runner, grey', 8900, 11900, 69, 80],
  ['老铁壶 0.8 L', 'Iron kettle 0.8 L', 39800, 49800, 24, 24],
  ['竹节香插', 'Bamboo incense holder', 4900, 6900, 100, 100],
  ['胡桃木茶盘', 'Walnut tea tray', 32900, 42900, 6, 15],
  ['白瓷公道杯', 'White fair cup', 7900, 9900, 60, 60],
];

/** A whole studio as it may stand in the middle of a show. */
export function sampleView(mode = 'live', english = false, now = Date.now()): StudioView {
  const live = mode === 'live' || mode === 'trouble';
  const shop = english ? 'Half Hill Tea' : '半山茶器';
  const bag: BagItemView[] =
    mode === 'empty'
      ? []
      : GOODS.map(([title, en, price, old, stock, of], i) => ({
          number: i + 1,
          productId: `p${i + 1}`,
          title: english ? en : title,
          picture: `picture/p${i + 1}?v=1`,
          price: yuan(price),
          oldPrice: yuan(old),
          stock: live ? stock : of,
          stockOf: of,
          explainingSinceMs: live && i === 2 ? now - 252_000 : null,
          explainedMs: live ? ([960_000, 0, 0, 0, 540_000, 0, 0, 420_000, 0][i] ?? 0) : 0,
          isNext: live ? i === 3 : i === 0,
          pin: live && i === 2 ? (mode === 'trouble' ? { kind: 'failed', code: 'unreachable', intentId: 'i3' } : { kind: 'confirmed', atMs: now - 250_000 }) : null,
        }));
  const line = (n: number, quantity = 1) => {
    const goods = GOODS[n - 1] as Goods;
    return { bagNumber: n, title: english ? goods[1] : goods[0], skuTitle: english ? 'Celadon glaze' : '天青釉', quantity, picture: `picture/p${n}?v=1` };
  };
  const order = (i: number, buyer: string, ago: number, total: number, status: OrderRowView['status'], lines: OrderRowView['lines'], more: Partial<OrderRowView> = {}): OrderRowView => ({
    id: `o${i}`,
    number: `20261124${String(1000 - i)}`,
    connection: shop,
    buyer,
    lines,
    total: yuan(total),
    discount: null,
    status,
    placedAtMs: now - ago * 1000,
    seenAtMs: now - ago * 1000,
    ship: null,
    ...more,
  });
  const off = { discount: yuan(3000) };
  const rows: OrderRowView[] = live
    ? [
        order(1, '林**', 4, 23800, 'toShip', [line(3)], off),
        order(2, 'M***n', 13, 50600, 'toShip', [line(3, 2)], { ...off, ship: { kind: 'sending' } }),
        order(3, '陈**', 28, 30600, 'toShip', [line(3), line(1)], off),
        order(4, '周**', 45, 13600, 'awaitingPayment', [line(1, 2)]),
        order(5, 'w***7', 67, 26800, 'toShip', [line(3)], mode === 'trouble' ? { ship: { kind: 'failed', code: 'unreachable', intentId: 'i5' } } : { ship: { kind: 'checking' } }),
        order(6, '吴**', 94, 29900, 'shipped', [line(8)], { ...off, ship: { kind: 'confirmed', atMs: now - 20_000 } }),
        order(7, '赵**', 139, 12800, 'afterSale', [line(2)]),
        order(8, 'L***y', 165, 8900, 'cancelled', [line(5)]),
        order(9, '何**', 190, 7900, 'delivered', [line(9)]),
      ]
    : [];
  const destinations: DestinationView[] =
    mode === 'empty'
      ? []
      : [
          { id: 'd1', name: english ? 'Channels' : '视频号', host: 'push.channels.example', keyHint: '•••• 3f9a', enabled: true, state: live ? 'publishing' : 'idle', behindMs: 120 },
          { id: 'd2', name: english ? 'Douyin' : '抖音', host: 'push.douyin.example', keyHint: '', enabled: true, state: live ? (mode === 'trouble' ? 'reconnecting' : 'publishing') : 'idle', behindMs: 80 },
          { id: 'd3', name: english ? 'Kuaishou' : '快手', host: 'push.kuaishou.example', keyHint: '••••', enabled: false, state: 'idle', behindMs: 0 },
        ];
  const coupons: CouponView[] = live
    ? [
        { id: 'c1', discount: yuan(3000), threshold: yuan(19900), state: 'active', claimed: 143, quantity: 200, endsAtMs: now + 156_000, failure: null, intentId: null },
        ...(mode === 'trouble' ? [{ id: 'c2', discount: yuan(500), threshold: yuan(0), state: 'failed' as const, claimed: 0, quantity: 50, endsAtMs: null, failure: 'unreachable', intentId: 'i9' }] : []),
        { id: 'c3', discount: yuan(1000), threshold: yuan(0), state: 'ended', claimed: 80, quantity: 100, endsAtMs: now - 900_000, failure: null, intentId: null },
      ]
    : [];
  return {
    show: {
      state: live ? 'live' : mode === 'opening' ? 'opening' : 'ready',
      title: english ? 'Autumn tea ware night' : '秋日茶器专场',
      shopName: shop,
      liveSinceMs: live ? now - 4_368_000 : null,
      camera: mode === 'opening' ? '' : mode === 'empty' ? (english ? 'Demo' : '演示画面') : 'Logi C920',
      mic: mode === 'opening' ? '' : english ? 'Lapel mic' : '领夹麦',
      demo: mode === 'empty',
      muted: mode === 'trouble',
      canvasWidth: 720,
      canvasHeight: 1280,
      recording: live ? '20261124-190115.mp4' : null,
      recordingSinceMs: live ? now - 4_368_000 : null,
      viewerUrl: mode === 'opening' ? null : 'http://127.0.0.1:43117/',
      orderCount: live ? 128 : 0,
      turnover: yuan(live ? 2_188_400 : 0),
    },
    bag,
    orders: {
      rows,
      total: live ? 128 : 0,
      awaitingPayment: live ? 6 : 0,
      toShip: live ? 97 : 0,
      afterSale: live ? 2 : 0,
      seal: mode === 'opening' ? { kind: 'unknown' } : mode === 'trouble' ? { kind: 'behind', upToMs: now - 43_000, connection: shop } : { kind: 'complete', upToMs: now - 2_000 },
    },
    coupons,
    stats: { fps: mode === 'opening' ? 0 : 30, kbps: live ? 4000 : 0, lagged: 0, skipped: live ? 2 : 0, dropped: mode === 'trouble' ? 314 : 0, cpu: 1.84, cores: 4, diskMinutes: live ? 214 : 286, programDelayMs: 50 },
    destinations,
    settings: { language: english ? 'en' : 'zh-CN', theme: 'dark', record: live, keyProtector: 'file' },
    health:
      mode === 'trouble'
        ? [
            { code: 'destination_lost', params: { host: 'push.douyin.example' }, atMs: now - 9_000, level: 'bad' },
            { code: 'mic_lost', params: { device: 'USB Audio' }, atMs: now - 20_000, level: 'bad' },
            { code: 'disk_low', params: { minutes: '12' }, atMs: now - 30_000, level: 'warn' },
            { code: 'camera_back', params: { device: 'Logi C920' }, atMs: now - 40_000, level: 'good' },
          ]
        : [],
  };
}

/** A studio that answers as the real one does, with its own small delays. */
export class FakeStudio {
  view: StudioView;
  /** What was asked, for tests. */
  readonly asked: { command: string; args: unknown[] }[] = [];
  /** The next command with this name is refused. */
  readonly refusals = new Map<string, UiError>();
  /** Time until a platform confirms, ms. */
  delay = 700;
  #listeners = new Set<(event: StudioEvent) => void>();
  #closing = new Set<() => void>();
  #intents = 0;

  constructor(view: StudioView) {
    this.view = view;
  }

  /** Sends a change to every listener, as the program does. */
  send(event: StudioEvent): void {
    if (event.section !== 'levels') this.view = { ...this.view, [event.section]: event.value } as StudioView;
    this.#listeners.forEach((take) => take(event));
  }

  /** The host presses the window's close button. */
  pressClose(): void {
    this.#closing.forEach((take) => take());
  }

  get client(): Client {
    const ask = async <T>(command: string, args: unknown[], work: () => T): Promise<T> => {
      this.asked.push({ command, args });
      const refusal = this.refusals.get(command);
      if (refusal) {
        this.refusals.delete(command);
        throw refusal;
      }
      return work();
    };
    return {
      snapshot: () => ask('snapshot', [], () => this.view),
      listen: async (take) => {
        this.#listeners.add(take);
        return () => this.#listeners.delete(take);
      },
      frame: async (after, signal) => {
        await new Promise((done) => setTimeout(done, 66));
        if (signal.aborted || this.view.show.state === 'opening') return null;
        return { seq: after + 1, jpeg: await picture(after + 1, this.view) };
      },
      pictureUrl: (address) => (isPictureAddress(address) ? thumbnail(address) : null),
      pinProduct: (number) => ask('pin_product', [number], () => this.#pin(number)),
      unpinProduct: () => ask('unpin_product', [], () => this.#pin(null)),
      goLive: () => ask('go_live', [], () => this.#goLive()),
      endShow: () => ask('end_show', [], () => this.#endShow()),
      setMuted: (muted) => ask('set_muted', [muted], () => this.#show({ muted })),
      startRecording: () => ask('start_recording', [], () => this.#show({ recording: 'a.mp4', recordingSinceMs: Date.now() })),
      stopRecording: () => ask('stop_recording', [], () => this.#show({ recording: null, recordingSinceMs: null })),
      issueCoupon: (form) =>
        ask('issue_coupon', [form], () => {
          const amount = (field: string, text: string) => {
            if (!/^\d+(\.\d{1,2})?$/.test(text)) throw refuse('invalid', { field, rule: 'format' });
            return yuan(Math.round(Number(text) * 100));
          };
          const discount = amount('discount', form.discount);
          const threshold = form.threshold === '' ? yuan(0) : amount('threshold', form.threshold);
          if (form.quantity < 1 || form.quantity > 100_000) throw refuse('invalid', { field: 'quantity', rule: 'range' });
          if (form.validS < 30 || form.validS > 86_400) throw refuse('invalid', { field: 'valid_s', rule: 'range' });
          const coupon: CouponView = { id: `n${this.#intents++}`, discount, threshold, state: 'sending', claimed: 0, quantity: form.quantity, endsAtMs: null, failure: null, intentId: null };
          this.send({ section: 'coupons', value: [coupon, ...this.view.coupons] });
          setTimeout(() => this.send({ section: 'coupons', value: this.view.coupons.map((c) => (c.id === coupon.id ? { ...c, state: 'active', endsAtMs: Date.now() + form.validS * 1000 } : c)) }), this.delay);
        }),
      shipOrder: (orderId, carrier, tracking) =>
        ask('ship_order', [orderId, carrier, tracking], () => {
          if (carrier.trim() === '') throw refuse('invalid', { field: 'carrier', rule: 'empty' });
          if (tracking.trim() === '') throw refuse('invalid', { field: 'tracking', rule: 'empty' });
          this.#order(orderId, { ship: { kind: 'sending' } });
          setTimeout(() => this.#order(orderId, { ship: { kind: 'confirmed', atMs: Date.now() }, status: 'shipped' }), this.delay);
        }),
      retryIntent: (intentId) =>
        ask('retry_intent', [intentId], () => {
          this.#settle(intentId, { kind: 'sending' });
          setTimeout(() => this.#settle(intentId, { kind: 'confirmed', atMs: Date.now() }), this.delay);
        }),
      discardIntent: (intentId) => ask('discard_intent', [intentId], () => this.#settle(intentId, null)),
      saveDestination: (form) =>
        ask('save_destination', [form], () => {
          if (form.name === '') throw refuse('invalid', { field: 'name', rule: 'empty' });
          if (!/^rtmps?:\/\/[^/]+\/.+/.test(form.url)) throw refuse('bad_url', { detail: '' });
          const old = this.view.destinations.find((d) => d.id === form.id);
          const saved: DestinationView = {
            id: form.id ?? `n${this.#intents++}`,
            name: form.name,
            host: new URL(form.url.replace(/^rtmps?/, 'http')).hostname,
            keyHint: form.key === null ? (old?.keyHint ?? '') : form.key === '' ? '' : '••••',
            enabled: form.enabled,
            state: 'idle',
            behindMs: 0,
          };
          this.send({ section: 'destinations', value: old ? this.view.destinations.map((d) => (d.id === saved.id ? saved : d)) : [...this.view.destinations, saved] });
          return saved;
        }),
      removeDestination: (id) => ask('remove_destination', [id], () => this.send({ section: 'destinations', value: this.view.destinations.filter((d) => d.id !== id) })),
      enableDestination: (id, enabled) => ask('enable_destination', [id, enabled], () => this.send({ section: 'destinations', value: this.view.destinations.map((d) => (d.id === id ? { ...d, enabled } : d)) })),
      listDevices: () =>
        ask('list_devices', [], () => ({
          cameras: [
            { id: 'v0', name: 'Logi C920', modes: ['1280x720 30 NV12'] },
            { id: 'v1', name: 'Integrated Camera', modes: ['640x480 30 YUYV'] },
          ],
          microphones: [{ id: 'm0', name: this.view.show.mic || 'USB Audio', modes: [] }],
        })),
      chooseCamera: (source) => ask('choose_camera', [source], () => this.#show({ demo: source.kind === 'demo', camera: source.kind === 'file' ? source.path : source.kind === 'device' && source.id === 'v1' ? 'Integrated Camera' : source.kind === 'demo' ? 'Demo' : 'Logi C920' })),
      chooseMic: (source) => ask('choose_mic', [source], () => this.#show({ mic: source.kind === 'none' ? '' : 'USB Audio' })),
      setLanguage: (language) => ask('set_language', [language], () => this.send({ section: 'settings', value: { ...this.view.settings, language } })),
      setTheme: (theme) => ask('set_theme', [theme], () => this.send({ section: 'settings', value: { ...this.view.settings, theme } })),
      setRecording: (record) => ask('set_recording', [record], () => this.send({ section: 'settings', value: { ...this.view.settings, record } })),
      openOrdersWindow: () => ask('open_orders_window', [], () => undefined),
      listenClosing: async (take) => {
        this.#closing.add(take);
        return () => this.#closing.delete(take);
      },
      closeWindow: () => ask('close_window', [], () => undefined),
    };
  }

  #show(change: Partial<StudioView['show']>): void {
    this.send({ section: 'show', value: { ...this.view.show, ...change } });
  }

  #order(id: string, change: Partial<OrderRowView>): void {
    const { orders } = this.view;
    this.send({ section: 'orders', value: { ...orders, rows: orders.rows.map((row) => (row.id === id ? { ...row, ...change } : row)) } });
  }

  #settle(intentId: string, action: ActionView | null): void {
    const known = this.#failed;
    const of = (a: ActionView | null, key: string) => (a?.kind === 'failed' && a.intentId === intentId ? (known.set(key, intentId), action) : known.get(key) === intentId ? action : a);
    this.send({ section: 'bag', value: this.view.bag.map((item) => ({ ...item, pin: of(item.pin, `b${item.number}`) })) });
    this.send({ section: 'orders', value: { ...this.view.orders, rows: this.view.orders.rows.map((row) => ({ ...row, ship: of(row.ship, row.id) })) } });
  }
  #failed = new Map<string, string>();

  #pin(number: number | null): void {
    if (number !== null && !this.view.bag.some((i) => i.number === number)) throw refuse('not_found');
    const now = Date.now();
    const set = (action: ActionView) => {
      const after = number ?? 0;
      this.send({
        section: 'bag',
        value: this.view.bag.map((item) => {
          const closed = item.explainingSinceMs === null ? item : { ...item, explainedMs: (item.explainedMs ?? 0) + (now - item.explainingSinceMs), explainingSinceMs: null, pin: null };
          const isNext = item.number === after + 1;
          return item.number === number ? { ...item, explainingSinceMs: item.explainingSinceMs ?? now, isNext: false, pin: action } : { ...closed, isNext };
        }),
      });
    };
    set({ kind: 'sending' });
    if (number !== null) {
      setTimeout(() => {
        const item = this.view.bag.find((i) => i.number === number);
        if (item?.explainingSinceMs === now) set({ kind: 'confirmed', atMs: Date.now() });
      }, this.delay);
    }
  }

  #goLive(): void {
    if (this.view.show.state === 'live') throw refuse('already_live');
    this.#show({ state: 'starting' });
    setTimeout(() => {
      this.#show({ state: 'live', liveSinceMs: Date.now(), ...(this.view.settings.record ? { recording: 'a.mp4', recordingSinceMs: Date.now() } : {}) });
      this.send({ section: 'destinations', value: this.view.destinations.map((d) => ({ ...d, state: d.enabled ? 'publishing' : 'idle' })) });
    }, this.delay);
  }

  #endShow(): void {
    this.#show({ state: 'ending' });
    setTimeout(() => {
      this.#show({ state: 'ready', liveSinceMs: null, recording: null, recordingSinceMs: null });
      this.send({ section: 'destinations', value: this.view.destinations.map((d) => ({ ...d, state: 'idle' })) });
    }, this.delay);
  }
}

/** Something to look at where a camera would be. */
async function picture(seq: number, view: StudioView): Promise<Blob> {
  const [width, height] = [view.show.canvasWidth / 2, view.show.canvasHeight / 2];
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const p = canvas.getContext('2d');
  if (p) {
    const wall = p.createLinearGradient(0, 0, width, height);
    wall.addColorStop(0, '#D8BE95');
    wall.addColorStop(1, '#8B6747');
    p.fillStyle = wall;
    p.fillRect(0, 0, width, height);
    p.fillStyle = '#F7E7C4';
    p.beginPath();
    p.arc(width * 0.6, height * 0.3, Math.min(width, height) * 0.3, 0, 7);
    p.fill();
    p.fillStyle = '#7A5233';
    p.fillRect(0, height * 0.74, width, height);
    p.fillStyle = '#A0C6B2';
    p.beginPath();
    p.ellipse(width * 0.5 + Math.sin(seq / 8) * 12, height * 0.6, 60, 44, 0, 0, 7);
    p.fill();
  }
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error('no picture'))), 'image/jpeg', 0.8));
}

function thumbnail(address: string): string {
  const n = Number(/p(\d+)/.exec(address)?.[1] ?? 1);
  const hue = (n * 67) % 360;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" fill="#E6E0D0"/><ellipse cx="32" cy="52" rx="20" ry="4" fill="#9a8f78" opacity=".5"/><path d="M14 24h36c0 16-7 26-18 26S14 40 14 24z" fill="hsl(${hue} 28% 56%)"/><ellipse cx="32" cy="24" rx="18" ry="5" fill="hsl(${hue} 26% 46%)"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** The client that `?fake` gives a page in a plain browser. */
export function fakeClient(query: URLSearchParams): Client {
  const mode = query.get('fake') || 'live';
  const view = sampleView(mode, query.get('lang') === 'en');
  view.settings.theme = query.get('theme') ?? 'dark';
  if (query.get('canvas') === 'landscape') Object.assign(view.show, { canvasWidth: 1280, canvasHeight: 720 });
  const fake = new FakeStudio(view);
  if (mode === 'failed') fake.refusals.set('snapshot', refuse('engine_down', { detail: '' }));
  if (!query.has('frozen') && mode !== 'opening') {
    let second = 0;
    setInterval(() => {
      second += 1;
      const { stats, orders } = fake.view;
      const live = fake.view.show.state === 'live';
      fake.send({ section: 'stats', value: { ...stats, kbps: live ? 3900 + Math.round(Math.sin(second / 3) * 180) : 0 } });
      if (orders.seal.kind === 'complete') fake.send({ section: 'orders', value: { ...orders, seal: { kind: 'complete', upToMs: Date.now() - 1000 } } });
    }, 1000);
    setInterval(() => fake.send({ section: 'levels', value: { peakDb: fake.view.show.muted ? -100 : -14 + Math.sin(Date.now() / 300) * 8, rmsDb: -24 } }), 100);
  }
  return fake.client;
}
