//! Rows of the shop as values of the domain. A row that cannot be read is kept as such and hides no other.

use super::{digest, wire};
use crate::PlatformError;
use serde_json::value::RawValue;
use stallcast_model::{
    AfterSale, AfterSaleId, AfterSaleKind, AfterSaleState, AfterState, ChangeId, Contact, FeedPage, Fulfilment, LinePieces, NewPrice,
    OfferTerms, Order, OrderId, OrderLine, Payment, Product, ProductId, ReadOffer, ReceivedOrder, ReceivedProduct, Shipment, Sku, SkuId,
    UnreadRow, Waybill,
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
pub(super) fn unread(raw: &RawValue, version: &str, reason: impl Into<String>) -> UnreadRow {
    let value: serde_json::Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let id = value.get("id").and_then(|id| id.as_str()).filter(|id| is_id(id)).map_or_else(|| digest(raw.get().as_bytes()), str::to_owned);
    let version = value.get(version).and_then(serde_json::Value::as_i64).unwrap_or(0);
    UnreadRow { id, version, reason: reason.into(), raw_json: raw.get().to_owned() }
}

pub(super) fn is_id(id: &str) -> bool {
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
    let shipments = shipments(wire.shipments, wire.shipment, lines.len())?;
    let after_sales = wire.after_sales.into_iter().map(|asked| after_sale(asked, lines.len(), total.currency)).collect::<Result<_, _>>()?;
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
            "none" => AfterState::None,
            "requested" => AfterState::Requested,
            "cancelled" => AfterState::Cancelled,
            "closed" => AfterState::Closed,
            _ => AfterState::Unknown,
        },
        shipments,
        after_sales,
        placed_at_ms: wire.placed_at_ms,
        version: wire.version,
        raw_status: format!("{}/{}/{}", wire.payment, wire.fulfilment, wire.after_sale),
        raw_json: raw.get().to_owned(),
    };
    Ok(ReceivedOrder { order, contact: Contact { name: wire.buyer.name, phone: wire.buyer.phone, address: wire.buyer.address } })
}

/// Parcels of an order with so many lines; the one parcel of an older shop is the first.
fn shipments(parcels: Vec<wire::Shipment>, one: Option<wire::OneShipment>, lines: usize) -> Result<Vec<Shipment>, &'static str> {
    let is_line = |line: u32| usize::try_from(line).is_ok_and(|at| at < lines);
    let mut read = Vec::with_capacity(parcels.len());
    for parcel in parcels {
        if !is_id(&parcel.id) || parcel.lines.iter().any(|pieces| !is_line(pieces.line) || pieces.quantity == 0) {
            return Err("shipment");
        }
        read.push(Shipment {
            id: parcel.id,
            waybill: Waybill { carrier: parcel.carrier, tracking: parcel.tracking },
            lines: parcel.lines.iter().map(|p| LinePieces { line: p.line, quantity: p.quantity }).collect(),
            shipped_at_ms: parcel.at_ms,
            delivered_at_ms: parcel.delivered_at_ms,
        });
    }
    if let Some(one) = one.filter(|_| read.is_empty()) {
        read.push(Shipment {
            id: "1".to_owned(),
            waybill: Waybill { carrier: one.carrier, tracking: one.tracking },
            lines: Vec::new(),
            shipped_at_ms: one.at_ms,
            delivered_at_ms: None,
        });
    }
    Ok(read)
}

