import { describe, expect, it } from 'vitest';
import { apply, couponNow, fromSnapshot, type RoomState } from './room';
import type { Coupon, Product, Room } from './wire';

const cny = (amount: number) => ({ amount, currency: 'CNY' });
const product = (number: number, seq: number, stock = 5): Product => ({
  id: `p-${number}`,
  number,
  title: `商品 ${number}`,
  picture: null,
  seq,
  skus: [{ id: `s-${number}`, title: '', price: cny(100), oldPrice: null, stock }],
});
const coupon = (id: string, endsAtMs: number, more: Partial<Coupon> = {}): Coupon => ({
  id,
  discount: cny(3_000),
  threshold: cny(19_900),
  quantity: 10,
  claimed: 0,
  state: 'active',
  endsAtMs,
  validS: 60,
  ...more,
});
const room: Room = {
  seq: 10,
  live: { state: 'live', startedAtMs: 0, programEpochMs: 1_000 },
  pin: { productId: 'p-1', atMs: 5_500, programMs: 4_000 },
  coupons: [],
  viewers: 3,
  nowMs: 6_000,
};
const open = (): RoomState => fromSnapshot(room, [product(2, 2), product(1, 1)]);
const mine = (coupons: string[] = [], used: string[] = []) => ({ coupons, used });

describe('the room', () => {
  it('is read in one piece, products by number, with the card the picture will show', () => {
    const state = open();
    expect(state.products.map((p) => p.number)).toEqual([1, 2]);
    expect(state.marks).toEqual([{ dateMs: 5_000, productId: 'p-1' }]);
  });

  it('changes the pin at once and remembers when the picture follows', () => {
    let state = apply(open(), { seq: 11, kind: 'pin', payload: { productId: 'p-2', atMs: 9_100, programMs: 8_000 } }, 9_200);
    expect(state.pin?.productId).toBe('p-2');
    expect(state.marks.at(-1)).toEqual({ dateMs: 9_000, productId: 'p-2' });
    state = apply(state, { seq: 12, kind: 'unpin', payload: { productId: 'p-2', atMs: 9_900, programMs: null } }, 9_900);
    expect(state.pin).toBeNull();
    expect(state.recent).toBe('p-2');
    expect(state.marks.at(-1)).toEqual({ dateMs: 9_900, productId: null });
  });

  it('ignores what it knows already: a stream that resumes may repeat', () => {
    const state = open();
    const event = { seq: 10, kind: 'unpin', payload: { productId: 'p-1', atMs: 0, programMs: null } };
    expect(apply(state, event, 0)).toBe(state);
  });

  it('takes a product only forward', () => {
    const newer = apply(open(), { seq: 20, kind: 'product', payload: { product: product(1, 20, 1) } }, 0);
    expect(newer.products[0]?.skus[0]?.stock).toBe(1);
    // Read later than the event was told.
    const read = fromSnapshot({ ...room, seq: 20 }, [product(1, 30, 0)], newer);
    expect(apply(read, { seq: 25, kind: 'product', payload: { product: product(1, 25, 9) } }, 0).products[0]?.skus[0]?.stock).toBe(0);
    const added = apply(newer, { seq: 31, kind: 'product', payload: { product: product(7, 31) } }, 0);
    expect(added.products.map((p) => p.number)).toEqual([1, 2, 7]);
  });

  it('counts viewers without a number and passes over what it does not know', () => {
    const state = apply(open(), { seq: null, kind: 'viewers', payload: { count: 9 } }, 0);
    expect([state.viewers, state.seq]).toEqual([9, 10]);
    expect(apply(state, { seq: 11, kind: 'weather', payload: {} }, 0)).toEqual({ ...state, seq: 11 });
  });

  it('keeps its marks through a snapshot and bounds them', () => {
    let state = open();
    for (let n = 0; n < 100; n++) {
      state = apply(state, { seq: 11 + n, kind: 'pin', payload: { productId: `p-${n % 2}`, atMs: 0, programMs: 10_000 + n } }, 0);
    }
    expect(state.marks.length).toBe(32);
    const pin = { productId: 'p-1', atMs: 0, programMs: 10_099 };
    expect(fromSnapshot({ ...room, seq: 200, pin }, [], state).marks).toEqual(state.marks);
  });
});

describe('the coupon worth showing', () => {
  const tell = (state: RoomState, c: Coupon, nowMs: number, seq: number): RoomState => apply(state, { seq, kind: 'coupon', payload: { coupon: c } }, nowMs);

  it('is the newest that can be claimed, then the held one', () => {
    let state = tell(open(), coupon('a', 60_000), 0, 11);
    state = tell(state, coupon('b', 70_000), 0, 12);
    expect(couponNow(state, mine(), 10_000)).toMatchObject({ coupon: { id: 'b' }, face: 'claim' });
    expect(couponNow(state, mine(['b']), 10_000)).toMatchObject({ coupon: { id: 'a' }, face: 'claim' });
    expect(couponNow(state, mine(['a', 'b']), 10_000)).toMatchObject({ coupon: { id: 'b' }, face: 'claimed' });
    expect(couponNow(state, mine(['a', 'b'], ['b']), 10_000)).toMatchObject({ coupon: { id: 'a' }, face: 'claimed' });
    expect(couponNow(state, mine(['a', 'b'], ['a', 'b']), 10_000)).toBeNull();
  });

  it('says for a moment that it went, by number or by time', () => {
    let state = tell(open(), coupon('a', 60_000), 0, 11);
    state = tell(state, coupon('a', 60_000, { state: 'ended' }), 20_000, 12);
    expect(couponNow(state, mine(), 21_000)).toMatchObject({ face: 'gone' });
    expect(couponNow(state, mine(), 40_000)).toBeNull();
    // A held one stays usable although nobody else can claim it.
    expect(couponNow(state, mine(['a']), 40_000)).toMatchObject({ face: 'claimed' });
    const timed = tell(open(), coupon('t', 60_000), 0, 11);
    expect(couponNow(timed, mine(), 60_001)).toMatchObject({ face: 'gone' });
    expect(couponNow(timed, mine(['t']), 60_001)).toBeNull();
  });
});
