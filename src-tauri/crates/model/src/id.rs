use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes any text: ids are opaque and belong to whoever issued them.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
            /// The id as its issuer wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A product as its platform names it. Text even where the platform sends a 64-bit number.
    ProductId
);
id!(
    /// One sellable variant of a product.
    SkuId
);
id!(
    /// An order as its platform names it.
    OrderId
);
id!(
    /// A request about an order after it was paid, as its platform names it.
    AfterSaleId
);
id!(
    /// A coupon. Chosen by the studio when it issues one, so that a repeat finds the first.
    CouponId
);
id!(
    /// A change of price or pieces. Chosen by the studio, so that a repeat finds the first.
    ChangeId
);
id!(
    /// A comment as its platform names it.
    CommentId
);
id!(
    /// One live session of this studio (UUID v7 text).
    ShowId
);
id!(
    /// One shop on one platform, chosen by the studio.
    ConnectionId
);
id!(
    /// A row of the outbox (UUID v7 text).
    IntentId
);