fn after_sale(wire: wire::AfterSale, lines: usize, currency: stallcast_model::Currency) -> Result<AfterSale, &'static str> {
    let amount = wire.amount.read()?;
    let is_line = wire.line.is_none_or(|line| usize::try_from(line).is_ok_and(|at| at < lines));
    if !is_id(&wire.id) || !is_line {
        return Err("after-sale");
    }
    if amount.currency != currency {
        return Err("several currencies");
    }
    Ok(AfterSale {
        id: AfterSaleId::new(wire.id),
        line: wire.line,
        quantity: wire.quantity,
        kind: match wire.kind.as_str() {
            "refund_only" => AfterSaleKind::RefundOnly,
            "return_refund" => AfterSaleKind::ReturnRefund,
            "exchange" => AfterSaleKind::Exchange,
            _ => AfterSaleKind::Other,
        },
        state: match wire.state.as_str() {
            "requested" => AfterSaleState::Requested,
            "wait_buyer_return" => AfterSaleState::WaitBuyerReturn,
            "wait_seller_receive" => AfterSaleState::WaitSellerReceive,
            "refunding" => AfterSaleState::Refunding,
            "refunded" => AfterSaleState::Refunded,
            "rejected" => AfterSaleState::Rejected,
            "closed" => AfterSaleState::Closed,
            "disputed" => AfterSaleState::Disputed,
            _ => AfterSaleState::Unknown,
        },
        raw_state: wire.state,
        amount,
        reason: wire.reason,
        answer: wire.answer.unwrap_or_default(),
        deadline_ms: wire.deadline_ms,
        updated_at_ms: wire.updated_at_ms,
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

pub(super) fn offer(wire: wire::Offer, confirmed_at_ms: i64) -> Result<ReadOffer, PlatformError> {
    let money = |m: &wire::Money| m.read().map_err(PlatformError::unread);
    let old_price = wire.old_price.as_ref().map(money).transpose()?;
    let price = wire.price.as_ref().map(money).transpose()?.map(|price| NewPrice { price, old_price });
    Ok(ReadOffer {
        id: ChangeId::new(wire.id),
        terms: OfferTerms { sku: SkuId::new(wire.sku_id), price, stock_by: wire.stock_by },
        price_before: Some(money(&wire.price_before)?),
        applied_at_ms: wire.at_ms,
        read_at_ms: wire.now_ms,
        product: product(&wire.product, confirmed_at_ms).map_err(|row| PlatformError::unread(row.reason))?,
    })
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
        assert_eq!((read.order.payment, read.order.after_sale), (Payment::Unknown, AfterState::Unknown));
        assert_eq!((read.order.status(), read.order.raw_status.as_str()), (OrderStatus::Unknown, "escrow/unshipped/mediation"));
    }

    #[test]
    fn parcels_and_requests_are_read_and_strange_words_are_kept() {
        let mut json = order_json();
        json["fulfilment"] = json!("partly_shipped");
        json["afterSale"] = json!("requested");
        json["shipments"] =
            json!([{ "id": "p1", "carrier": "顺丰", "tracking": "SF1", "lines": [{ "line": 0, "quantity": 1 }], "atMs": 5 }]);
        let asked = json!({ "id": "as-1", "line": 0, "quantity": 1, "kind": "refund_only", "state": "requested", "reason": "裂了",
            "amount": { "amount": 100, "currency": "CNY" }, "updatedAtMs": 6, "deadlineMs": 7 });
        let mut strange = asked.clone();
        (strange["id"], strange["kind"], strange["state"]) = (json!("as-2"), json!("repair"), json!("in_mediation"));
        strange["line"] = json!(null);
        json["afterSales"] = json!([asked, strange]);
        let read = page(0, feed(&[json.clone()]), order).expect("page").rows.remove(0).order;
        assert_eq!((read.shipments[0].waybill.tracking.as_str(), read.shipments[0].shipped_at_ms), ("SF1", Some(5)));
        assert_eq!(read.shipments[0].lines, [LinePieces { line: 0, quantity: 1 }]);
        let [known, unknown] = read.after_sales.as_slice() else { panic!("{:?}", read.after_sales) };
        assert_eq!((known.kind, known.state, known.deadline_ms), (AfterSaleKind::RefundOnly, AfterSaleState::Requested, Some(7)));
        assert_eq!((unknown.kind, unknown.state), (AfterSaleKind::Other, AfterSaleState::Unknown));
        assert_eq!((unknown.raw_state.as_str(), unknown.line), ("in_mediation", None));
        // A shop of before: one parcel, and it does not say what is in it.
        let mut old = order_json();
        old["shipment"] = json!({ "carrier": "EMS", "tracking": "E1", "atMs": 9 });
        let read = page(0, feed(&[old]), order).expect("page").rows.remove(0).order;
        assert_eq!((read.shipments.len(), read.shipments[0].lines.len(), read.left_to_ship()), (1, 0, None));
        // What points nowhere is no order that anybody could pack.
        for (path, value) in [
            ("/shipments/0/lines/0/line", json!(1)),
            ("/shipments/0/lines/0/quantity", json!(0)),
            ("/afterSales/0/line", json!(7)),
            ("/afterSales/0/id", json!("")),
            ("/afterSales/0/amount/amount", json!(-1)),
            ("/afterSales/0/amount/currency", json!("USD")),
        ] {
            let mut bad = json.clone();
            *bad.pointer_mut(path).expect("there") = value;
            assert_eq!(page(0, feed(&[bad]), order).expect("page").unread.len(), 1, "{path}");
        }
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
