import { langOf, words, type Lang, type Words } from '../../lib/i18n/storefront';
import { Api, NoAnswer, Refusal } from './api';
import { cleaned, faults, type BuyerField, type Faults, type Rule } from './buyer';
import * as cart from './cart';
import { Checkout, type Outcome } from './checkout';
import { Comments } from './comments.svelte';
import { exact, price } from './format';
import { keep, kept, randomId, viewerId } from './keep';
import type { Picture } from './player';
import { cardIn, pictureDate, ribbonIn } from './program';
import { apply, couponNow, fromSnapshot, type RoomEvent, type RoomState } from './room';
import { follow, pause, type Message } from './sse';
import type { AfterSaleForm, Buyer, Line, Mine, Money, Order, OrderForm, Product, Provider, ShopFace } from './wire';

/** A sentence that follows the language of the page. */
export type Say = (w: Words, lang: Lang) => string;

/** What lies over the page. */
export type Sheet =
  | { kind: 'product'; id: string }
  | { kind: 'cart' }
  /** Checkout of one line, past the cart. */
  | { kind: 'now'; line: Line }
  | { kind: 'order' }
  | { kind: 'orders' }
  | { kind: 'comments' };

/** What stands where the picture is. */
export type Face = 'opening' | 'unreachable' | 'before' | 'loading' | 'blocked' | 'unsupported' | 'picture' | 'after';

const TICK_MS = 250;
const TOAST_MS = 4_000;
const SOLD_MS = 5_000;
/** A link that comes back sooner is not worth a word. */
const LOST_SHOWN_MS = 3_000;
/** The picture is behind: so long it may run on after the show has ended. */
const RUN_OUT_MS = 20_000;
const ORDERS_EVERY_MS = 5_000;

const isLang = (value: unknown): value is Lang => value === 'zh-CN' || value === 'en';
const isText = (value: unknown): value is string => typeof value === 'string';

/** State and use-cases of the viewer page. */
export class Storefront {
  lang = $state<Lang>(kept('lang', isLang) ?? langOf(navigator.languages));
  readonly w = $derived(words(this.lang));

  shop = $state.raw<ShopFace | null>(null);
  room = $state.raw<RoomState | null>(null);
  mine = $state.raw<Mine>({ coupons: [], used: [] });
  lines = $state.raw<Line[]>(kept('cart', cart.isLines) ?? []);
  isUnreachable = $state(false);
  private lostSinceMs = $state<number | null>(null);

  /** Shop time. */
  nowMs = $state(Date.now());
  picture = $state<Picture>('off');
  private ownPictureMs = $state<number | null>(null);
  private endedSinceMs = $state<number | null>(null);
  private soldUntilMs = $state(0);
  isMuted = $state(true);

  sheet = $state.raw<Sheet | null>(null);
  toast = $state.raw<Say | null>(null);
  claiming = $state<string | null>(null);

  buyer = $state<Buyer>({ name: '', phone: '', address: '' });
  faults = $state.raw<Faults>({});
  note = $state.raw<Say | null>(null);
  phase = $state<'idle' | 'sending' | 'checking'>('idle');

  order = $state.raw<Order | null>(null);
  /** Orders the buyer wants to pay by another way. */
  manual = $state.raw<readonly string[]>([]);
  isPaying = $state(false);
  payNote = $state.raw<Say | null>(null);
  isAsking = $state(false);
  askNote = $state.raw<Say | null>(null);
  /** The request that waits for its answer, and its key. */
  private asked: { content: string; key: string } | null = null;
  orders = $state.raw<readonly Order[] | null>(null);

