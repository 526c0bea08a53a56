//! Rows of the shop as values of the domain. A row that cannot be read is kept as such and hides no other.

use super::{digest, wire};
use crate::PlatformError;
use serde_json::value::RawValue;
use stallcast_model::{
    AfterSale, Contact, FeedPage, Fulfilment, Order, OrderId, OrderLine, Payment, Product, ProductId, ReceivedOrder, ReceivedProduct,
    Shipment, Sku, SkuId, UnreadRow,
};

/// Longest id, bytes.
const ID_MOST: usize = 128;

/// A page whose rows are read by `read`.
pub(super) fn page<T>(
    after: i64,
    feed: wire::Feed,
    read: impl Fn(&RawValue) -> Result<T, UnreadRow>,
) -> Result<FeedPage<T>, PlatformError> {
    if feed.next_after < after {
        // A feed that goes back would be read for ever.
        return Err(PlatformError::unread("nextAfter goes back"));
    }
    let (mut rows, mut unread) = (Vec::with_capacity(feed.rows.len()), Vec::new());
    for raw in &feed.rows {
        match read(raw) {
            Ok(row) => rows.push(row),
            Err(row) => unread.push(row),
        }
    }
    Ok(FeedPage { rows, unread, next: feed.next_after.to_string(), more: feed.more, read_at_ms: Some(feed.up_to_ms), feed: feed.feed })
}

/// What is known of a row that cannot be read.
fn unread(raw: &RawValue, version: &str, reason: impl Into<String>) -> UnreadRow {
    let value: serde_json::Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let id = value.get("id").and_then(|id| id.as_str()).filter(|id| is_id(id)).map_or_else(|| digest(raw.get().as_bytes()), str::to_owned);
    let version = value.get(version).and_then(serde_json::Value::as_i64).unwrap_or(0);
    UnreadRow { id, version, reason: reason.into(), raw_json: raw.get().to_owned() }
}

fn is_id(id: &str) -> bool {
    (1..=ID_MOST).contains(&id.len())
}

pub(super) fn order(raw: &RawValue) -> Result<ReceivedOrder, UnreadRow> {
    let wire: wire::Order = serde_json::from_str(raw.get()).map_err(|e| unread(raw, "version", wire::fault(&e)))?;
    checked_order(wire, raw).map_err(|reason| unread(raw, "version", reason))
}

fn checked_order(wire: wire::Order, raw: &RawValue) -> Result<ReceivedOrder, &'static str> {
    if !is_id(&wire.id) {
        return Err("id");
    }
    if wire.version <= 0 {
        return Err("version");
    }
    let total = wire.total.read()?;
    let lines = wire.lines.iter().map(|line| {
        let unit_price = line.unit_price.read()?;
        if line.quantity == 0 || !is_id(&line.product_id) || !is_id(&line.sku_id) {
            return Err("line");
        }
        Ok(OrderLine {
            product: ProductId::new(&line.product_id),
            sku: SkuId::new(&line.sku_id),
            title: line.title.clone(),
            quantity: line.quantity,
            unit_price,
        })
    });
    let lines: Vec<OrderLine> = lines.collect::<Result<_, &'static str>>()?;
    let discount = wire.discount.read()?;
    if discount.currency != total.currency || lines.iter().any(|l| l.unit_price.currency != total.currency) {
        return Err("several currencies");
    }
    let order = Order {
        id: OrderId::new(wire.id),
        number: wire.number,
        buyer: wire.buyer.name.clone(),
        lines,
        total,
        discount,
        payment: match wire.payment.as_str() {
            "awaiting" => Payment::Awaiting,
            "paid" => Payment::Paid,
            "partly_refunded" => Payment::PartlyRefunded,
            "refunded" => Payment::Refunded,
            _ => Payment::Unknown,
        },
        fulfilment: match wire.fulfilment.as_str() {
            "unshipped" => Fulfilment::Unshipped,
            "partly_shipped" => Fulfilment::PartlyShipped,
            "shipped" => Fulfilment::Shipped,
            "delivered" => Fulfilment::Delivered,
            _ => Fulfilment::Unknown,
        },
        after_sale: match wire.after_sale.as_str() {
            "none" => AfterSale::None,
            "requested" => AfterSale::Requested,
            "cancelled" => AfterSale::Cancelled,
            "closed" => AfterSale::Closed,
            _ => AfterSale::Unknown,
        },
        placed_at_ms: wire.placed_at_ms,
        version: wire.version,
        raw_status: format!("{}/{}/{}", wire.payment, wire.fulfilment, wire.after_sale),
        raw_json: raw.get().to_owned(),
    };
    Ok(ReceivedOrder {
        order,
        contact: Contact { name: wire.buyer.name, phone: wire.buyer.phone, address: wire.buyer.address },
        shipment: wire.shipment.map(|s| Shipment { carrier: s.carrier, tracking: s.tracking }),
    })
}

pub(super) fn product(raw: &RawValue, confirmed_at_ms: i64) -> Result<ReceivedProduct, UnreadRow> {
    let wire: wire::Product = serde_json::from_str(raw.get()).map_err(|e| unread(raw, "seq", wire::fault(&e)))?;
    checked_product(wire, confirmed_at_ms).map_err(|reason| unread(raw, "seq", reason))
}

