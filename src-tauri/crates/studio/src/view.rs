//! What windows, the staff browser and the command line see. Plain snapshots: each event replaces a whole section, so a
//! reader that missed one is right again at the next. No secrets; buyers' names are already masked.

use serde::{Deserialize, Serialize};
use specta::Type;

/// Everything, for a window that opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct StudioView {
    /// Show and transport.
    pub show: ShowView,
    /// Bag, in order of number.
    pub bag: Vec<BagItemView>,
    /// Newest first, at most 200.
    pub orders: OrdersView,
    /// Newest first.
    pub coupons: Vec<CouponView>,
    /// Last figures.
    pub stats: StatsView,
    /// Destinations.
    pub destinations: Vec<DestinationView>,
    /// Settings that the page needs.
    pub settings: SettingsView,
    /// Open problems, newest first, at most 20.
    pub health: Vec<HealthView>,
}

impl StudioView {
    /// Every section as an event: what a page that missed some needs.
    #[must_use]
    pub fn sections(self) -> Vec<StudioEvent> {
        vec![
            StudioEvent::Show(self.show),
            StudioEvent::Bag(self.bag),
            StudioEvent::Orders(self.orders),
            StudioEvent::Coupons(self.coupons),
            StudioEvent::Stats(self.stats),
            StudioEvent::Destinations(self.destinations),
            StudioEvent::Settings(self.settings),
            StudioEvent::Health(self.health),
        ]
    }
}

/// One change. Sections come whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "section", content = "value", rename_all = "camelCase")]
#[expect(clippy::large_enum_variant, reason = "a few hundred bytes a second; a box would show in the bridge's types of every use")]
pub enum StudioEvent {
    /// Show and transport.
    Show(ShowView),
    /// Bag.
    Bag(Vec<BagItemView>),
    /// Orders.
    Orders(OrdersView),
    /// Coupons.
    Coupons(Vec<CouponView>),
    /// Once a second.
    Stats(StatsView),
    /// Ten times a second while composing.
    Levels(LevelsView),
    /// Destinations.
    Destinations(Vec<DestinationView>),
    /// Settings.
    Settings(SettingsView),
    /// Open problems.
    Health(Vec<HealthView>),
}

/// Where the show stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum ShowStateView {
    /// The media process is being started.
    Opening,
    /// Preview runs.
    Ready,
    /// Going live.
    Starting,
    /// On air.
    Live,
    /// Ending.
    Ending,
}

/// Show and transport.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ShowView {
    /// Where it stands.
    pub state: ShowStateView,
    /// Title of the show.
    pub title: String,
    /// Name of the shop.
    pub shop_name: String,
    /// On air since, ms UTC.
    pub live_since_ms: Option<f64>,
    /// Human name of the picture source.
    pub camera: String,
    /// Human name of the sound source.
    pub mic: String,
    /// The picture is the drawn demo.
    pub demo: bool,
    /// Silence is sent.
    pub muted: bool,
    /// Canvas width, pixels.
    pub canvas_width: u32,
    /// Canvas height, pixels.
    pub canvas_height: u32,
    /// File name of the running recording.
    pub recording: Option<String>,
    /// Recording since, ms UTC.
    pub recording_since_ms: Option<f64>,
    /// Address of the viewer page, once the local shop answers.
    pub viewer_url: Option<String>,
    /// Orders of this show.
    pub order_count: u32,
    /// Sum of this show's orders that are not cancelled or refunded.
    pub turnover: MoneyView,
}

/// An exact amount and how to show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct MoneyView {
    /// Minor units as text: exact beyond 2^53.
    pub amount: String,
    /// ISO code.
    pub currency: String,
    /// `¥268.00`.
    pub text: String,
    /// `268` or `68.50`, without sign.
    pub short: String,
}

/// How an action stands, once pressed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ActionView {
    /// Written down, on its way.
    Sending,
    /// Answer lost; being looked up, never sent twice.
    Checking,
    /// Read back.
    Confirmed {
        /// ms UTC.
        #[serde(rename = "atMs")]
        at_ms: f64,
    },
    /// Refused or not delivered.
    Failed {
        /// Error code for the sentence.
        code: String,
        /// Give this to `retry_intent`.
        #[serde(rename = "intentId")]
        intent_id: String,
    },
}