  readonly face = $derived.by<Face>(() => {
    if (!this.room) return this.isUnreachable ? 'unreachable' : 'opening';
    const { state } = this.room.live;
    const isShown = this.picture === 'playing' || this.picture === 'stalled';
    if (state === 'idle') return 'before';
    if (state === 'ended') return isShown ? 'picture' : 'after';
    if (isShown) return 'picture';
    return this.picture === 'blocked' || this.picture === 'unsupported' ? this.picture : 'loading';
  });
  readonly isLost = $derived(this.lostSinceMs !== null && this.nowMs - this.lostSinceMs > LOST_SHOWN_MS);
  /** Date of the frame on the screen; null where there is none. */
  readonly pictureMs = $derived(this.face === 'picture' ? pictureDate(this.ownPictureMs, this.nowMs) : null);
  readonly cardInPicture = $derived(this.room ? cardIn(this.room.marks, this.pictureMs) : null);
  /** Nothing is being explained any more once the show is over, whatever is still pinned. */
  readonly pinned = $derived(this.face === 'after' ? null : this.product(this.room?.pin?.productId ?? null));
  readonly recent = $derived(this.product(this.room?.recent ?? null));
  readonly coupon = $derived(this.room && couponNow(this.room, this.mine, this.nowMs));
  readonly isRibbonInPicture = $derived(!!this.room && !!this.coupon && ribbonIn(this.room.coupons, this.coupon.coupon, this.pictureMs));
  readonly sold = $derived(this.room && this.soldUntilMs > this.nowMs ? this.room.sold : null);
  readonly cartRows = $derived(cart.rows(this.lines, this.room?.products ?? []));
  readonly pieces = $derived(cart.pieces(this.cartRows.map((r) => r.line)));
  readonly checkoutRows = $derived(this.sheet?.kind === 'now' ? cart.rows([this.sheet.line], this.room?.products ?? []) : this.cartRows);
  /** Coupons the shop refused although they looked usable. */
  private refusedCoupons = $state.raw<readonly string[]>([]);
  private readonly usableCoupons = $derived((this.room?.coupons ?? []).filter((c) => !this.refusedCoupons.includes(c.id)));
  readonly sum = $derived(cart.sum(this.checkoutRows, this.usableCoupons, this.mine, this.nowMs));

  readonly comments: Comments;
  private readonly api: Api;
  private readonly checkout: Checkout;
  private readonly end = new AbortController();
  private offsetMs = 0;
  private isFollowing = false;
  /** Aborted to look at the orders now. */
  private look = new AbortController();
  private toastTimer: ReturnType<typeof setTimeout> | undefined;
  private cartId: string | null = kept('cart-id', isText);
  /** Events that come while the room is being read again. */
  private held: RoomEvent[] | null = null;

  constructor(viewer = viewerId()) {
    this.api = new Api(viewer);
    this.comments = new Comments(this.api, (ms) => pause(ms, this.end.signal));
    this.checkout = new Checkout({
      api: this.api,
      onChecking: () => (this.phase = 'checking'),
      wait: (ms) => pause(ms, this.end.signal),
    });
  }

  /** Begins to live; the returned function ends it. */
  start(date: () => number | null): () => void {
    const ticking = setInterval(() => {
      this.nowMs = Date.now() + this.offsetMs;
      this.ownPictureMs = date();
    }, TICK_MS);
    this.end.signal.addEventListener('abort', () => clearInterval(ticking));
    void this.open();
    return () => this.end.abort();
  }

  setLang(lang: Lang): void {
    this.lang = lang;
    keep('lang', lang);
  }

  onPicture(picture: Picture): void {
    this.picture = picture;
  }

  /** Shall the stream be played now? After the end it may run out: the picture is behind. */
  readonly wantsPicture = $derived.by(() => {
    const state = this.room?.live.state;
    if (state === 'live') return true;
    if (state !== 'ended' || (this.picture !== 'playing' && this.picture !== 'stalled')) return false;
    return this.endedSinceMs !== null && this.nowMs - this.endedSinceMs < RUN_OUT_MS;
  });

  product(id: string | null): Product | null {
    return this.room?.products.find((p) => p.id === id) ?? null;
  }

  say(what: Say): void {
    clearTimeout(this.toastTimer);
    this.toast = what;
    this.toastTimer = setTimeout(() => (this.toast = null), TOAST_MS);
  }

  // --- the room ---