fn checked_product(wire: wire::Product, confirmed_at_ms: i64) -> Result<ReceivedProduct, &'static str> {
    if !is_id(&wire.id) {
        return Err("id");
    }
    let skus = wire.skus.into_iter().map(|sku| {
        if !is_id(&sku.id) {
            return Err("sku id");
        }
        let old_price = sku.old_price.as_ref().map(wire::Money::read).transpose()?;
        Ok(Sku { id: SkuId::new(sku.id), title: sku.title, price: sku.price.read()?, old_price, stock: sku.stock.map(|n| n.max(0)) })
    });
    let product = Product {
        id: ProductId::new(wire.id),
        title: wire.title,
        picture: wire.picture,
        skus: skus.collect::<Result<_, &'static str>>()?,
        confirmed_at_ms,
    };
    product.validate().map_err(|e| e.field)?;
    Ok(ReceivedProduct { product, number: wire.number, version: wire.seq })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use stallcast_model::OrderStatus;

    fn order_json() -> serde_json::Value {
        let money = json!({ "amount": 26_800, "currency": "CNY" });
        json!({
            "id": "o-1", "number": "1000001", "version": 7,
            "buyer": { "name": "林小姐", "phone": "13800138000", "address": "杭州市西湖区" },
            "lines": [{ "productId": "p-1", "skuId": "s-1", "title": "盖碗", "skuTitle": "", "quantity": 1, "unitPrice": money }],
            "total": money, "discount": { "amount": 0, "currency": "CNY" }, "couponId": null,
            "payment": "paid", "fulfilment": "unshipped", "afterSale": "none", "state": "to_ship",
            "refunded": { "amount": 0, "currency": "CNY" }, "placedAtMs": 1_000, "updatedAtMs": 1_000,
            "reservedUntilMs": null, "cancelReason": null, "shipment": null,
        })
    }

    fn feed(rows: &[serde_json::Value]) -> wire::Feed {
        let json = json!({ "orders": rows, "nextAfter": 9, "more": false, "upToMs": 5_000, "feed": "f" });
        serde_json::from_str(&json.to_string()).expect("feed")
    }

    #[test]
    fn a_bad_row_is_kept_and_hides_no_other() {
        let mut bad = order_json();
        bad["total"] = json!({ "amount": "13800138000", "currency": "CNY" });
        bad["id"] = json!("o-2");
        let mut other_money = order_json();
        other_money["discount"]["currency"] = json!("USD");
        let rows = [bad.clone(), order_json(), json!("no order at all"), other_money, json!({ "id": 5 })];
        let page = page(3, feed(&rows), order).expect("page");
        assert_eq!(page.rows.iter().map(|r| r.order.id.as_str()).collect::<Vec<_>>(), ["o-1"]);
        assert_eq!((page.next.as_str(), page.more, page.read_at_ms, page.feed.as_deref()), ("9", false, Some(5_000), Some("f")));
        let [a, b, c, d] = page.unread.as_slice() else { panic!("{:?}", page.unread) };
        assert_eq!((a.id.as_str(), a.version), ("o-2", 7));
        assert!(!a.reason.contains("13800138000"), "a reason goes to the log and must not hold values: {}", a.reason);
        assert_eq!(a.raw_json, bad.to_string());
        assert_eq!((b.id.len(), b.version), (64, 0), "named by its digest");
        assert_eq!((c.id.as_str(), c.reason.as_str()), ("o-1", "several currencies"));
        assert_ne!(d.id, b.id);
    }

    #[test]
    fn words_of_a_newer_shop_are_kept_and_not_guessed_at() {
        let mut json = order_json();
        json["payment"] = json!("escrow");
        json["afterSale"] = json!("mediation");
        json["new"] = json!([1, 2]);
        let read = page(0, feed(&[json]), order).expect("page").rows.remove(0);
        assert_eq!((read.order.payment, read.order.after_sale), (Payment::Unknown, AfterSale::Unknown));
        assert_eq!((read.order.status(), read.order.raw_status.as_str()), (OrderStatus::Unknown, "escrow/unshipped/mediation"));
    }

    #[test]
    fn numbers_that_no_order_has_are_refused() {
        for (field, value) in [("version", json!(0)), ("id", json!("")), ("id", json!("x".repeat(129)))] {
            let mut json = order_json();
            json[field] = value;
            assert_eq!(page(0, feed(&[json]), order).expect("page").unread.len(), 1, "{field}");
        }
        for (field, value) in [("quantity", json!(0)), ("quantity", json!(-1)), ("skuId", json!(""))] {
            let mut json = order_json();
            json["lines"][0][field] = value;
            assert_eq!(page(0, feed(&[json]), order).expect("page").unread.len(), 1, "{field}");
        }
        assert!(page(10, feed(&[]), order).is_err(), "a cursor never goes back");
    }

    #[test]
    fn products_need_a_title_and_a_price() {
        let json = json!({ "id": "p", "number": 3, "title": "盖碗", "picture": null, "seq": 4, "new": {},
            "skus": [{ "id": "s", "title": "", "price": { "amount": 100, "currency": "CNY" }, "oldPrice": null, "stock": -2, "onHand": 0 }] });
        let read = |json: &serde_json::Value| product(&RawValue::from_string(json.to_string()).expect("raw"), 77);
        let good = read(&json).expect("product");
        assert_eq!((good.number, good.version, good.product.confirmed_at_ms), (Some(3), 4, 77));
        assert_eq!(good.product.skus[0].stock, Some(0), "less than nothing is nothing");
        for (path, value) in [("/title", json!(" ")), ("/skus", json!([])), ("/skus/0/price/currency", json!("XXX"))] {
            let mut bad = json.clone();
            *bad.pointer_mut(path).expect("there") = value;
            assert_eq!(read(&bad).expect_err(path).version, 4);
        }
    }
}
