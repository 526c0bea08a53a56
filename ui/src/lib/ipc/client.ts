// The only door to the program behind the page.
//
// Commands: the name is the method of `Studio` unless marked (shell); arguments in camelCase, as Tauri maps them. A
// refused command rejects with `UiError`.
//
// | command           | arguments                     | resolves to     | windows        |
// |-------------------|-------------------------------|-----------------|----------------|
// | snapshot          |                               | StudioView      | studio, orders |
// | pin_product       | number                        |                 | studio         |
// | unpin_product     |                               |                 | studio         |
// | explain_next      |                               | number          | studio         |
// | bag_candidates    | text                          | CandidatesView  | studio         |
// | add_to_bag        | connectionId, productId       | number          | studio         |
// | remove_from_bag   | number                        |                 | studio         |
// | move_in_bag       | number, by                    |                 | studio         |
// | change_offer      | form: OfferForm               |                 | studio         |
// | withdraw_coupon   | couponId                      |                 | studio         |
// | go_live           |                               |                 | studio         |
// | end_show          |                               |                 | studio         |
// | set_muted         | muted                         |                 | studio         |
// | start_recording   |                               |                 | studio         |
// | stop_recording    |                               |                 | studio         |
// | issue_coupon      | form: CouponForm              |                 | studio         |
// | search_comments   | text, after                   | CommentPageView | studio, orders |
// | read_comment      | connectionId, commentId       |                 | studio         |
// | dismiss_comment   |                               |                 | studio         |
// | hide_comment      | connectionId, commentId       |                 | studio         |
// | search_orders     | text, status, connectionId, after | OrderPageView | studio, orders |
// | ship_order        | connectionId, orderId, carrier, tracking, lines |                 | studio, orders |
// | agree_after_sale  | connectionId, orderId, afterSaleId |                 | studio, orders |
// | refuse_after_sale | connectionId, orderId, afterSaleId, reason |                 | studio, orders |
// | retry_intent      | intentId                      |                 | studio, orders |
// | discard_intent    | intentId                      |                 | studio, orders |
// | save_destination  | form: DestinationForm         | DestinationView | studio         |
// | remove_destination| id                            |                 | studio         |
// | enable_destination| id, enabled                   |                 | studio         |
// | destination_presets|                              | PresetView[]    | studio         |
// | destination_address| id                           | string          | studio         |
// | confirm_last_step | id                            |                 | studio         |
// | add_shop          | form: ShopForm                | string          | studio         |
// | rename_shop       | id, name                      |                 | studio         |
// | remove_shop       | id                            |                 | studio         |
// | list_devices      |                               | DevicesView     | studio         |
// | choose_camera     | source: SourceForm            |                 | studio         |
// | choose_mic        | source: SourceForm            |                 | studio         |
// | set_language      | language                      |                 | studio, orders |
// | set_theme         | theme                         |                 | studio, orders |
// | set_recording     | record                        |                 | studio         |
// | set_clean_feed    | cleanFeed                     |                 | studio         |
// | set_retention     | days                          |                 | studio         |
// | open_orders_window| (shell)                       |                 | studio         |
// | close_window      | (shell)                       |                 | studio         |
//
// Event `studio` carries one StudioEvent, in order, to the windows `studio` and `orders`; levels to `studio` alone. A
// forwarder that lagged sends every section anew.
//
// Event `closing` asks the host's window what closing is to mean while on air; it carries nothing.
//
// Protocol `preview`, addresses made with convertFileSrc:
//   /frame?after=SEQ   newest picture other than SEQ: image/jpeg with header x-seq; 204 when none came in time. Needs
//                      access-control-allow-origin, access-control-expose-headers: x-seq, cache-control: no-store.
//   /picture/SHOP/ID?v=KEY  picture of a product, as BagItemView.picture names it; may be kept for ever.

