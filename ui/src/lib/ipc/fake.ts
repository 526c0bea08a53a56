// A studio inside the page, for working on looks and for tests. Development only: `boot.ts` keeps it out of production.
//
// ?fake=live|idle|ready|opening|empty|trouble|little|many|failed  &lang=en  &theme=light  &canvas=landscape  &frozen (no events)

import type {
  ActionView,
  AfterSaleView,
  BagItemView,
  CandidateView,
  CommentRowView,
  ConnectionView,
  CouponView,
  DestinationView,
  HealthView,
  LinePiecesView,
  MoneyView,
  OrderRowView,
  StudioEvent,
  StudioView,
  UiError,
} from './bindings';
import { neighbour, nextUp } from '../stores/bag';
import { isPictureAddress, type Client } from './client';
import { changed, reading, sampleComments } from './fakeComments';
import { SAMPLE_PRESETS } from './fakePresets';

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

/** What most destinations have in common. */
export const DESTINATION: Pick<DestinationView, 'preset' | 'oneShow' | 'keyGone' | 'notes' | 'lastStep'> = { preset: 'custom', oneShow: false, keyGone: false, notes: [], lastStep: null };
/** A change of price as it may stand. */
function sampleChange(mode: string, i: number, now: number): BagItemView['change'] {
  const of = (price: number | null, before: number, stockBy: number, action: ActionView, atOtherPrice = 0) => ({ skuId: `s${i + 1}`, price: price === null ? null : yuan(price), priceBefore: yuan(before), stockBy, action, atOtherPrice, atNewPrice: 0 });
  if (i === 2) return of(26800, 29800, 0, { kind: 'confirmed', atMs: now - 12_000 }, 2);
  if (i === 4 && mode === 'trouble') return of(7900, 8900, 0, { kind: 'sending' });
  if (i === 7 && mode === 'trouble') return of(null, 32900, -9, { kind: 'failed', code: 'stock_promised', params: { reserved: '4', stock: '6', number: '8' }, intentId: 'i7' });
  return null;
}

const NATIVE = { kind: 'native' as const };

/** What another studio's shop can do, and where it is. */
export const FAR: ConnectionView = { id: 'far', name: '', address: 'http://192.168.1.20:8080', isOwn: false, state: { kind: 'answers' }, pin: NATIVE, issueCoupon: NATIVE, withdrawCoupon: NATIVE, changeOffer: NATIVE, ship: NATIVE, answerAfterSale: NATIVE, comments: NATIVE, hideComment: NATIVE };

/** The shops; with `many`, those of three laptops. */
function sampleShops(name: string, mode: string, english: boolean): ConnectionView[] {
  const own = sampleShop(name, mode);
  if (mode !== 'many') return [own];
  return [own, { ...FAR, name: english ? 'Downstairs studio' : '楼下工作室' }, { ...FAR, id: 'away', name: english ? 'Night market' : '夜市摊', address: 'http://192.168.1.31:8080', state: { kind: 'silent', code: 'unreachable' } }];
}

/** A shop; with `little`, one that can hardly do anything by itself. */
function sampleShop(name: string, mode: string): ConnectionView {
  const native = { kind: 'native' as const };
  const none = { kind: 'unavailable' as const, reason: 'no_call' };
  const place = { address: 'http://127.0.0.1:43117', isOwn: true, state: { kind: 'answers' as const } };
  if (mode === 'little') return { id: 'local', name, ...place, pin: { kind: 'overlayOnly', press: 'explain' }, issueCoupon: none, withdrawCoupon: none, changeOffer: none, ship: { kind: 'overlayOnly', press: 'ship' }, answerAfterSale: { kind: 'overlayOnly', press: 'answer' }, comments: { kind: 'unavailable', reason: 'no_comments' }, hideComment: none };
  return { id: 'local', name, ...place, pin: native, issueCoupon: native, withdrawCoupon: native, changeOffer: native, ship: native, answerAfterSale: native, comments: native, hideComment: native };
}

