//! The words of the selling commands: prices, pieces, coupons, orders, shops.

use clap::Args;
use std::path::PathBuf;

/// Options of `price`.
#[derive(Debug, Clone, Args)]
pub struct PriceArgs {
    /// Number in the bag.
    #[arg(value_name = "NUMBER")]
    pub number: String,
    /// New price of one piece, for example 25.80.
    #[arg(value_name = "PRICE", allow_hyphen_values = true)]
    pub price: String,
    /// Id of the variant; without it the first.
    #[arg(long, value_name = "ID")]
    pub sku: Option<String>,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `stock`.
#[derive(Debug, Clone, Args)]
pub struct StockArgs {
    /// Number in the bag.
    #[arg(value_name = "NUMBER")]
    pub number: String,
    /// Pieces that come (+5) or go (-3). What buyers take meanwhile is never overwritten.
    #[arg(value_name = "+N|-N", allow_hyphen_values = true)]
    pub by: String,
    /// Id of the variant; without it the first.
    #[arg(long, value_name = "ID")]
    pub sku: Option<String>,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `coupon`.
#[derive(Debug, Clone, Args)]
pub struct CouponArgs {
    /// issue or end; without it the coupons are shown.
    #[arg(value_name = "ACTION", requires = "what")]
    pub action: Option<String>,
    /// For issue what is taken off, for example 30; for end the id of the coupon.
    #[arg(value_name = "AMOUNT|ID", allow_hyphen_values = true)]
    pub what: Option<String>,
    /// Only for orders from this total on. Default: any.
    #[arg(long, value_name = "AMOUNT")]
    pub from: Option<String>,
    /// How many buyers can claim it, 1 to 100000.
    #[arg(long, value_name = "N", default_value = "50")]
    pub quantity: String,
    /// How long it can be claimed (30s to 24h).
    #[arg(long = "for", value_name = "TIME", default_value = "3m")]
    pub for_: String,
    /// For issue: id of the shop that issues it, see shops. Default: the first that can.
    #[arg(long, value_name = "SHOP")]
    pub shop: Option<String>,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `shops`.
#[derive(Debug, Clone, Args)]
pub struct ShopsArgs {
    /// list, add, rename or remove; without it the shops are shown.
    #[arg(value_name = "ACTION")]
    pub action: Option<String>,
    /// For add the address of the shop, for example http://192.168.1.20:8080; else its id.
    #[arg(value_name = "URL|ID")]
    pub what: Option<String>,
    /// For add: file with the seller's token of that shop, its shop.token. - reads standard input.
    #[arg(long, value_name = "FILE|-")]
    pub token_file: Option<PathBuf>,
    /// For add and rename: what you call it. Default: what it calls itself.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// For add: you trust the network between: token and orders go through it without encryption.
    #[arg(long)]
    pub trust_network: bool,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `orders`.
#[derive(Debug, Clone, Args)]
pub struct OrdersArgs {
    /// ship, agree or refuse; without it the orders that wait for you are shown.
    #[arg(value_name = "ACTION", requires = "order")]
    pub action: Option<String>,
    /// Number of the order, as its buyer sees it, or its id.
    #[arg(value_name = "ORDER")]
    pub order: Option<String>,
    /// For ship: who carries the parcel.
    #[arg(long, value_name = "NAME")]
    pub carrier: Option<String>,
    /// For ship: the tracking number.
    #[arg(long, value_name = "NUMBER")]
    pub tracking: Option<String>,
    /// For ship: pieces of a line, for example 1x2 for two of the first line; repeat for others. Without it all that is left.
    #[arg(long, value_name = "LINExN")]
    pub line: Vec<String>,
    /// For refuse: what the buyer is told.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Id of the shop whose order it is, see shops. Needed only where two shops gave the same number.
    #[arg(long, value_name = "SHOP")]
    pub shop: Option<String>,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub json: bool,
}
