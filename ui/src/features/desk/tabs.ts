/** Tabs of the desk, in their order. */
export const DESK_TABS = ['orders', 'comments', 'coupons'] as const;
/** One of them. */
export type DeskTab = (typeof DESK_TABS)[number];