import { convertFileSrc, invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import type { CandidatesView, CommentPageView, CouponForm, DestinationForm, DestinationView, DevicesView, LinePiecesView, OfferForm, OrderPageView, OrderStatusView, PresetView, ShopForm, SourceForm, StudioEvent, StudioView, UiError } from './bindings';

/** One picture of the program. */
export interface Frame {
  seq: number;
  jpeg: Blob;
}

/** Everything the pages ask of the program. Commands reject with {@link UiError}. */
export interface Client {
  snapshot(): Promise<StudioView>;
  /** Calls for every change until the returned function is called. */
  listen(take: (event: StudioEvent) => void): Promise<() => void>;
  /** The newest picture other than number `after`; `null` when none came in time. `side`: pixels of its longest side on the screen. */
  frame(after: number, side: number, signal: AbortSignal): Promise<Frame | null>;
  /** For an `img`; `null` for an address that is not a product's picture. */
  pictureUrl(address: string): string | null;
  pinProduct(number: number): Promise<void>;
  unpinProduct(): Promise<void>;
  /** Explains what comes next in the queue; its number. */
  explainNext(): Promise<number>;
  /** What is not in the bag and matches; an empty text lists all. */
  bagCandidates(text: string): Promise<CandidatesView>;
  /** Its number in the bag. */
  addToBag(connectionId: string, productId: string): Promise<number>;
  removeFromBag(number: number): Promise<void>;
  /** Towards the end of the queue if positive. */
  moveInBag(number: number, by: number): Promise<void>;
  goLive(): Promise<void>;
  endShow(): Promise<void>;
  setMuted(muted: boolean): Promise<void>;
  startRecording(): Promise<void>;
  stopRecording(): Promise<void>;
  issueCoupon(form: CouponForm): Promise<void>;
  withdrawCoupon(couponId: string): Promise<void>;
  changeOffer(form: OfferForm): Promise<void>;
  /** Comments that match, a page at a time; `after` is the `next` of the page before. */
  searchComments(text: string, after: string | null): Promise<CommentPageView>;
  /** Puts a comment before the host, big, for a minute. */
  readComment(connectionId: string, commentId: string): Promise<void>;
  /** The host has answered it. */
  dismissComment(): Promise<void>;
  /** Takes a comment off the viewers' page. */
  hideComment(connectionId: string, commentId: string): Promise<void>;
  /** Orders that match, of one shop or of all, a page at a time; `after` is the `next` of the page before. */
  searchOrders(text: string, status: OrderStatusView | null, connectionId: string | null, after: string | null): Promise<OrderPageView>;
  /** Without lines all that is left. */
  shipOrder(connectionId: string, orderId: string, carrier: string, tracking: string, lines: LinePiecesView[]): Promise<void>;
  agreeAfterSale(connectionId: string, orderId: string, afterSaleId: string): Promise<void>;
  refuseAfterSale(connectionId: string, orderId: string, afterSaleId: string, reason: string): Promise<void>;
  retryIntent(intentId: string): Promise<void>;
  discardIntent(intentId: string): Promise<void>;
  saveDestination(form: DestinationForm): Promise<DestinationView>;
  removeDestination(id: string): Promise<void>;
  enableDestination(id: string, enabled: boolean): Promise<void>;
  destinationPresets(): Promise<PresetView[]>;
  /** Without the key. */
  destinationAddress(id: string): Promise<string>;
  confirmLastStep(id: string): Promise<void>;
  /** Adds the shop of another studio; its id. */
  addShop(form: ShopForm): Promise<string>;
  renameShop(id: string, name: string): Promise<void>;
  /** What it sold stays. */
  removeShop(id: string): Promise<void>;
  listDevices(): Promise<DevicesView>;
  chooseCamera(source: SourceForm): Promise<void>;
  chooseMic(source: SourceForm): Promise<void>;
  setLanguage(language: string): Promise<void>;
  setTheme(theme: string): Promise<void>;
  setRecording(record: boolean): Promise<void>;
  setCleanFeed(cleanFeed: boolean): Promise<void>;
  /** Days after which a settled order loses its buyer's name, phone and address. */
  setRetention(days: number): Promise<void>;
  openOrdersWindow(): Promise<void>;
  /** Calls when the host wants to close the window on air, until the returned function is called. */
  listenClosing(take: () => void): Promise<() => void>;
  /** Closes the window; a running show goes on. */
  closeWindow(): Promise<void>;
}

/** Whatever was thrown, as an error with a code. */
export function asUiError(thrown: unknown): UiError {
  if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'string') {
    const { code, params, retryable } = thrown as Partial<UiError> & { code: string };
    return { code, params: params ?? {}, retryable: retryable ?? false };
  }
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: 'internal', params: { detail }, retryable: false };
}

async function command<T>(name: string, args?: Record<string, unknown>): Promise<T> {
  try {
    return await invoke<T>(name, args);
  } catch (thrown) {
    throw asUiError(thrown);
  }
}

