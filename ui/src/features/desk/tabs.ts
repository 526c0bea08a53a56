/** Tabs of the desk. Comments come with their first data. */
export type DeskTab = 'orders' | 'coupons';
