// What crosses the bridge, as `stallcast_studio::view` writes it. Generated files of the same shape may take its place:
// the rest of the interface reads every figure as possibly missing.

/** Everything, for a window that opens. */
export type StudioView = {
  show: ShowView;
  bag: BagItemView[];
  orders: OrdersView;
  coupons: CouponView[];
  stats: StatsView;
  destinations: DestinationView[];
  settings: SettingsView;
  health: HealthView[];
};

/** One change. Sections come whole. */
export type StudioEvent =
  | { section: 'show'; value: ShowView }
  | { section: 'bag'; value: BagItemView[] }
  | { section: 'orders'; value: OrdersView }
  | { section: 'coupons'; value: CouponView[] }
  | { section: 'stats'; value: StatsView }
  | { section: 'levels'; value: LevelsView }
  | { section: 'destinations'; value: DestinationView[] }
  | { section: 'settings'; value: SettingsView }
  | { section: 'health'; value: HealthView[] };

export type ShowStateView = 'opening' | 'ready' | 'starting' | 'live' | 'ending';

export type ShowView = {
  state: ShowStateView;
  title: string;
  shopName: string;
  /** ms UTC. */
  liveSinceMs: number | null;
  camera: string;
  mic: string;
  /** The picture is the drawn demo. */
  demo: boolean;
  muted: boolean;
  /** Pixels. */
  canvasWidth: number;
  /** Pixels. */
  canvasHeight: number;
  /** File name of the running recording. */
  recording: string | null;
  /** ms UTC. */
  recordingSinceMs: number | null;
  viewerUrl: string | null;
  orderCount: number;
  turnover: MoneyView;
};

export type MoneyView = {
  /** Minor units as text: exact beyond 2^53. */
  amount: string;
  currency: string;
  /** `¥268.00` */
  text: string;
  /** `268` or `68.50`, without sign. */
  short: string;
};

export type ActionView =
  | { kind: 'sending' }
  | { kind: 'checking' }
  | { kind: 'confirmed'; atMs: number }
  | { kind: 'failed'; code: string; intentId: string };

export type BagItemView = {
  number: number;
  productId: string;
  title: string;
  picture: string | null;
  price: MoneyView;
  oldPrice: MoneyView | null;
  stock: number | null;
  stockOf: number | null;
  /** ms UTC. */
  explainingSinceMs: number | null;
  /** ms. */
  explainedMs: number;
  isNext: boolean;
  /** `null`: nothing was pressed, or the platform has no such button. */
  pin: ActionView | null;
};

export type OrdersView = {
  rows: OrderRowView[];
  total: number;
  awaitingPayment: number;
  toShip: number;
  afterSale: number;
  seal: SealView;
};

export type SealView = { kind: 'complete'; upToMs: number } | { kind: 'behind'; upToMs: number; connection: string } | { kind: 'unknown' };

export type OrderStatusView =
  | 'awaitingPayment'
  | 'toShip'
  | 'shipped'
  | 'delivered'
  | 'afterSale'
  | 'refunded'
  | 'cancelled'
  | 'unknown';

export type OrderRowView = {
  id: string;
  number: string;
  connection: string;
  /** Masked. */
  buyer: string;
  lines: OrderLineView[];
  total: MoneyView;
  discount: MoneyView | null;
  status: OrderStatusView;
  /** ms UTC. */
  placedAtMs: number;
  /** ms UTC. */
  seenAtMs: number;
  ship: ActionView | null;
};

export type OrderLineView = {
  bagNumber: number | null;
  title: string;
  skuTitle: string;
  quantity: number;
  picture: string | null;
};

export type CouponStateView = 'sending' | 'checking' | 'active' | 'ended' | 'failed';

export type CouponView = {
  id: string;
  discount: MoneyView;
  threshold: MoneyView;
  state: CouponStateView;
  claimed: number;
  quantity: number;
  /** ms UTC. */
  endsAtMs: number | null;
  failure: string | null;
  intentId: string | null;
};

export type StatsView = {
  fps: number;
  kbps: number;
  /** 卡顿: composed late. */
  lagged: number;
  /** 跳帧: encoder had no time. */
  skipped: number;
  /** 丢帧: network. */
  dropped: number;
  /** 1.0 = one core. */
  cpu: number;
  cores: number;
  diskMinutes: number | null;
  /** ms. */
  programDelayMs: number;
};

export type LevelsView = {
  /** dBFS. */
  peakDb: number;
  /** dBFS. */
  rmsDb: number;
};

export type LinkStateView = 'idle' | 'connecting' | 'publishing' | 'reconnecting' | 'refused';

export type DestinationView = {
  id: string;
  name: string;
  host: string;
  /** `•••• 3f9a`, or empty without a key. */
  keyHint: string;
  enabled: boolean;
  state: LinkStateView;
  /** ms. */
  behindMs: number;
};

export type DestinationForm = {
  id: string | null;
  name: string;
  url: string;
  /** `null` keeps the stored key; empty means the URL is complete. */
  key: string | null;
  enabled: boolean;
};

export type CouponForm = {
  /** Major units, as typed. */
  discount: string;
  /** Major units, as typed; empty for any. */
  threshold: string;
  quantity: number;
  /** Seconds. */
  validS: number;
};

export type SettingsView = {
  language: string;
  theme: string;
  record: boolean;
  keyProtector: string;
};

export type DeviceView = {
  id: string;
  name: string;
  modes: string[];
};

export type DevicesView = {
  cameras: DeviceView[];
  microphones: DeviceView[];
};

export type SourceForm = { kind: 'device'; id: string | null } | { kind: 'file'; path: string } | { kind: 'demo' } | { kind: 'none' };

export type HealthView = {
  code: string;
  params: { [key in string]: string };
  /** ms UTC. */
  atMs: number;
  level: string;
};

export type UiError = {
  code: string;
  params: { [key in string]: string };
  retryable: boolean;
};
