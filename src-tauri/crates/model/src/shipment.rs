use serde::{Deserialize, Serialize};

/// Who carries a parcel and under which number: what a seller types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waybill {
    /// Name or code of the carrier, as typed.
    pub carrier: String,
    /// Tracking number, as typed.
    pub tracking: String,
}

impl Waybill {
    /// The same parcel, whatever blanks were typed around it.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.carrier.trim() == other.carrier.trim() && self.tracking.trim() == other.tracking.trim()
    }
}

/// Pieces of one line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinePieces {
    /// Place in [`crate::Order::lines`], from 0.
    pub line: u32,
    /// Pieces, from 1.
    pub quantity: u32,
}

/// A parcel of an order, as its platform tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// The platform's id of it; unique in its order.
    pub id: String,
    /// With whom.
    pub waybill: Waybill,
    /// What is in it; empty where the platform does not say.
    pub lines: Vec<LinePieces>,
    /// Given to the carrier, by the platform, ms UTC.
    pub shipped_at_ms: Option<i64>,
    /// Handed over to the buyer, by the platform, ms UTC.
    pub delivered_at_ms: Option<i64>,
}
