//! The words that columns hold for values of the domain.

use crate::StoreError;
use stallcast_model::{
    AfterSaleKind, AfterSaleState, AfterState, CommentKind, CouponState, Currency, Fulfilment, OrderStatus, Payment, ShowState,
};

pub(crate) trait Word: Copy + Sized + 'static {
    const NAME: &'static str;
    const ALL: &'static [(Self, &'static str)];
    fn word(self) -> &'static str;
    fn from_word(word: &str) -> Result<Self, StoreError> {
        Self::ALL.iter().find(|(_, w)| *w == word).map(|(v, _)| *v).ok_or_else(|| StoreError::broken(Self::NAME, word))
    }
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl Word for $type {
            const NAME: &'static str = stringify!($type);
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$variant, $word)),+];
            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words!(Payment { Awaiting = "awaiting", Paid = "paid", PartlyRefunded = "partly_refunded", Refunded = "refunded", Unknown = "unknown" });
words!(Fulfilment { Unshipped = "unshipped", PartlyShipped = "partly_shipped", Shipped = "shipped", Delivered = "delivered", Unknown = "unknown" });
words!(AfterState { None = "none", Requested = "requested", Cancelled = "cancelled", Closed = "closed", Unknown = "unknown" });
words!(OrderStatus {
    AwaitingPayment = "awaiting_payment",
    ToShip = "to_ship",
    PartlyShipped = "partly_shipped",
    Shipped = "shipped",
    Delivered = "delivered",
    AfterSale = "after_sale",
    Refunded = "refunded",
    Cancelled = "cancelled",
    Unknown = "unknown",
});
words!(AfterSaleKind { RefundOnly = "refund_only", ReturnRefund = "return_refund", Exchange = "exchange", Other = "other" });
words!(AfterSaleState {
    Requested = "requested",
    WaitBuyerReturn = "wait_buyer_return",
    WaitSellerReceive = "wait_seller_receive",
    Refunding = "refunding",
    Refunded = "refunded",
    Rejected = "rejected",
    Closed = "closed",
    Disputed = "disputed",
    Unknown = "unknown",
});
words!(CommentKind { Chat = "chat", Gift = "gift", Like = "like", Follow = "follow", System = "system", Other = "other" });
words!(CouponState { Sending = "sending", Uncertain = "uncertain", Active = "active", Ended = "ended", Failed = "failed" });
words!(ShowState { Ready = "ready", Starting = "starting", Live = "live", Ending = "ending", Ended = "ended" });
words!(Currency { Cny = "CNY", Usd = "USD", Eur = "EUR", Jpy = "JPY" });

/// Counts are stored as 64-bit and small by nature.
pub(crate) fn small(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(if n < 0 { 0 } else { u32::MAX })
}
