//! What the pages see of an order beyond its row: parcels, and what its buyer asked for.

use crate::present;
use crate::rows::OrderRow;
use crate::view::{ActionView, MoneyView};
use serde::{Deserialize, Serialize};
use specta::Type;
use stallcast_model::{AfterSale, AfterSaleKind, AfterSaleState, Shipment};

/// A parcel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ParcelView {
    /// Carrier. Hostile text.
    pub carrier: String,
    /// Tracking number. Hostile text.
    pub tracking: String,
    /// What is in it; empty where the platform does not say.
    pub lines: Vec<LinePiecesView>,
    /// ms UTC.
    pub shipped_at_ms: Option<f64>,
    /// ms UTC.
    pub delivered_at_ms: Option<f64>,
}

/// Pieces of one line, told by a platform or wanted by a seller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct LinePiecesView {
    /// Place in the order's lines, from 0.
    pub line: u32,
    /// Pieces, from 1.
    pub quantity: u32,
}

/// What a buyer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum AfterSaleKindView {
    /// 仅退款
    RefundOnly,
    /// 退货退款
    ReturnRefund,
    /// 换货
    Exchange,
    /// 其他
    Other,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum AfterSaleStateView {
    /// 待处理: the seller must answer.
    Requested,
    /// 待买家退货
    WaitBuyerReturn,
    /// 待收货
    WaitSellerReceive,
    /// 退款中
    Refunding,
    /// 已退款
    Refunded,
    /// 已拒绝
    Rejected,
    /// 已关闭
    Closed,
    /// 平台介入
    Disputed,
    /// A word this version does not know: see the raw one.
    Unknown,
}

/// A buyer's request.
#[derive(Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct AfterSaleView {
    /// Platform's id.
    pub id: String,
    /// What is wanted.
    pub kind: AfterSaleKindView,
    /// Where it stands.
    pub state: AfterSaleStateView,
    /// The platform's own word. Hostile text.
    pub raw_state: String,
    /// About which line, from 0; `None` = the whole order.
    pub line: Option<u32>,
    /// Pieces of that line; 0 where it is the whole order, or not told.
    pub quantity: u32,
    /// What goes back if the seller agrees.
    pub amount: MoneyView,
    /// The buyer's words, empty once purged. Hostile text.
    pub reason: String,
    /// The seller's words of a refusal.
    pub answer: String,
    /// When the platform decides by itself, ms UTC.
    pub deadline_ms: Option<f64>,
    /// How the answer stands, once pressed.
    pub action: Option<ActionView>,
}

// Held by hand: a buyer's words are in no log.
impl std::fmt::Debug for AfterSaleView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AfterSaleView")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("state", &self.state)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

pub(crate) fn parcel(shipment: &Shipment) -> ParcelView {
    ParcelView {
        carrier: shipment.waybill.carrier.clone(),
        tracking: shipment.waybill.tracking.clone(),
        lines: shipment.lines.iter().map(|p| LinePiecesView { line: p.line, quantity: p.quantity }).collect(),
        shipped_at_ms: shipment.shipped_at_ms.map(present::ms),
        delivered_at_ms: shipment.delivered_at_ms.map(present::ms),
    }
}

pub(crate) fn after_sale(asked: &AfterSale, row: &OrderRow) -> AfterSaleView {
    use AfterSaleStateView as V;
    AfterSaleView {
        id: asked.id.to_string(),
        kind: match asked.kind {
            AfterSaleKind::RefundOnly => AfterSaleKindView::RefundOnly,
            AfterSaleKind::ReturnRefund => AfterSaleKindView::ReturnRefund,
            AfterSaleKind::Exchange => AfterSaleKindView::Exchange,
            AfterSaleKind::Other => AfterSaleKindView::Other,
        },
        state: match asked.state {
            AfterSaleState::Requested => V::Requested,
            AfterSaleState::WaitBuyerReturn => V::WaitBuyerReturn,
            AfterSaleState::WaitSellerReceive => V::WaitSellerReceive,
            AfterSaleState::Refunding => V::Refunding,
            AfterSaleState::Refunded => V::Refunded,
            AfterSaleState::Rejected => V::Rejected,
            AfterSaleState::Closed => V::Closed,
            AfterSaleState::Disputed => V::Disputed,
            AfterSaleState::Unknown => V::Unknown,
        },
        raw_state: asked.raw_state.clone(),
        line: asked.line,
        quantity: asked.quantity,
        amount: present::money(asked.amount),
        reason: asked.reason.clone(),
        answer: asked.answer.clone(),
        deadline_ms: asked.deadline_ms.map(present::ms),
        action: row.answers.get(&asked.id).map(|answer| answer.view_of(&[("order", &row.order.number)])),
    }
}
