//! The JSON of the API: camelCase, amounts in minor units, times in ms UTC.

mod after_sales;
mod orders;
mod products;
mod room;

pub(crate) use after_sales::{AfterSale, AfterSaleForm, AfterSaleKind, AfterSaleState, RefuseForm};
pub(crate) use orders::{
    AfterState, BuyerForm, CancelForm, Cart, CartForm, Fulfilment, LineForm, LinePieces, Order, OrderFeed, OrderForm, OrderLine,
    OrderState, Orders, Outcome, PayForm, Payment, Provider, RefundForm, ShipForm, Shipment,
};
pub(crate) use products::{
    OfferChange, OfferForm, Product, ProductFeed, ProductForm, ProductPatch, Products, SellerProduct, SellerSku, Sku,
};
pub(crate) use room::{Claimed, Coupon, CouponForm, CouponState, Live, LiveForm, LiveState, Mine, Pin, PinForm, Room};

use serde::{Deserialize, Serialize};
use stallcast_model as model;
use utoipa::ToSchema;

/// An exact amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Money {
    /// Minor units (fen, cents).
    pub amount: i64,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "CNY")]
    pub currency: model::Currency,
}

impl Money {
    pub(crate) const fn new(amount: i64, currency: model::Currency) -> Self {
        Self { amount, currency }
    }
}

impl From<Money> for model::Money {
    fn from(money: Money) -> Self {
        Self::new(money.amount, money.currency)
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShopFace {
    pub name: String,
    #[schema(value_type = String, example = "CNY")]
    pub currency: model::Currency,
}