/// A product in the bag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct BagItemView {
    /// Spoken number.
    pub number: u32,
    /// Platform's product id.
    pub product_id: String,
    /// Confirmed title.
    pub title: String,
    /// Address of the picture for an `img` (custom protocol), if there is one.
    pub picture: Option<String>,
    /// Confirmed price.
    pub price: MoneyView,
    /// Struck through.
    pub old_price: Option<MoneyView>,
    /// Confirmed pieces left.
    pub stock: Option<i32>,
    /// Pieces when it was put in the bag, for the bar.
    pub stock_of: Option<i32>,
    /// Being explained since, ms UTC.
    pub explaining_since_ms: Option<f64>,
    /// Total of earlier explanations, ms.
    pub explained_ms: f64,
    /// The next one to explain.
    pub is_next: bool,
    /// How the last pin or unpin of this item stands on the platform.
    pub pin: Option<ActionView>,
}

/// The order list and its seal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct OrdersView {
    /// Newest first.
    pub rows: Vec<OrderRowView>,
    /// All orders in the database.
    pub total: u32,
    /// Awaiting payment.
    pub awaiting_payment: u32,
    /// To ship.
    pub to_ship: u32,
    /// After-sale requests.
    pub after_sale: u32,
    /// Is the list whole?
    pub seal: SealView,
}

/// Completeness of the order list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum SealView {
    /// Every order up to this instant is in the list: proven by the cursor.
    Complete {
        /// ms UTC.
        #[serde(rename = "upToMs")]
        up_to_ms: f64,
    },
    /// Proven only up to an earlier instant; a platform is behind.
    Behind {
        /// ms UTC.
        #[serde(rename = "upToMs")]
        up_to_ms: f64,
        /// Name of the slow connection.
        connection: String,
    },
    /// Nothing proven yet.
    Unknown,
}

/// Derived order status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum OrderStatusView {
    /// 待付款
    AwaitingPayment,
    /// 待发货
    ToShip,
    /// 已发货
    Shipped,
    /// 已完成
    Delivered,
    /// 售后
    AfterSale,
    /// 已退款
    Refunded,
    /// 已取消
    Cancelled,
    /// A word this version does not know.
    Unknown,
}

/// One order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct OrderRowView {
    /// Platform's id.
    pub id: String,
    /// Number the buyer sees.
    pub number: String,
    /// Connection name, for the platform word.
    pub connection: String,
    /// Masked.
    pub buyer: String,
    /// Lines.
    pub lines: Vec<OrderLineView>,
    /// To pay.
    pub total: MoneyView,
    /// Taken off; `None` when zero.
    pub discount: Option<MoneyView>,
    /// Derived word.
    pub status: OrderStatusView,
    /// ms UTC.
    pub placed_at_ms: f64,
    /// First seen here, ms UTC: rows younger than 20 s carry the new bar.
    pub seen_at_ms: f64,
    /// How shipping stands, once pressed.
    pub ship: Option<ActionView>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct OrderLineView {
    /// Spoken number in the bag, if it is there.
    pub bag_number: Option<u32>,
    /// Title as ordered.
    pub title: String,
    /// Variant, may be empty.
    pub sku_title: String,
    /// Pieces.
    pub quantity: u32,
    /// Picture address.
    pub picture: Option<String>,
}

/// Where a coupon stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum CouponStateView {
    /// On its way.
    Sending,
    /// Being looked up.
    Checking,
    /// Claimable: read back.
    Active,
    /// Over.
    Ended,
    /// Refused.
    Failed,
}

/// One coupon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CouponView {
    /// Id.
    pub id: String,
    /// Taken off.
    pub discount: MoneyView,
    /// From; zero means any.
    pub threshold: MoneyView,
    /// Where it stands.
    pub state: CouponStateView,
    /// Claimed, as read back.
    pub claimed: u32,
    /// Claimable in all.
    pub quantity: u32,
    /// Ends, ms UTC.
    pub ends_at_ms: Option<f64>,
    /// Error code when failed.
    pub failure: Option<String>,
    /// Give this to `retry_intent` when failed.
    pub intent_id: Option<String>,
}