async function frame(after: number, side: number, signal: AbortSignal): Promise<Frame | null> {
  const response = await fetch(`${convertFileSrc('frame', 'preview')}?after=${after}&side=${side}`, { signal, cache: 'no-store' });
  if (response.status === 204) return null;
  if (!response.ok) throw new Error(`preview: ${response.status}`);
  const jpeg = await response.blob();
  // A header that is not there reads as null: better the same picture twice than none.
  const seq = Number(response.headers.get('x-seq') ?? Number.NaN);
  return { seq: Number.isFinite(seq) ? seq : after, jpeg };
}

/** `picture/SHOP/ID?v=KEY` and nothing else: the address comes from a shop. */
const PICTURE = /^picture\/[A-Za-z0-9\-_.~%]+\/[A-Za-z0-9\-_.~%]+(\?v=[A-Za-z0-9\-_.~%]*)?$/;

/** Is this the address of a product's picture? */
export const isPictureAddress = (address: string): boolean => PICTURE.test(address);

/** Label of a window, as the shell names it. */
export type WindowLabel = 'studio' | 'orders';

/** The client of a window of the program. */
export function tauriClient(label: WindowLabel): Client {
  return {
    snapshot: () => command('snapshot'),
    // By label: a listener for any target would also get what is sent to the other window.
    listen: (take) => listen<StudioEvent>('studio', (event) => take(event.payload), { target: label }),
    frame,
    pictureUrl: (address) => (isPictureAddress(address) ? convertFileSrc('', 'preview') + address : null),
    pinProduct: (number) => command('pin_product', { number }),
    unpinProduct: () => command('unpin_product'),
    explainNext: () => command('explain_next'),
    bagCandidates: (text) => command('bag_candidates', { text }),
    addToBag: (connectionId, productId) => command('add_to_bag', { connectionId, productId }),
    removeFromBag: (number) => command('remove_from_bag', { number }),
    moveInBag: (number, by) => command('move_in_bag', { number, by }),
    goLive: () => command('go_live'),
    endShow: () => command('end_show'),
    setMuted: (muted) => command('set_muted', { muted }),
    startRecording: () => command('start_recording'),
    stopRecording: () => command('stop_recording'),
    issueCoupon: (form) => command('issue_coupon', { form }),
    withdrawCoupon: (couponId) => command('withdraw_coupon', { couponId }),
    changeOffer: (form) => command('change_offer', { form }),
    searchComments: (text, after) => command('search_comments', { text, after }),
    readComment: (connectionId, commentId) => command('read_comment', { connectionId, commentId }),
    dismissComment: () => command('dismiss_comment'),
    hideComment: (connectionId, commentId) => command('hide_comment', { connectionId, commentId }),
    searchOrders: (text, status, connectionId, after) => command('search_orders', { text, status, connectionId, after }),
    shipOrder: (connectionId, orderId, carrier, tracking, lines) => command('ship_order', { connectionId, orderId, carrier, tracking, lines }),
    agreeAfterSale: (connectionId, orderId, afterSaleId) => command('agree_after_sale', { connectionId, orderId, afterSaleId }),
    refuseAfterSale: (connectionId, orderId, afterSaleId, reason) => command('refuse_after_sale', { connectionId, orderId, afterSaleId, reason }),
    retryIntent: (intentId) => command('retry_intent', { intentId }),
    discardIntent: (intentId) => command('discard_intent', { intentId }),
    saveDestination: (form) => command('save_destination', { form }),
    removeDestination: (id) => command('remove_destination', { id }),
    enableDestination: (id, enabled) => command('enable_destination', { id, enabled }),
    destinationPresets: () => command('destination_presets'),
    destinationAddress: (id) => command('destination_address', { id }),
    confirmLastStep: (id) => command('confirm_last_step', { id }),
    addShop: (form) => command('add_shop', { form }),
    renameShop: (id, name) => command('rename_shop', { id, name }),
    removeShop: (id) => command('remove_shop', { id }),
    listDevices: () => command('list_devices'),
    chooseCamera: (source) => command('choose_camera', { source }),
    chooseMic: (source) => command('choose_mic', { source }),
    setLanguage: (language) => command('set_language', { language }),
    setTheme: (theme) => command('set_theme', { theme }),
    setRecording: (record) => command('set_recording', { record }),
    setCleanFeed: (cleanFeed) => command('set_clean_feed', { cleanFeed }),
    setRetention: (days) => command('set_retention', { days }),
    openOrdersWindow: () => command('open_orders_window'),
    listenClosing: (take) => listen('closing', () => take(), { target: label }),
    closeWindow: () => command('close_window'),
  };
}
