use crate::{AfterSale, AfterSaleState, Money, OrderId, ProductId, Shipment, SkuId};
use serde::{Deserialize, Serialize};

/// Has the buyer paid?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    /// Stock is reserved, money is not here.
    Awaiting,
    /// Money is here.
    Paid,
    /// Given back in part.
    PartlyRefunded,
    /// Given back whole.
    Refunded,
    /// The platform's word is not known to this version; see the raw status.
    Unknown,
}

/// Has it been sent?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fulfilment {
    /// Nothing sent.
    Unshipped,
    /// Some lines sent.
    PartlyShipped,
    /// All sent.
    Shipped,
    /// Received by the buyer.
    Delivered,
    /// The platform's word is not known to this version; see the raw status.
    Unknown,
}

/// Is anything being disputed or undone?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterState {
    /// Nothing.
    None,
    /// The buyer asked; the seller must answer.
    Requested,
    /// Cancelled as a whole.
    Cancelled,
    /// Finished.
    Closed,
    /// The platform's word is not known to this version; see the raw status.
    Unknown,
}

/// The one word shown in lists, derived from the three axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// 待付款
    AwaitingPayment,
    /// 待发货
    ToShip,
    /// 部分发货: something is left to send.
    PartlyShipped,
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
    /// A platform word this version does not know.
    Unknown,
}

/// One order as last read from its platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The platform's id.
    pub id: OrderId,
    /// Number the buyer sees.
    pub number: String,
    /// Buyer's name as the platform gives it (may already be masked).
    pub buyer: String,
    /// Lines as placed; a cancelled order keeps them.
    pub lines: Vec<OrderLine>,
    /// What the buyer pays, discounts taken off.
    pub total: Money,
    /// Taken off by coupons and promotions.
    pub discount: Money,
    /// Payment axis.
    pub payment: Payment,
    /// Fulfilment axis.
    pub fulfilment: Fulfilment,
    /// After-sale axis.
    pub after_sale: AfterState,
    /// Parcels, oldest first.
    #[serde(default)]
    pub shipments: Vec<Shipment>,
    /// What the buyer asked for, oldest first.
    #[serde(default)]
    pub after_sales: Vec<AfterSale>,
    /// When it was placed, by the platform, ms UTC.
    pub placed_at_ms: i64,
    /// Version by the platform: a higher one wins, a lower one is a late repeat. An equal one counts only with another body.
    pub version: i64,
    /// The platform's own status words, kept unread.
    pub raw_status: String,
    /// The platform's own JSON, kept unread.
    pub raw_json: String,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// Which product.
    pub product: ProductId,
    /// Which variant.
    pub sku: SkuId,
    /// Title at the time of the order.
    pub title: String,
    /// Pieces, from 1.
    pub quantity: u32,
    /// Price of one piece.
    pub unit_price: Money,
}

impl Order {
    /// The derived word. After-sale beats payment beats fulfilment, because that is what the seller must act on first.
    #[must_use]
    pub const fn status(&self) -> OrderStatus {
        match (self.after_sale, self.payment, self.fulfilment) {
            (AfterState::Cancelled, _, _) => OrderStatus::Cancelled,
            (AfterState::Requested, _, _) => OrderStatus::AfterSale,
            (_, Payment::Refunded, _) => OrderStatus::Refunded,
            (AfterState::Unknown, _, _) | (_, Payment::Unknown, _) | (_, _, Fulfilment::Unknown) => OrderStatus::Unknown,
            (_, Payment::Awaiting, _) => OrderStatus::AwaitingPayment,
            (_, _, Fulfilment::Delivered) => OrderStatus::Delivered,
            (_, _, Fulfilment::Shipped) => OrderStatus::Shipped,
            (_, _, Fulfilment::PartlyShipped) => OrderStatus::PartlyShipped,
            (_, _, Fulfilment::Unshipped) => OrderStatus::ToShip,
        }
    }

    /// The request that waits for the seller's answer, the oldest first.
    #[must_use]
    pub fn asked(&self) -> Option<&AfterSale> {
        self.after_sales.iter().find(|a| a.state == AfterSaleState::Requested)
    }

    /// Pieces of each line that are in no parcel yet; `None` where the platform does not say what its parcels hold.
    #[must_use]
    pub fn left_to_ship(&self) -> Option<Vec<u32>> {
        let mut left: Vec<u32> = self.lines.iter().map(|l| l.quantity).collect();
        for shipment in &self.shipments {
            if shipment.lines.is_empty() {
                return None;
            }
            for pieces in &shipment.lines {
                if let Some(line) = usize::try_from(pieces.line).ok().and_then(|at| left.get_mut(at)) {
                    *line = line.saturating_sub(pieces.quantity);
                }
            }
        }
        Some(left)
    }
}
