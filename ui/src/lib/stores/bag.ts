// What the bag's rows mean for the strip, the keys and the cue.

import type { BagItemView } from '$lib/ipc/bindings';

/** This few are said to be few. */
const LOW = 10;

/** Being explained. */
export const explained = (bag: BagItemView[]): BagItemView | null => bag.find((i) => i.explainingSinceMs !== null) ?? null;
/** Proposed by the program. */
export const nextUp = (bag: BagItemView[]): BagItemView | null => bag.find((i) => i.isNext) ?? null;
/** Nothing left to sell. */
export const isSoldOut = (item: BagItemView): boolean => item.stock !== null && item.stock <= 0;
/** Nearly nothing left. */
export const isLow = (item: BagItemView): boolean => item.stock !== null && item.stock > 0 && item.stock <= LOW;

/** Pieces left as a share of those put into the bag. */
export function stockShare(item: BagItemView): number {
  if (item.stock === null) return 0;
  const of = Math.max(item.stockOf ?? item.stock, item.stock, 1);
  return Math.max(0, item.stock) / of;
}

/** How long a confirmed change stays in sight, ms. */
export const CHANGE_SHOWN_MS = 60_000;

/** Is the last change of price or pieces still worth a line? What affected an order stays longer. */
export function changeInSight(item: BagItemView, now: number): boolean {
  const { change } = item;
  if (change === null) return false;
  if (change.action.kind !== 'confirmed') return true;
  const age = now - (change.action.atMs ?? 0);
  return age < (change.atOtherPrice > 0 ? 10 * CHANGE_SHOWN_MS : CHANGE_SHOWN_MS);
}

/** The neighbour in the bag that can be sold; from nothing, the first or the last. */
export function neighbour(bag: BagItemView[], step: 1 | -1): BagItemView | null {
  const now = bag.findIndex((i) => i.explainingSinceMs !== null);
  let at = now < 0 ? (step === 1 ? 0 : bag.length - 1) : now + step;
  for (; at >= 0 && at < bag.length; at += step) {
    const item = bag[at];
    if (item && !isSoldOut(item)) return item;
  }
  return null;
}

/** Rows whose number or title matches. */
export function found(bag: BagItemView[], search: string): BagItemView[] {
  const words = search.trim().toLocaleLowerCase();
  return words === '' ? bag : bag.filter((i) => String(i.number) === words || i.title.toLocaleLowerCase().includes(words));
}
