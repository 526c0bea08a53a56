import { dateOf, type Mark } from './program';
import type { Coupon, Live, Pin, Product, Room } from './wire';

/** What the page knows of the room. Values are replaced, never changed in place. */
export interface RoomState {
  /** Number of the last event that is in it. */
  seq: number;
  live: Live;
  pin: Pin | null;
  /** The product explained last: after its pin is gone somebody still wants it. */
  recent: string | null;
  /** Which card the picture shows from which program date on, oldest first. */
  marks: readonly Mark[];
  /** By number. */
  products: readonly Product[];
  coupons: readonly HeldCoupon[];
  viewers: number;
  /** The last sale that was told. */
  sold: Sold | null;
}

export interface HeldCoupon extends Coupon {
  /** When its end was told here, shop time. */
  goneAtMs: number | null;
}

export interface Sold {
  seq: number;
  buyer: string;
  number: number;
  quantity: number;
}

export interface RoomEvent {
  /** Only what is in the shop's table has a number. */
  seq: number | null;
  kind: string;
  payload: unknown;
}

/** A show of many hours pins often; the picture is seconds behind, so a short past is enough. */
const MARKS_KEPT = 32;

/** The room as the shop tells it in one piece. */
export function fromSnapshot(room: Room, products: readonly Product[], before: RoomState | null = null): RoomState {
  const known = before?.coupons.filter((c) => c.goneAtMs !== null && !room.coupons.some((r) => r.id === c.id)) ?? [];
  return {
    seq: room.seq,
    live: room.live,
    pin: room.pin,
    recent: room.pin?.productId ?? before?.recent ?? null,
    marks: marked(before?.marks ?? [], pinMark(room.live, room.pin)),
    products: sorted(products),
    coupons: [...known, ...room.coupons.map((c) => held(c, c.state === 'ended' ? room.nowMs : null))],
    viewers: room.viewers,
    sold: before?.sold ?? null,
  };
}

/** The room after one event. What is known already changes nothing. */
export function apply(state: RoomState, event: RoomEvent, nowMs: number): RoomState {
  if (event.seq !== null && event.seq <= state.seq) return state;
  const next = changed(state, event, nowMs);
  return event.seq === null ? next : { ...next, seq: event.seq };
}

function changed(state: RoomState, { kind, payload, seq }: RoomEvent, nowMs: number): RoomState {
  switch (kind) {
    case 'live':
      return { ...state, live: payload as Live };
    case 'pin': {
      const pin = payload as Pin;
      return { ...state, pin, recent: pin.productId, marks: marked(state.marks, pinMark(state.live, pin)) };
    }
    case 'unpin': {
      const gone = payload as Pin;
      const mark = { dateMs: dateOf(state.live, gone.programMs, gone.atMs), productId: null };
      return { ...state, pin: null, recent: gone.productId, marks: marked(state.marks, mark) };
    }
    case 'product': {
      const { product } = payload as { product: Product };
      const known = state.products.find((p) => p.id === product.id);
      if (known && known.seq >= product.seq) return state;
      return { ...state, products: sorted([...state.products.filter((p) => p.id !== product.id), product]) };
    }
    case 'coupon': {
      const { coupon } = payload as { coupon: Coupon };
      const known = state.coupons.find((c) => c.id === coupon.id);
      const goneAtMs = coupon.state === 'ended' ? (known?.goneAtMs ?? nowMs) : null;
      return { ...state, coupons: [...state.coupons.filter((c) => c.id !== coupon.id), held(coupon, goneAtMs)] };
    }
    case 'sold': {
      const sold = payload as Omit<Sold, 'seq'>;
      return { ...state, sold: { buyer: sold.buyer, number: sold.number, quantity: sold.quantity, seq: seq ?? 0 } };
    }
    case 'viewers':
      return { ...state, viewers: (payload as { count: number }).count };
    default:
      return state;
  }
}

function held(coupon: Coupon, goneAtMs: number | null): HeldCoupon {
  return { ...coupon, goneAtMs };
}

function sorted(products: readonly Product[]): Product[] {
  return [...products].sort((a, b) => a.number - b.number);
}

function pinMark(live: Live, pin: Pin | null): Mark | null {
  return pin && { dateMs: dateOf(live, pin.programMs, pin.atMs), productId: pin.productId };
}

function marked(marks: readonly Mark[], mark: Mark | null): readonly Mark[] {
  const last = marks.at(-1);
  if (!mark || (last && last.dateMs === mark.dateMs && last.productId === mark.productId)) return marks;
  return [...marks, mark].sort((a, b) => a.dateMs - b.dateMs).slice(-MARKS_KEPT);
}

/** How the one coupon on the page stands for this viewer. */
export type CouponFace = 'claim' | 'claimed' | 'gone';

/** How long "gone" stays readable. */
const GONE_SHOWN_MS = 8_000;

/** The coupon worth showing now: one to claim, else one that is held, else one that just went. */
export function couponNow(
  state: RoomState,
  mine: { coupons: readonly string[]; used: readonly string[] },
  nowMs: number,
): { coupon: HeldCoupon; face: CouponFace } | null {
  const newest = [...state.coupons].sort((a, b) => startOf(b) - startOf(a));
  const running = newest.filter((c) => c.endsAtMs > nowMs);
  const claim = running.find((c) => c.state === 'active' && !mine.coupons.includes(c.id));
  if (claim) return { coupon: claim, face: 'claim' };
  const usable = running.find((c) => mine.coupons.includes(c.id) && !mine.used.includes(c.id));
  if (usable) return { coupon: usable, face: 'claimed' };
  const gone = newest.find((c) => !mine.coupons.includes(c.id) && nowMs - (c.goneAtMs ?? c.endsAtMs) < GONE_SHOWN_MS);
  return gone ? { coupon: gone, face: 'gone' } : null;
}

/** When it was issued. */
export function startOf(coupon: Coupon): number {
  return coupon.endsAtMs - coupon.validS * 1_000;
}
