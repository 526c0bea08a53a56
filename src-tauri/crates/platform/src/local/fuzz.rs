//! Answers of the shop as anybody may write them. For the fuzzer and its short form; not in the program.

use super::{comments, http, read, sse, wire};
use serde_json::value::RawValue;

/// Reads bytes as each of the answers that the adapter takes, chosen by the first one. What can be read is in range.
pub fn answer(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    match kind % 9 {
        0 => {
            let Ok(feed) = serde_json::from_slice::<wire::Feed>(body) else { return };
            let Ok(page) = read::page(7, feed, read::order) else { return };
            let next: i64 = page.next.parse().unwrap_or(i64::MIN);
            assert!(next >= 7, "a feed that goes back");
            for row in page.rows {
                assert!(row.order.version > 0 && !row.order.id.as_str().is_empty(), "{:?}", row.order.id);
                assert!(row.order.total.amount >= 0 && row.order.lines.iter().all(|l| l.quantity > 0));
                let _ = (row.order.status(), row.order.total.to_string(), row.order.total.short());
            }
            assert!(page.unread.iter().all(|row| !row.id.is_empty() && row.id.len() <= 128));
        }
        1 => {
            let Ok(feed) = serde_json::from_slice::<wire::Feed>(body) else { return };
            let Ok(page) = read::page(0, feed, |raw| read::product(raw, 1)) else { return };
            for row in page.rows {
                assert!(row.product.validate().is_ok());
            }
        }
        2 => {
            if let Ok(raw) = serde_json::from_slice::<Box<RawValue>>(body) {
                let _ = read::order(&raw).map_err(|unread| format!("{unread:?}"));
            }
        }
        3 => drop(serde_json::from_slice::<wire::Coupon>(body).ok().map(wire::Coupon::read)),
        4 => {
            if let Ok(room) = serde_json::from_slice::<wire::Room>(body) {
                let _ = (room.live.read(), room.pin.map(wire::Pin::read), room.now_ms);
            }
        }
        5 => drop(serde_json::from_slice::<wire::Face>(body).ok().map(wire::Face::read)),
        6 => {
            // The status is in the first byte of the rest.
            let status = 400 + u16::from(body.first().copied().unwrap_or(0));
            let code = http::code_of(status, body.get(1..).unwrap_or_default());
            assert!(code.len() <= 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{code:?}");
        }
        7 => {
            let Ok(feed) = serde_json::from_slice::<wire::Feed>(body) else { return };
            let Ok(page) = read::page(0, feed, comments::read) else { return };
            for row in page.rows {
                assert!(row.version > 0 && !row.text.is_empty() && row.text.chars().count() <= stallcast_model::Comment::TEXT_MOST);
                assert!(!row.text.chars().any(char::is_control));
                assert!(row.source.chars().count() <= stallcast_model::Comment::SOURCE_MOST && !row.source.chars().any(char::is_control));
            }
        }
        _ => sse::read_all(body),
    }
}

#[cfg(test)]
mod tests {
    use super::answer;
    use proptest::prelude::*;
    use proptest::test_runner::{Config, FileFailurePersistence};
    use serde_json::{Value, json};

    fn order() -> Value {
        json!({ "orders": [{ "id": "o", "number": "1", "version": 9, "buyer": { "name": "林", "phone": "1", "address": "a" },
            "lines": [{ "productId": "p", "skuId": "s", "title": "t", "quantity": 1, "unitPrice": { "amount": 1, "currency": "CNY" } }],
            "total": { "amount": 1, "currency": "CNY" }, "discount": { "amount": 0, "currency": "CNY" }, "payment": "paid",
            "fulfilment": "unshipped", "afterSale": "none", "placedAtMs": 1, "shipment": { "carrier": "c", "tracking": "t" } }],
            "nextAfter": 9, "more": false, "upToMs": 1, "feed": "f" })
    }

    fn product() -> Value {
        json!({ "products": [{ "id": "p", "number": 1, "title": "t", "seq": 9, "skus": [{ "id": "s", "title": "",
            "price": { "amount": 1, "currency": "CNY" }, "oldPrice": null, "stock": 1 }] }], "nextAfter": 9, "more": true, "upToMs": 1 })
    }

    fn whole(kind: u8) -> Value {
        match kind {
            0 => order(),
            1 => product(),
            2 => order()["orders"][0].clone(),
            3 => json!({ "id": "c", "discount": { "amount": 1, "currency": "CNY" }, "threshold": { "amount": 1, "currency": "CNY" },
                "quantity": 1, "claimed": 0, "state": "active", "validS": 60, "endsAtMs": 1 }),
            7 => {
                json!({ "comments": [{ "id": "c", "version": 9, "source": "抖音", "author": "云**", "text": "多少钱", "atMs": 1, "kind": "chat",
                "hidden": false }], "nextAfter": 9, "more": false, "upToMs": 1 })
            }
            4 => json!({ "live": { "state": "live", "startedAtMs": 1 }, "pin": { "productId": "p", "atMs": 1 }, "nowMs": 1 }),
            _ => json!({ "name": "n", "currency": "CNY" }),
        }
    }

    /// Anything in JSON.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop::sample::select(vec!["", "CNY", "XXX", "paid", "\u{0}", "９", "active", "9223372036854775808"]).prop_map(Value::from),
            "\\PC{0,200}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,8}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    /// Replaces the `n`-th value, or takes it away.
    fn damage(at: &mut Value, n: &mut usize, with: &Option<Value>) -> bool {
        if *n == 0 {
            match with {
                Some(value) => *at = value.clone(),
                None => return true,
            }
        }
        *n = n.wrapping_sub(1);
        match at {
            Value::Array(all) => all.retain_mut(|v| *n == usize::MAX || !damage(v, n, with)),
            Value::Object(all) => all.retain(|_, v| *n == usize::MAX || !damage(v, n, with)),
            _ => {}
        }
        false
    }

    proptest! {
        #![proptest_config(Config {
            cases: 1_000,
            failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/answers.txt"))),
            ..Config::default()
        })]

        #[test]
        fn damaged_answers_are_read_or_refused(kind in prop::sample::select(vec![0_u8, 1, 2, 3, 4, 5, 7]), wounds in prop::collection::vec((0..40_usize, prop::option::of(value())), 0..4)) {
            let mut json = whole(kind);
            for (mut n, with) in wounds {
                damage(&mut json, &mut n, &with);
            }
            answer(&[&[kind], json.to_string().as_bytes()].concat());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>(), kind in 0..9_u8) {
            answer(&bytes);
            // And a good answer that was cut or has strange bytes in it.
            let mut text = whole(kind).to_string().into_bytes();
            text.insert(0, kind);
            let at = cut.index(text.len());
            let mut strange = text.clone();
            strange.splice(at..at, bytes);
            answer(&strange);
            answer(&text[..at]);
        }
    }
}
