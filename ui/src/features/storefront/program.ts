// What is in the picture that this viewer sees. The picture is seconds behind the shop: its frames carry the wall clock
// of the program (EXT-X-PROGRAM-DATE-TIME), and so do the events, as program time after an epoch.

import type { Coupon, Live } from './wire';

/** From this program date on the picture shows this card, or none. */
export interface Mark {
  dateMs: number;
  productId: string | null;
}

/** The wall clock of the program at something that happened in it. */
export function dateOf(live: Live, programMs: number | null, atMs: number): number {
  return live.programEpochMs !== null && programMs !== null ? live.programEpochMs + programMs : atMs;
}

/** The product whose card is in the frame of `pictureMs`. Nothing is known about a time before the first mark. */
export function cardIn(marks: readonly Mark[], pictureMs: number | null): string | null {
  if (pictureMs === null) return null;
  for (let i = marks.length - 1; i >= 0; i--) {
    const mark = marks[i];
    if (mark && mark.dateMs <= pictureMs) return mark.productId;
  }
  return null;
}

/** Is the ribbon of this coupon in the frame of `pictureMs`? The picture has one ribbon, that of the newest coupon. */
export function ribbonIn(coupons: readonly Coupon[], coupon: Coupon, pictureMs: number | null): boolean {
  if (pictureMs === null) return false;
  const begun = (c: Coupon): number => c.endsAtMs - c.validS * 1_000;
  const shown = coupons.filter((c) => begun(c) <= pictureMs && pictureMs < c.endsAtMs);
  return shown.some((c) => c.id === coupon.id) && shown.every((c) => begun(c) <= begun(coupon));
}

/** How far behind a picture is taken to be that does not say its date. */
const USUAL_DELAY_MS = 6_000;

/** The date of the frame on the screen: its own, else a guess. */
export function pictureDate(own: number | null, shopNowMs: number): number {
  return own ?? shopNowMs - USUAL_DELAY_MS;
}