  private async open(): Promise<void> {
    for (let waitMs = 1_000; !this.end.signal.aborted; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        [this.shop] = await Promise.all([this.api.face(), this.readRoom()]);
        break;
      } catch {
        this.isUnreachable = true;
        await pause(waitMs, this.end.signal);
      }
    }
    if (this.end.signal.aborted) return;
    this.isUnreachable = false;
    const stop = follow({
      url: '/api/rooms/main/events',
      after: () => this.room?.seq ?? 0,
      onMessage: (message) => this.onMessage(message),
      onLink: (up) => this.onLink(up),
    });
    this.end.signal.addEventListener('abort', stop);
    void this.readMine();
    void this.prefill();
    if (this.checkout.isOpen) this.settled(await this.checkout.resume());
  }

  private async readRoom(): Promise<void> {
    this.held = [];
    try {
      const askedMs = Date.now();
      const room = await this.api.room();
      this.offsetMs = room.nowMs - (askedMs + Date.now()) / 2;
      const [products] = await Promise.all([this.api.products(), this.comments.load()]);
      this.room = fromSnapshot(room, products, this.room);
      this.endedSinceMs = room.live.state === 'ended' ? (this.endedSinceMs ?? room.nowMs) : null;
    } finally {
      const held = this.held ?? [];
      this.held = null;
      for (const event of held) this.onEvent(event);
    }
  }

  private async readMine(): Promise<void> {
    try {
      this.mine = await this.api.mine();
    } catch {
      // Asked again after the next claim or order, and when the stream comes back.
    }
  }

  private onLink(up: boolean): void {
    if (!up) {
      this.lostSinceMs ??= this.nowMs;
      return;
    }
    if (this.lostSinceMs !== null) void this.readMine();
    this.lostSinceMs = null;
  }

  private onMessage(message: Message): void {
    if (message.event === 'reset') {
      void this.resync();
      return;
    }
    let payload: unknown;
    try {
      payload = JSON.parse(message.data);
    } catch {
      return;
    }
    const seq = message.id === null ? null : Number(message.id);
    if (seq !== null && !Number.isSafeInteger(seq)) return;
    this.onEvent({ seq, kind: message.event, payload });
  }

  private onEvent(event: RoomEvent): void {
    if (this.held) {
      this.held.push(event);
      return;
    }
    this.comments.apply(event.kind, event.payload);
    if (!this.room) return;
    const before = this.room;
    this.room = apply(before, event, this.nowMs);
    if (this.room.sold !== before.sold) this.soldUntilMs = this.nowMs + SOLD_MS;
    if (this.room.live.state !== before.live.state) this.endedSinceMs = this.room.live.state === 'ended' ? this.nowMs : null;
  }

  /** The stream cannot say what was missed: everything is read again. */
  private async resync(): Promise<void> {
    for (let waitMs = 500; !this.end.signal.aborted; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        await this.readRoom();
        return;
      } catch {
        await pause(waitMs, this.end.signal);
      }
    }
  }

  // --- coupons ---

  async claim(id: string): Promise<void> {
    const coupon = this.room?.coupons.find((c) => c.id === id);
    if (!coupon || this.claiming) return;
    this.claiming = id;
    const amount = coupon.discount;
    try {
      await this.api.claim(id);
      this.hold(id);
      this.say((w, lang) => w.claimedToast(price(amount, lang)));
    } catch (error) {
      const code = error instanceof Refusal ? error.code : null;
      if (code === 'already_claimed') {
        this.hold(id);
        this.say((w) => w.alreadyToast);
      } else if (code === 'coupon_gone' || code === 'not_found') {
        this.markGone(id);
        this.say((w) => w.goneToast);
      } else {
        // It may have been claimed: that is asked, and a second press is harmless.
        await this.readMine();
        if (!this.mine.coupons.includes(id)) this.say((w) => w.refused.no_answer);
      }
    } finally {
      this.claiming = null;
    }
    void this.readMine();
  }

  private hold(id: string): void {
    if (!this.mine.coupons.includes(id)) this.mine = { ...this.mine, coupons: [...this.mine.coupons, id] };
  }

  private markGone(id: string): void {
    if (!this.room) return;
    const coupons = this.room.coupons.map((c) => (c.id === id ? { ...c, state: 'ended' as const, goneAtMs: c.goneAtMs ?? this.nowMs } : c));
    this.room = { ...this.room, coupons };
  }

  /** What this product costs with the running coupon, if it would apply; with its id where it is still to be claimed. */
  withCoupon(product: Product): { claim: string | null; price: Money } | null {
    const offer = cart.priceOf(product);
    if (!offer || (this.coupon?.face !== 'claim' && this.coupon?.face !== 'claimed')) return null;
    const { coupon, face } = this.coupon;
    if (offer.from || offer.price.amount < coupon.threshold.amount) return null;
    return { claim: face === 'claim' ? coupon.id : null, price: { ...offer.price, amount: Math.max(0, offer.price.amount - coupon.discount.amount) } };
  }

  // --- cart ---

  setLine(skuId: string, quantity: number): void {
    if (this.sheet?.kind === 'now' && this.sheet.line.skuId === skuId) {
      const [line] = cart.set([this.sheet.line], skuId, Math.max(1, quantity));
      if (line) this.sheet = { kind: 'now', line };
      return;
    }
    this.lines = cart.set(this.lines, skuId, quantity);
    keep('cart', this.lines);
  }

  addToCart(skuId: string, quantity = 1): void {
    const isFull = this.lines.length >= cart.LINES_MOST && !this.lines.some((l) => l.skuId === skuId);
    this.lines = cart.add(this.lines, skuId, quantity);
    keep('cart', this.lines);
    this.say(isFull ? (w) => w.cartFull : (w) => w.added);
  }

  // --- buying ---

  /** Straight to the form where there is nothing to choose. */
  buy(product: Product): void {
    const [sku, ...others] = product.skus;
    if (sku && others.length === 0) this.openSheet({ kind: 'now', line: { skuId: sku.id, quantity: 1 } });
    else this.openSheet({ kind: 'product', id: product.id });
  }

  openSheet(sheet: Sheet | null): void {
    this.sheet = sheet;
    this.faults = {};
    if (this.phase === 'idle') this.note = null;
    this.payNote = null;
    this.look.abort();
    if (sheet?.kind === 'orders' || sheet?.kind === 'order') void this.followOrders();
  }

  forget(field: BuyerField): void {
    if (this.faults[field]) this.faults = { ...this.faults, [field]: undefined };
  }

  /** The buyer of the last order, so that nothing needs to be typed twice; kept by the shop, not by the browser. */
  private async prefill(): Promise<void> {
    try {
      const [last] = await this.api.orders();
      const isUntouched = this.buyer.name === '' && this.buyer.phone === '' && this.buyer.address === '';
      if (last && isUntouched) this.buyer = { ...last.buyer };
    } catch {
      // The form is empty then.
    }
  }

  async submit(): Promise<void> {
    const { sheet, room } = this;
    if (this.phase !== 'idle' || !room || !this.shop || (sheet?.kind !== 'now' && sheet?.kind !== 'cart')) return;
    this.faults = faults(this.buyer);
    this.note = null;
    if (Object.values(this.faults).some(Boolean)) return;
    const { coupon, total } = this.sum;
    this.phase = 'sending';
    try {
      const form: OrderForm = { expectedTotal: { amount: total, currency: this.shop.currency }, buyer: cleaned(this.buyer) };
      if (coupon) form.couponId = coupon.id;
      if (sheet.kind === 'now') form.lines = [sheet.line];
      else form.cartId = await this.putCart();
      this.settled(await this.checkout.place(form));
    } catch (error) {
      // Nothing was ordered: it failed on the way to the checkout.
      this.refused(error instanceof Refusal ? error : null);
    } finally {
      this.phase = 'idle';
    }
  }

  /** Gives the cart to the shop as it is here. */
  private async putCart(): Promise<string> {
    const lines = this.cartRows.map((r) => r.line);
    if (this.cartId !== null) {
      try {
        return (await this.api.putLines(this.cartId, lines)).id;
      } catch (error) {
        const isForgotten = error instanceof Refusal && error.code === 'not_found' && error.params.what === 'cart';
        if (!isForgotten) throw error;
      }
    }
    const { id } = await this.api.createCart();
    this.cartId = id;
    keep('cart-id', id);
    await this.api.putLines(id, lines);
    return id;
  }

  private settled(outcome: Outcome): void {
    this.phase = 'idle';
    switch (outcome.kind) {
      case 'placed':
        if (outcome.fromCart) {
          this.lines = [];
          keep('cart', this.lines);
        }
        this.order = outcome.order;
        this.openSheet({ kind: 'order' });
        void this.readMine();
        return;
      case 'not_placed':
        this.note = (w) => w.notPlaced;
        if (this.sheet?.kind !== 'now' && this.sheet?.kind !== 'cart') this.say((w) => w.notPlaced);
        return;
      case 'refused':
        this.refused(outcome.refusal);
    }
  }

  private refused(refusal: Refusal | null): void {
    if (!refusal) {
      this.note = (w) => w.refused.no_answer;
      return;
    }
    const { code, params } = refusal;
    const field = params.field as string;
    if (code === 'invalid' && (field === 'name' || field === 'phone' || field === 'address')) {
      this.faults = { [field]: params.rule as Rule };
    } else if (code === 'sold_out') {
      const available = Number(params.available);
      this.note = (w) => w.refused.sold_out(available);
      void this.resync();
    } else if (code === 'price_changed') {
      const total = params.total as Money;
      this.note = (w, lang) => w.refused.price_changed(exact(total, lang));
      void this.resync();
    } else if (code === 'coupon_not_applicable') {
      const rule = params.rule;
      const coupon = this.sum.coupon;
      if (coupon) this.refusedCoupons = [...this.refusedCoupons, coupon.id];
      this.note = (w) => (rule === 'ended' || rule === 'used' || rule === 'threshold' ? w.refused.coupon[rule] : w.refused.coupon.other);
      void this.readMine();
    } else if (code === 'not_found') {
      this.note = (w) => w.refused.product_gone;
      void this.resync();
    } else {
      this.note = (w) => w.refused.other;
    }
  }

  // --- orders ---

  showOrder(order: Order): void {
    this.order = order;
    this.openSheet({ kind: 'order' });
  }

  async pay(provider: Provider): Promise<void> {
    const { order } = this;
    if (!order || this.isPaying) return;
    this.isPaying = true;
    this.payNote = null;
    try {
      this.take(await this.api.pay(order.id, provider));
      if (provider === 'manual') this.manual = [...this.manual, order.id];
    } catch (error) {
      if (error instanceof Refusal) {
        const isClosed = error.code === 'wrong_state';
        this.payNote = error.code === 'payment_declined' ? (w) => w.payDeclined : isClosed ? (w) => w.orderClosed : (w) => w.refused.other;
        if (isClosed) await this.readOrder(order.id);
      } else {
        await this.lookUpPayment(order.id);
      }
    } finally {
      this.isPaying = false;
    }
  }

  /** Asks for money back. The same key until it is answered: pressed again after a lost answer, it is one request. */
  async askAfterSale(form: AfterSaleForm): Promise<boolean> {
    const { order } = this;
    if (!order || this.isAsking) return false;
    this.isAsking = true;
    this.askNote = null;
    const content = JSON.stringify([order.id, form]);
    if (this.asked?.content !== content) this.asked = { content, key: randomId() };
    try {
      this.take(await this.api.askAfterSale(order.id, this.asked.key, form));
      this.asked = null;
      return true;
    } catch (error) {
      const isRefused = error instanceof Refusal;
      this.askNote = !isRefused ? (w) => w.refused.no_answer : error.code === 'invalid' && error.params['field'] === 'reason' ? (w) => w.askReason : (w) => w.askRefused;
      if (isRefused) await this.readOrder(order.id);
      return false;
    } finally {
      this.isAsking = false;
    }
  }

  /** No answer to a payment: the order itself says whether it is paid. */
  private async lookUpPayment(id: string): Promise<void> {
    for (let waitMs = 500; !this.end.signal.aborted; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        const now = await this.api.order(id);
        this.take(now);
        if (now.state === 'awaiting_payment') this.payNote = (w) => w.payUnknown;
        return;
      } catch (error) {
        if (!(error instanceof NoAnswer)) return;
        this.payNote = (w) => w.refused.no_answer;
        await pause(waitMs, this.end.signal);
      }
    }
  }

  async readOrder(id: string): Promise<void> {
    try {
      this.take(await this.api.order(id));
    } catch {
      // What is shown stays.
    }
  }

  private take(order: Order): void {
    if (this.order?.id === order.id && this.order.version <= order.version) this.order = order;
    this.orders = this.orders?.map((o) => (o.id === order.id ? order : o)) ?? null;
  }

  /** No event tells a viewer of an order's way: it is read again while somebody looks. */
  private async followOrders(): Promise<void> {
    if (this.isFollowing) return;
    this.isFollowing = true;
    while (!this.end.signal.aborted) {
      const { sheet, order } = this;
      this.look = new AbortController();
      if (sheet?.kind === 'order' && order) await this.readOrder(order.id);
      else if (sheet?.kind === 'orders') await this.readOrders();
      else break;
      await pause(ORDERS_EVERY_MS, this.look.signal);
    }
    this.isFollowing = false;
  }

  private async readOrders(): Promise<void> {
    try {
      this.orders = await this.api.orders();
    } catch {
      // What is shown stays.
    }
  }
}