/** What goes wrong: with `trouble` a lot, with `died` and `opening` there is no media process. */
function sampleHealth(mode: string, now: number): HealthView[] {
  const away = (reason: string): HealthView[] => [{ subject: 'engine', code: 'engine_away', params: { reason }, atMs: now - 2_000, level: 'bad' }];
  if (mode === 'died') return away('died');
  if (mode === 'opening') return away('version');
  if (mode !== 'trouble') return [];
  return [
    { subject: 'link:d2', code: 'destination_lost', params: { host: 'push.douyin.example' }, atMs: now - 9_000, level: 'bad' },
    { subject: 'camera', code: 'sources_spared', params: { device: 'Logi C920' }, atMs: now - 20_000, level: 'bad' },
    { subject: 'rate', code: 'picture_lowered', params: { host: 'push.channels.example', percent: '64' }, atMs: now - 15_000, level: 'warn' },
    { subject: 'recording_speed', code: 'recording_behind', params: { path: 'a.mp4' }, atMs: now - 30_000, level: 'warn' },
    { subject: 'awake', code: 'not_kept_awake', params: {}, atMs: now - 31_000, level: 'warn' },
  ];
}

/** A whole studio as it may stand in the middle of a show. */
export function sampleView(mode = 'live', english = false, now = Date.now()): StudioView {
  const live = mode === 'live' || mode === 'trouble' || mode === 'little' || mode === 'many' || mode === 'died';
  const shop = english ? 'Half Hill Tea' : '半山茶器';
  const bag: BagItemView[] =
    mode === 'empty'
      ? []
      : GOODS.map(([title, en, price, old, stock, of], i) => ({
          number: i + 1,
          connectionId: mode === 'many' && i % 3 === 1 ? 'far' : 'local',
          productId: `p${i + 1}`,
          title: english ? en : title,
          picture: `picture/local/p${i + 1}?v=1`,
          price: yuan(price),
          oldPrice: yuan(old),
          stock: live ? stock : of,
          stockOf: of,
          explainingSinceMs: live && i === 2 ? now - 252_000 : null,
          explainedMs: live ? ([960_000, 0, 0, 0, 540_000, 0, 0, 420_000, 0][i] ?? 0) : 0,
          isNext: live ? i === 3 : i === 0,
          pin: live && mode !== 'little' && i === 2 ? (mode === 'trouble' ? { kind: 'failed', code: 'unreachable', params: {}, intentId: 'i3' } : { kind: 'confirmed', atMs: now - 250_000 }) : null,
          skus: [{ id: `s${i + 1}`, title: '', price: yuan(price), stock: live ? stock : of }],
          change: live && mode !== 'little' ? sampleChange(mode, i, now) : null,
        }));
  const line = (n: number, quantity = 1) => {
    const goods = GOODS[n - 1] as Goods;
    return { bagNumber: n, title: english ? goods[1] : goods[0], skuTitle: english ? 'Celadon glaze' : '天青釉', quantity, left: quantity, picture: `picture/local/p${n}?v=1` };
  };
  const order = (i: number, buyer: string, ago: number, total: number, status: OrderRowView['status'], lines: OrderRowView['lines'], more: Partial<OrderRowView> = {}): OrderRowView => ({
    id: `o${i}`,
    number: `20261124${String(1000 - i)}`,
    connectionId: 'local',
    connection: shop,
    buyer,
    purged: false,
    lines,
    total: yuan(total),
    discount: null,
    status,
    placedAtMs: now - ago * 1000,
    seenAtMs: now - ago * 1000,
    ship: null,
    parcels: [],
    afterSales: [],
    ...more,
  });
  const asked = (more: Partial<AfterSaleView>): AfterSaleView => ({ id: 'as1', kind: 'refundOnly', state: 'requested', rawState: 'requested', line: null, quantity: 0, amount: yuan(26800), reason: english ? 'The rim is chipped' : '杯口有裂纹', answer: '', deadlineMs: null, action: null, ...more });
  const off = { discount: yuan(3000) };
  const rows: OrderRowView[] = live
    ? [
        order(1, '林**', 4, 23800, 'toShip', [line(3)], off),
        order(2, 'M***n', 13, 50600, 'toShip', [line(3, 2)], { ...off, ship: { kind: 'sending' } }),
        order(3, '陈**', 28, 30600, 'toShip', [line(3), line(1)], off),
        order(4, '周**', 45, 13600, 'awaitingPayment', [line(1, 2)]),
        order(5, 'w***7', 67, 26800, 'toShip', [line(3)], mode === 'trouble' ? { ship: { kind: 'failed', code: 'unreachable', params: {}, intentId: 'i5' } } : { ship: { kind: 'checking' } }),
        order(6, '吴**', 94, 29900, 'shipped', [line(8)], { ...off, ship: { kind: 'confirmed', atMs: now - 20_000 } }),
        order(7, '赵**', 139, 12800, 'afterSale', [line(2)], { afterSales: [asked({ amount: yuan(12800) })] }),
        order(8, 'L***y', 165, 8900, 'cancelled', [line(5)]),
        order(9, '何**', 190, 7900, 'delivered', [line(9)]),
        order(10, '', 200, 6800, 'delivered', [line(1)], { purged: true }),
      ]
    : [];
  if (mode === 'many') rows.splice(1, 0, order(1, '黄**', 9, 15800, 'toShip', [line(5), line(1)], { connectionId: 'far', connection: english ? 'Downstairs studio' : '楼下工作室' }));
  const destinations: DestinationView[] =
    mode === 'empty'
      ? []
      : [
          { ...DESTINATION, id: 'd1', preset: 'wechat_channels', name: english ? 'Channels' : '视频号', host: 'push.channels.example', keyHint: '•••• 3f9a', oneShow: true, enabled: true, state: live ? 'publishing' : 'idle', behindMs: 120 },
          { ...DESTINATION, id: 'd2', name: english ? 'Douyin' : '抖音', host: 'push.douyin.example', keyHint: '••••', enabled: true, state: live ? (mode === 'trouble' ? 'reconnecting' : 'publishing') : 'idle', behindMs: 80 },
          { ...DESTINATION, id: 'd3', name: english ? 'Kuaishou' : '快手', host: 'push.kuaishou.example', keyHint: '••••', enabled: false, state: 'idle', behindMs: 0 },
        ];
  const plain = { failure: null, failureParams: {}, intentId: null, connectionId: 'local' };
  const coupons: CouponView[] = live
    ? [
        { id: 'c1', discount: yuan(3000), threshold: yuan(19900), state: 'active', claimed: 143, quantity: 200, endsAtMs: now + 156_000, ...plain, withdraw: null },
        ...(mode === 'trouble' ? [{ id: 'c4', discount: yuan(2000), threshold: yuan(9900), state: 'active' as const, claimed: 12, quantity: 50, endsAtMs: now + 86_000, ...plain, withdraw: { kind: 'failed' as const, code: 'unreachable', params: {}, intentId: 'i8' } }, { id: 'c2', discount: yuan(500), threshold: yuan(0), state: 'failed' as const, claimed: 0, quantity: 50, endsAtMs: null, failure: 'unreachable', failureParams: {}, intentId: 'i9', connectionId: 'local', withdraw: null }] : []),
        { id: 'c3', discount: yuan(1000), threshold: yuan(0), state: 'ended', claimed: 80, quantity: 100, endsAtMs: now - 900_000, ...plain, withdraw: { kind: 'confirmed', atMs: now - 900_000 } },
      ]
    : [];
  return {
    show: {
      state: mode === 'opening' || mode === 'died' ? 'opening' : live ? 'live' : 'ready',
      title: english ? 'Autumn tea ware night' : '秋日茶器专场',
      shopName: shop,
      liveSinceMs: live ? now - 4_368_000 : null,
      camera: mode === 'opening' ? '' : mode === 'empty' ? (english ? 'Demo' : '演示画面') : 'Logi C920',
      cameraId: null,
      mic: mode === 'opening' ? '' : english ? 'Lapel mic' : '领夹麦',
      micId: null,
      demo: mode === 'empty',
      muted: mode === 'trouble',
      canvasWidth: 720,
      canvasHeight: 1280,
      recording: live ? '20261124-190115.mp4' : null,
      cleanFeed: false,
      recordingSinceMs: live ? now - 4_368_000 : null,
      viewerUrl: mode === 'opening' ? null : 'http://127.0.0.1:43117/',
      orderCount: live ? 128 : 0,
      turnover: yuan(live ? 2_188_400 : 0),
    },
    bag,
    orders: {
      rows,
      next: live ? '0' : null,
      total: live ? 128 : 0,
      awaitingPayment: live ? 6 : 0,
      toShip: live ? 97 : 0,
      afterSale: live ? 2 : 0,
      seal: mode === 'opening' ? { kind: 'unknown' } : mode === 'trouble' || mode === 'many' ? { kind: 'behind', upToMs: now - 43_000, connections: [mode === 'many' ? (english ? 'Night market' : '夜市摊') : shop] } : { kind: 'complete', upToMs: now - 2_000 },
    },
    comments: sampleComments(mode, english, now, shop),
    coupons,
    connections: sampleShops(shop, mode, english),
    stats: { fps: mode === 'opening' ? 0 : 30, kbps: live ? 4000 : 0, lagged: 0, skipped: live ? 2 : 0, dropped: mode === 'trouble' ? 314 : 0, cpu: 1.84, cores: 4, picturePercent: mode === 'trouble' ? 64 : 100, diskMinutes: live ? 214 : 286, programDelayMs: 50 },
    destinations,
    settings: { language: english ? 'en' : 'zh-CN', theme: 'dark', record: live, cleanFeed: false, retentionDays: 90, keyProtector: 'file' },
    health: sampleHealth(mode, now),
  };
}

