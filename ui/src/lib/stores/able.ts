// What a shop can do, asked before a button is offered.

import type { CapabilityView, ConnectionView } from '$lib/ipc/bindings';

/** Something the host may want of a shop. */
export type Deed = 'pin' | 'issueCoupon' | 'withdrawCoupon' | 'changeOffer' | 'ship' | 'answerAfterSale' | 'comments' | 'hideComment';

/** The shop of this id. */
export const shopOf = (shops: ConnectionView[], id: string): ConnectionView | null => shops.find((shop) => shop.id === id) ?? null;

/** How far a deed reaches on a shop; one that nobody told of can do nothing. */
export const able = (shop: ConnectionView | null, deed: Deed): CapabilityView => shop?.[deed] ?? { kind: 'unavailable', reason: 'untold' };

/** The same by the id of the shop: one that is not in the list was removed, and what it sold stays. */
export function ableAt(shops: ConnectionView[], id: string, deed: Deed): CapabilityView {
  const shop = shopOf(shops, id);
  return shop || shops.length === 0 ? able(shop, deed) : { kind: 'unavailable', reason: 'removed' };
}

/** More than one shop: rows say whose they are. */
export const isMany = (shops: ConnectionView[]): boolean => shops.length > 1;

/** The shop that does it by itself, else the one that says best why not. */
export function bestFor(shops: ConnectionView[], deed: Deed): ConnectionView | null {
  const rank = (shop: ConnectionView) => ['native', 'overlayOnly', 'unavailable'].indexOf(shop[deed].kind);
  return [...shops].sort((a, b) => rank(a) - rank(b))[0] ?? null;
}