/// Figures for the strip and the health line.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct StatsView {
    /// Composed a second.
    pub fps: f32,
    /// kbit/s out of the encoders; 0 when not live.
    pub kbps: u32,
    /// 卡顿: composed late.
    pub lagged: u32,
    /// 跳帧: encoder had no time.
    pub skipped: u32,
    /// 丢帧: network.
    pub dropped: u32,
    /// CPU of the media process, 1.0 = one core.
    pub cpu: f32,
    /// Processor cores of the machine.
    pub cores: u32,
    /// Minutes of recording left.
    pub disk_minutes: Option<u32>,
    /// Program delay D, ms.
    pub program_delay_ms: u32,
}

/// Microphone level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct LevelsView {
    /// dBFS.
    pub peak_db: f32,
    /// dBFS.
    pub rms_db: f32,
}

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum LinkStateView {
    /// Not live.
    Idle,
    /// First try.
    Connecting,
    /// Media is being accepted.
    Publishing,
    /// Trying again.
    Reconnecting,
    /// The platform refused the key.
    Refused,
}

/// One destination. The key never comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DestinationView {
    /// Id.
    pub id: String,
    /// Name given by the seller.
    pub name: String,
    /// Host only.
    pub host: String,
    /// `•••• 3f9a`: last four, or empty without a key.
    pub key_hint: String,
    /// Used at the next go-live.
    pub enabled: bool,
    /// Where it stands.
    pub state: LinkStateView,
    /// Far behind, ms.
    pub behind_ms: u32,
}

/// What the destination form sends.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DestinationForm {
    /// `None` for a new one.
    pub id: Option<String>,
    /// 1..=40 characters.
    pub name: String,
    /// `rtmp://` or `rtmps://`.
    pub url: String,
    /// `None` keeps the stored key; empty means the URL is complete.
    pub key: Option<String>,
    /// Used at the next go-live.
    pub enabled: bool,
}

/// What the coupon form sends. Amounts as typed, in major units.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CouponForm {
    /// For example `30`.
    pub discount: String,
    /// For example `199`; empty for any.
    pub threshold: String,
    /// Buyers.
    pub quantity: u32,
    /// Seconds.
    pub valid_s: u32,
}

/// Settings that the page needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct SettingsView {
    /// `zh-CN` or `en`.
    pub language: String,
    /// `dark` or `light`.
    pub theme: String,
    /// Record each show.
    pub record: bool,
    /// How the master key is kept: `keychain`, `passphrase`, `file`.
    pub key_protector: String,
}

/// A source the host can choose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView {
    /// Give this to `choose_camera` or `choose_mic`.
    pub id: String,
    /// Human name.
    pub name: String,
    /// `1280x720 30 NV12`, best first; empty for microphones.
    pub modes: Vec<String>,
}

/// Cameras and microphones of this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DevicesView {
    /// Cameras.
    pub cameras: Vec<DeviceView>,
    /// Microphones.
    pub microphones: Vec<DeviceView>,
}

/// Choice of a picture or sound source: `device` with id (`None` = best), `file` with path, `demo`, `none` (sound only).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum SourceForm {
    /// A device.
    Device {
        /// Id from the list, or `None` for the first that works.
        id: Option<String>,
    },
    /// A media file.
    File {
        /// Where it is.
        path: String,
    },
    /// The drawn demo.
    Demo,
    /// Silence.
    None,
}

/// One open problem or piece of news.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct HealthView {
    /// Code for the sentence (`health.<code>` in the UI's texts).
    pub code: String,
    /// Values for the sentence.
    pub params: std::collections::BTreeMap<String, String>,
    /// ms UTC.
    pub at_ms: f64,
    /// `good` (came back), `warn`, `bad`.
    pub level: String,
}

/// An error as the UI gets it: a code to translate, never a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type, thiserror::Error)]
#[error("{code}")]
#[serde(rename_all = "camelCase")]
pub struct UiError {
    /// `error.<code>` in the UI's texts.
    pub code: String,
    /// Values for the sentence.
    pub params: std::collections::BTreeMap<String, String>,
    /// Would the same call succeed later?
    pub retryable: bool,
}