/** A studio that answers as the real one does, with its own small delays. */
export class FakeStudio {
  view: StudioView;
  /** What was asked, for tests. */
  readonly asked: { command: string; args: unknown[] }[] = [];
  /** The next command with this name is refused. */
  readonly refusals = new Map<string, UiError>();
  /** Products that are not in the bag. */
  outside: CandidateView[] = [];
  /** Orders that are no longer among the newest. */
  older: OrderRowView[];
  /** Comments that are no longer among the newest. */
  olderComments: CommentRowView[];
  /** Rows of a page of a search. */
  pageRows = 100;
  /** Time until a platform confirms, ms. */
  delay = 700;
  #listeners = new Set<(event: StudioEvent) => void>();
  #closing = new Set<() => void>();
  #intents = 0;

  constructor(view: StudioView) {
    this.view = view;
    this.olderComments = view.comments.rows.map((row, i) => ({ ...row, id: `oldm${i}`, atMs: (row.atMs ?? 0) - 86_400_000, hide: null, isHidden: false }));
    this.older = view.orders.rows.map((row, i) => ({ ...row, id: `old${i}`, number: `20260801${String(900 - i)}`, placedAtMs: (row.placedAtMs ?? 0) - 86_400_000 * (i + 1), seenAtMs: 0, status: 'delivered' as const, ship: null, buyer: '', purged: true }));
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
      frame: async (after, _side, signal) => {
        await new Promise((done) => setTimeout(done, 66));
        if (signal.aborted || this.view.show.state === 'opening') return null;
        return { seq: after + 1, jpeg: await picture(after + 1, this.view) };
      },
      pictureUrl: (address) => (isPictureAddress(address) ? thumbnail(address) : null),
      pinProduct: (number) => ask('pin_product', [number], () => this.#pin(number)),
      unpinProduct: () => ask('unpin_product', [], () => this.#pin(null)),
      explainNext: () =>
        ask('explain_next', [], () => {
          const next = nextUp(this.view.bag) ?? neighbour(this.view.bag, 1);
          if (!next) throw refuse('no_next');
          this.#pin(next.number);
          return next.number;
        }),
      bagCandidates: (text) =>
        ask('bag_candidates', [text], () => {
          const words = text.trim().toLocaleLowerCase();
          const rows = this.outside.filter((c) => c.title.toLocaleLowerCase().includes(words) || String(c.number) === words);
          return { rows: rows.slice(0, this.pageRows), more: rows.length > this.pageRows };
        }),
      addToBag: (connectionId, productId) =>
        ask('add_to_bag', [connectionId, productId], () => {
          const found = this.outside.find((c) => c.productId === productId);
          if (!found) throw refuse('not_found');
          const number = found.number ?? Math.max(0, ...this.view.bag.map((i) => i.number)) + 1;
          this.outside = this.outside.filter((c) => c !== found);
          const item: BagItemView = { number, connectionId, productId, title: found.title, picture: found.picture, price: found.price, oldPrice: null, stock: found.stock, stockOf: found.stock, explainingSinceMs: null, explainedMs: 0, isNext: false, pin: null, skus: [{ id: productId, title: '', price: found.price, stock: found.stock }], change: null };
          this.send({ section: 'bag', value: [...this.view.bag, item] });
          return number;
        }),
      removeFromBag: (number) =>
        ask('remove_from_bag', [number], () => {
          const item = this.view.bag.find((i) => i.number === number);
          if (!item) throw refuse('not_found');
          this.outside = [{ connectionId: 'local', productId: item.productId, number, title: item.title, picture: item.picture, price: item.price, stock: item.stock }, ...this.outside];
          this.send({ section: 'bag', value: this.view.bag.filter((i) => i !== item) });
        }),
      moveInBag: (number, by) =>
        ask('move_in_bag', [number, by], () => {
          const bag = [...this.view.bag];
          const from = bag.findIndex((i) => i.number === number);
          if (from < 0) throw refuse('not_found');
          const [item] = bag.splice(from, 1);
          bag.splice(Math.max(0, from + by), 0, item as BagItemView);
          this.send({ section: 'bag', value: bag });
        }),
      goLive: () => ask('go_live', [], () => this.#goLive()),
      endShow: () => ask('end_show', [], () => this.#endShow()),
      setMuted: (muted) => ask('set_muted', [muted], () => this.#show({ muted })),
      startRecording: () => ask('start_recording', [], () => this.#show(this.#recording())),
      stopRecording: () => ask('stop_recording', [], () => this.#show({ recording: null, cleanFeed: false, recordingSinceMs: null })),
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
          const coupon: CouponView = { id: `n${this.#intents++}`, discount, threshold, state: 'sending', claimed: 0, quantity: form.quantity, endsAtMs: null, failure: null, failureParams: {}, intentId: null, connectionId: form.connectionId ?? 'local', withdraw: null };
          this.send({ section: 'coupons', value: [coupon, ...this.view.coupons] });
          setTimeout(() => this.send({ section: 'coupons', value: this.view.coupons.map((c) => (c.id === coupon.id ? { ...c, state: 'active', endsAtMs: Date.now() + form.validS * 1000 } : c)) }), this.delay);
        }),
      withdrawCoupon: (couponId) =>
        ask('withdraw_coupon', [couponId], () => {
          const set = (change: Partial<CouponView>) => this.send({ section: 'coupons', value: this.view.coupons.map((c) => (c.id === couponId ? { ...c, ...change } : c)) });
          set({ withdraw: { kind: 'sending' } });
          setTimeout(() => set({ state: 'ended', withdraw: { kind: 'confirmed', atMs: Date.now() } }), this.delay);
        }),
      changeOffer: (form) =>
        ask('change_offer', [form], () => {
          const item = this.view.bag.find((i) => i.number === form.number);
          if (!item) throw refuse('not_found');
          if (form.price !== null && !/^\d+(\.\d{1,2})?$/.test(form.price)) throw refuse('invalid', { field: 'price', rule: 'format' });
          const price = form.price === null ? null : yuan(Math.round(Number(form.price) * 100));
          const set = (change: Partial<BagItemView>) => this.send({ section: 'bag', value: this.view.bag.map((i) => (i.number === form.number ? { ...i, ...change } : i)) });
          const change = { skuId: form.skuId ?? '', price, priceBefore: item.price, stockBy: form.stockBy, atOtherPrice: 0, atNewPrice: 0 };
          set({ change: { ...change, action: { kind: 'sending' } } });
          setTimeout(() => set({ price: price ?? item.price, oldPrice: price ? (item.oldPrice ?? item.price) : item.oldPrice, stock: item.stock === null ? null : item.stock + form.stockBy, change: { ...change, action: { kind: 'confirmed', atMs: Date.now() } } }), this.delay);
        }),
      searchComments: (text, after) =>
        ask('search_comments', [text, after], () => {
          const words = text.toLocaleLowerCase();
          const all = [...this.view.comments.rows, ...this.olderComments].filter((row) => row.text.toLocaleLowerCase().includes(words) || row.author.toLocaleLowerCase().startsWith(words));
          const start = after === null ? 0 : after === '0' ? this.view.comments.rows.length : Number(after);
          const rows = all.slice(start, start + this.pageRows);
          return { rows, next: start + rows.length < all.length ? String(start + rows.length) : null };
        }),
      readComment: (connectionId, commentId) => ask('read_comment', [connectionId, commentId], () => this.send({ section: 'comments', value: reading(this.view.comments, commentId) })),
      dismissComment: () => ask('dismiss_comment', [], () => this.send({ section: 'comments', value: { ...this.view.comments, reading: null } })),
      hideComment: (connectionId, commentId) =>
        ask('hide_comment', [connectionId, commentId], () => {
          const set = (change: Partial<CommentRowView>) => this.send({ section: 'comments', value: changed(this.view.comments, commentId, change) });
          set({ hide: { kind: 'sending' } });
          setTimeout(() => set({ isHidden: true, hide: { kind: 'confirmed', atMs: Date.now() } }), this.delay);
        }),
      searchOrders: (text, status, connectionId, after) =>
        ask('search_orders', [text, status, connectionId, after], () => {
          const words = text.toLocaleLowerCase();
          const has = (row: OrderRowView) => row.buyer.toLocaleLowerCase().includes(words) || row.number.endsWith(words) || row.lines.some((line) => String(line.bagNumber) === words || line.title.toLocaleLowerCase().includes(words));
          const all = [...this.view.orders.rows, ...this.older].filter((row) => (status === null || row.status === status) && (connectionId === null || row.connectionId === connectionId) && (text === '' || has(row)));
          const start = after === null ? 0 : after === '0' ? all.filter((row) => !this.older.includes(row)).length : Number(after);
          const rows = all.slice(start, start + this.pageRows);
          return { rows, next: start + rows.length < all.length ? String(start + rows.length) : null };
        }),
      shipOrder: (connectionId, orderId, carrier, tracking, lines) =>
        ask('ship_order', [connectionId, orderId, carrier, tracking, lines], () => {
          if (carrier.trim() === '') throw refuse('invalid', { field: 'carrier', rule: 'empty' });
          if (tracking.trim() === '') throw refuse('invalid', { field: 'tracking', rule: 'empty' });
          this.#order(orderId, { ship: { kind: 'sending' } });
          setTimeout(() => this.#sent(orderId, carrier, tracking, lines), this.delay);
        }),
      agreeAfterSale: (connectionId, orderId, afterSaleId) => ask('agree_after_sale', [connectionId, orderId, afterSaleId], () => this.#answer(orderId, afterSaleId, { state: 'refunded' }, 'refunded')),
      refuseAfterSale: (connectionId, orderId, afterSaleId, reason) =>
        ask('refuse_after_sale', [connectionId, orderId, afterSaleId, reason], () => {
          if (reason.trim() === '') throw refuse('invalid', { field: 'reason', rule: 'empty' });
          this.#answer(orderId, afterSaleId, { state: 'rejected', answer: reason.trim() }, 'toShip');
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
          const old = this.view.destinations.find((d) => d.id === form.id);
          const url = form.url ?? `rtmp://${old?.host ?? ''}/live`;
          if (url === '') throw refuse('invalid', { field: 'url', rule: 'empty' });
          if (/^https?:/.test(url)) throw refuse('bad_url', { rule: 'page', field: 'url' });
          if (!/^rtmps?:\/\/[^/]+\/.+/.test(url)) throw refuse('bad_url', { rule: 'no_scheme', field: 'url' });
          if (form.key === '' && !/^rtmps?:\/\/[^/]+\/.+\/.+/.test(url)) throw refuse('bad_url', { rule: 'key', field: 'key' });
          const saved: DestinationView = {
            ...DESTINATION,
            id: form.id ?? `n${this.#intents++}`,
            preset: form.preset,
            oneShow: form.oneShow,
            name: form.name,
            host: new URL(url.replace(/^rtmps?/, 'http')).hostname,
            keyHint: form.key === null ? (old?.keyHint ?? '') : '••••',
            enabled: form.enabled,
            state: 'idle',
            behindMs: 0,
          };
          this.send({ section: 'destinations', value: old ? this.view.destinations.map((d) => (d.id === saved.id ? saved : d)) : [...this.view.destinations, saved] });
          return saved;
        }),
      removeDestination: (id) => ask('remove_destination', [id], () => this.send({ section: 'destinations', value: this.view.destinations.filter((d) => d.id !== id) })),
      enableDestination: (id, enabled) => ask('enable_destination', [id, enabled], () => this.send({ section: 'destinations', value: this.view.destinations.map((d) => (d.id === id ? { ...d, enabled } : d)) })),
      destinationPresets: () => ask('destination_presets', [], () => SAMPLE_PRESETS),
      destinationAddress: (id) => ask('destination_address', [id], () => `rtmp://${this.view.destinations.find((d) => d.id === id)?.host ?? ''}/live`),
      confirmLastStep: (id) => ask('confirm_last_step', [id], () => this.send({ section: 'destinations', value: this.view.destinations.map((d) => (d.id === id ? { ...d, lastStep: null } : d)) })),
      addShop: (form) =>
        ask('add_shop', [form], () => {
          if (form.address.trim() === '') throw refuse('invalid', { field: 'address', rule: 'empty' });
          if (!/^(http:\/\/)?[\w.[\]:]+\/?$/.test(form.address.trim())) throw refuse('bad_shop_address', { rule: 'format' });
          if (form.token.trim() === '') throw refuse('invalid', { field: 'token', rule: 'empty' });
          const address = form.address.includes('://') ? form.address : `http://${form.address}`;
          const known = this.view.connections.find((shop) => shop.address === address);
          if (known) throw refuse('shop_known', { name: known.name });
          if (!form.trustNetwork && !address.includes('127.0.0.1')) throw refuse('bad_shop_address', { rule: 'trust', host: new URL(address).hostname });
          const id = `n${this.#intents++}`;
          const shop: ConnectionView = { ...FAR, id, address, name: form.name.trim() || 'Stallcast', state: { kind: 'connecting' } };
          this.#shops([...this.view.connections, shop]);
          setTimeout(() => this.#shops(this.view.connections.map((one) => (one.id === id ? { ...one, state: { kind: 'answers' } } : one))), this.delay);
          return id;
        }),
      renameShop: (id, name) => ask('rename_shop', [id, name], () => this.#shops(this.view.connections.map((shop) => (shop.id === id ? { ...shop, name: name.trim() } : shop)))),
      removeShop: (id) => ask('remove_shop', [id], () => this.#shops(this.view.connections.filter((shop) => shop.id !== id))),
      listDevices: () =>
        ask('list_devices', [], () => ({
          cameras: [
            { id: 'v0', name: 'Logi C920', modes: ['1280x720 30 NV12'] },
            { id: 'v1', name: 'Integrated Camera', modes: ['640x480 30 YUYV'] },
            { id: 'v2', name: 'Logi C920 (2)', modes: ['1280x720 30 NV12'] },
          ],
          microphones: [{ id: 'm0', name: this.view.show.mic || 'USB Audio', modes: [] }],
        })),
      chooseCamera: (source) => ask('choose_camera', [source], () => this.#show({ demo: source.kind === 'demo', cameraId: source.kind === 'device' ? source.id : null, camera: source.kind === 'file' ? source.path : source.kind === 'device' && source.id === 'v1' ? 'Integrated Camera' : source.kind === 'demo' ? 'Demo' : 'Logi C920' })),
      chooseMic: (source) => ask('choose_mic', [source], () => this.#show({ mic: source.kind === 'none' ? '' : 'USB Audio' })),
      setLanguage: (language) => ask('set_language', [language], () => this.send({ section: 'settings', value: { ...this.view.settings, language } })),
      setTheme: (theme) => ask('set_theme', [theme], () => this.send({ section: 'settings', value: { ...this.view.settings, theme } })),
      setRecording: (record) => ask('set_recording', [record], () => this.send({ section: 'settings', value: { ...this.view.settings, record } })),
      setCleanFeed: (cleanFeed) => ask('set_clean_feed', [cleanFeed], () => this.send({ section: 'settings', value: { ...this.view.settings, cleanFeed } })),
      setRetention: (days) => ask('set_retention', [days], () => this.send({ section: 'settings', value: { ...this.view.settings, retentionDays: days } })),
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

  #shops(value: ConnectionView[]): void {
    this.send({ section: 'connections', value });
  }

  #order(id: string, change: Partial<OrderRowView>): void {
    const { orders } = this.view;
    this.send({ section: 'orders', value: { ...orders, rows: orders.rows.map((row) => (row.id === id ? { ...row, ...change } : row)) } });
  }

  /** A parcel arrived at the platform. */
  #sent(id: string, carrier: string, tracking: string, pieces: LinePiecesView[]): void {
    const row = this.view.orders.rows.find((r) => r.id === id);
    if (!row) return;
    const all = row.lines.map((line, at) => ({ line: at, quantity: line.left ?? 0 })).filter((line) => line.quantity > 0);
    const sent = pieces.length > 0 ? pieces : all;
    const lines = row.lines.map((line, at) => ({ ...line, left: (line.left ?? 0) - (sent.find((p) => p.line === at)?.quantity ?? 0) }));
    const parcels = [...row.parcels, { carrier, tracking, lines: sent, shippedAtMs: Date.now(), deliveredAtMs: null }];
    const status = lines.every((line) => line.left === 0) ? 'shipped' : 'partlyShipped';
    this.#order(id, { ship: { kind: 'confirmed', atMs: Date.now() }, lines, parcels, status });
  }

  /** The seller's answer, sent and then confirmed. */
  #answer(id: string, afterSaleId: string, over: Partial<AfterSaleView>, status: OrderRowView['status']): void {
    const set = (change: Partial<AfterSaleView>, more: Partial<OrderRowView> = {}) => {
      const row = this.view.orders.rows.find((r) => r.id === id);
      this.#order(id, { ...more, afterSales: (row?.afterSales ?? []).map((a) => (a.id === afterSaleId ? { ...a, ...change } : a)) });
    };
    set({ action: { kind: 'sending' } });
    setTimeout(() => set({ ...over, action: { kind: 'confirmed', atMs: Date.now() } }, { status }), this.delay);
  }

  #settle(intentId: string, action: ActionView | null): void {
    const known = this.#failed;
    const of = (a: ActionView | null, key: string) => (a?.kind === 'failed' && a.intentId === intentId ? (known.set(key, intentId), action) : known.get(key) === intentId ? action : a);
    this.send({ section: 'bag', value: this.view.bag.map((item) => ({ ...item, pin: of(item.pin, `b${item.number}`), change: item.change && { ...item.change, action: of(item.change.action, `c${item.number}`) ?? { kind: 'confirmed' as const, atMs: 0 } } })) });
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

  #recording(): Pick<StudioView['show'], 'recording' | 'cleanFeed' | 'recordingSinceMs'> {
    return { recording: 'a.mp4', cleanFeed: this.view.settings.cleanFeed, recordingSinceMs: Date.now() };
  }

  #goLive(): void {
    if (this.view.show.state === 'live') throw refuse('already_live');
    this.#show({ state: 'starting' });
    setTimeout(() => {
      this.#show({ state: 'live', liveSinceMs: Date.now(), ...(this.view.settings.record ? this.#recording() : {}) });
      this.send({ section: 'destinations', value: this.view.destinations.map((d) => ({ ...d, state: d.enabled ? 'publishing' : 'idle' })) });
    }, this.delay);
  }

  #endShow(): void {
    this.#show({ state: 'ending' });
    setTimeout(() => {
      this.#show({ state: 'ready', liveSinceMs: null, recording: null, cleanFeed: false, recordingSinceMs: null });
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
  fake.outside = [12, 13].map((n) => ({ connectionId: 'local', productId: `p${n}`, number: n === 12 ? 12 : null, title: (GOODS[n - 10] as Goods)[query.get('lang') === 'en' ? 1 : 0], picture: `picture/local/p${n}?v=1`, price: yuan(8800), stock: 30 }));
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
