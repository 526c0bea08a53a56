//! What is true on the platform, and what was done to it.

use crate::words::Dice;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One order and its earlier faces, for late repeats.
#[derive(Debug, Clone)]
pub struct Sold {
    pub json: Value,
    pub version: i64,
    old: Vec<Value>,
}

#[derive(Debug, Default)]
pub struct World {
    /// Numbers of changes.
    pub seq: i64,
    pub orders: HashMap<String, Sold>,
    /// Version → order, at its latest only: the feed.
    pub feed: BTreeMap<i64, String>,
    /// Every change: when, which, to which version.
    pub changes: Vec<(i64, String, i64)>,
    pub coupons: HashMap<String, Value>,
    pub pin: Option<String>,
    pub live: Option<(String, Value)>,
    /// Effects by what they are about: how often each was applied.
    pub applied: HashMap<String, u32>,
    keys: HashSet<String>,
    /// This platform recognises the keys of earlier requests.
    pub knows_keys: bool,
    /// Something happened that must not.
    pub wrong: Vec<String>,
    pub faults: BTreeMap<String, u64>,
    pub dice: Option<Dice>,
    pub token: String,
}

pub fn now_ms() -> i64 {
    stallcast_clock::Clock::utc_ms(&stallcast_clock::SystemClock)
}

fn yuan(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "CNY" })
}

impl World {
    pub fn dice(&mut self) -> &mut Dice {
        self.dice.get_or_insert(Dice(0))
    }

    fn put(&mut self, id: &str, change: impl FnOnce(&mut Value)) {
        self.seq += 1;
        let (seq, now) = (self.seq, now_ms());
        let back = i64::try_from(self.dice().below(172_800_000)).unwrap_or(0);
        let sold = self.orders.entry(id.to_owned()).or_insert_with(|| Sold {
            json: json!({
                "id": id, "number": id, "buyer": { "name": "林小姐", "phone": "13800138000", "address": "杭州" },
                "lines": [{ "productId": "p-1", "skuId": "s-1", "title": "盖碗", "quantity": 1, "unitPrice": yuan(6_800) }],
                "total": yuan(6_800), "discount": yuan(0), "payment": "awaiting", "fulfilment": "unshipped", "afterSale": "none",
                // Many arrive long after they were placed.
                "placedAtMs": now - back,
            }),
            version: 0,
            old: Vec::new(),
        });
        if sold.version > 0 && sold.old.len() < 4 {
            sold.old.push(sold.json.clone());
        }
        let before = std::mem::replace(&mut sold.version, seq);
        change(&mut sold.json);
        sold.json["version"] = json!(seq);
        self.feed.remove(&before);
        self.feed.insert(seq, id.to_owned());
        self.changes.push((now, id.to_owned(), seq));
    }

    /// The buyer of an order asks for money back.
    fn ask(&mut self, id: &str) {
        let asked = format!("as-{}", self.seq + 1);
        self.put(id, |order| {
            let request = json!({ "id": asked, "line": 0, "quantity": 1, "kind": "refund_only", "state": "requested",
                "amount": yuan(6_800), "reason": "杯口有裂纹", "updatedAtMs": now_ms() });
            match order["afterSales"].as_array_mut() {
                Some(list) => list.push(request),
                None => order["afterSales"] = json!([request]),
            }
            order["afterSale"] = json!("requested");
        });
    }

    /// A buyer places an order, pays it, has part of it refunded, or asks for the rest.
    pub fn buy(&mut self) {
        let count = self.orders.len() as u64;
        let n = if count == 0 || self.dice().one_in(3) { count } else { self.dice().below(count) };
        let id = format!("o-{n}");
        let can_ask = self.orders.get(&id).is_some_and(|sold| sold.json["payment"] != "awaiting" && sold.json["afterSale"] != "requested");
        if can_ask && self.dice().one_in(3) {
            return self.ask(&id);
        }
        self.put(&id, |order| {
            let next = match order["payment"].as_str() {
                Some("awaiting") => "paid",
                Some("paid") => "partly_refunded",
                _ => "paid",
            };
            order["payment"] = json!(next);
        });
    }

    /// Applies an effect unless its key is known. What it is about happens once, or it is written down as wrong.
    pub fn apply(&mut self, method: &str, path: &[&str], key: &str, body: &Value) -> (u16, Value) {
        if self.knows_keys && !self.keys.insert(key.to_owned()) {
            return (200, json!({}));
        }
        let about = match (method, path) {
            ("POST", ["orders", id, "ship"]) => {
                let Some(sold) = self.orders.get(*id) else { return (404, json!({ "code": "not_found" })) };
                let there = sold.json["shipment"].clone();
                if !there.is_null() {
                    self.wrong.push(format!("{id} was shipped again by {key}: {there} and {body}"));
                }
                self.put(id, |order| {
                    order["fulfilment"] = json!("shipped");
                    order["shipment"] = body.clone();
                });
                format!("ship {id}")
            }
            ("POST", ["orders", id, "after-sales", asked, deed]) => {
                let Some(sold) = self.orders.get(*id) else { return (404, json!({ "code": "not_found" })) };
                let list = sold.json["afterSales"].as_array();
                let Some(at) = list.and_then(|list| list.iter().position(|a| a["id"] == *asked)) else {
                    return (404, json!({ "code": "not_found" }));
                };
                let state = sold.json["afterSales"][at]["state"].clone();
                if state != "requested" {
                    self.wrong.push(format!("{asked} was answered again by {key}: {state} and {deed}"));
                }
                self.put(id, |order| {
                    order["afterSales"][at]["state"] = json!(if *deed == "agree" { "refunded" } else { "rejected" });
                    order["afterSales"][at]["answer"] = body["reason"].clone();
                    order["afterSale"] = json!("closed");
                });
                format!("answer {asked}")
            }
            ("PUT", ["coupons", id]) => {
                let ends = now_ms() + 400;
                let mut coupon = body.clone();
                for (name, value) in [("id", json!(id)), ("claimed", json!(0)), ("endsAtMs", json!(ends))] {
                    coupon[name] = value;
                }
                if self.coupons.insert((*id).to_owned(), coupon).is_some() {
                    self.wrong.push(format!("coupon {id} was issued again by {key}"));
                }
                format!("coupon {id}")
            }
            ("PUT", ["rooms", "main", "pin"]) => {
                self.pin = body["productId"].as_str().map(str::to_owned);
                return (200, json!({}));
            }
            ("DELETE", ["rooms", "main", "pin"]) => {
                self.pin = None;
                return (200, json!({}));
            }
            ("PUT", ["rooms", "main", "live"]) => {
                self.live = body["state"].as_str().map(|s| (s.to_owned(), body["startedAtMs"].clone()));
                return (200, json!({}));
            }
            _ => return (404, json!({ "code": "not_found" })),
        };
        *self.applied.entry(about).or_default() += 1;
        (200, json!({}))
    }

    pub fn coupon(&self, id: &str) -> Option<Value> {
        let mut coupon = self.coupons.get(id)?.clone();
        let over = coupon["endsAtMs"].as_i64().is_some_and(|at| at <= now_ms());
        coupon["state"] = json!(if over { "ended" } else { "active" });
        Some(coupon)
    }

    pub fn room(&self) -> Value {
        let (state, since) = self.live.clone().unwrap_or_else(|| ("idle".to_owned(), Value::Null));
        let pin = self.pin.as_ref().map(|id| json!({ "productId": id, "atMs": 0 }));
        json!({ "live": { "state": state, "startedAtMs": since }, "pin": pin, "nowMs": now_ms() })
    }

    /// A page of orders behind `after`; with `repeats`, rows twice and old faces after new ones.
    pub fn page(&self, after: i64, limit: usize, repeats: bool) -> Value {
        let up_to = now_ms();
        let mut rows: Vec<(i64, &String)> = self.feed.range(after + 1..).take(limit + 1).map(|(v, id)| (*v, id)).collect();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().map_or(after, |(v, _)| *v);
        let mut orders: Vec<Value> = rows.iter().map(|(_, id)| self.orders[*id].json.clone()).collect();
        if repeats {
            let again = orders.clone();
            orders.extend(again);
            orders.extend(rows.iter().flat_map(|(_, id)| self.orders[*id].old.clone()));
        }
        json!({ "orders": orders, "nextAfter": next, "more": more, "upToMs": up_to, "feed": "feed 1" })
    }

    /// Twenty comments in small pages.
    pub fn comments(after: i64) -> Value {
        let comment = |n: i64| json!({ "id": format!("c-{n}"), "version": n, "author": "云**", "text": "在吗", "atMs": n, "kind": "chat" });
        let to = (after + 7).min(20);
        let rows: Vec<Value> = (after + 1..=to).map(comment).collect();
        json!({ "comments": rows, "nextAfter": after.max(to), "more": to < 20, "upToMs": now_ms(), "feed": "feed 1" })
    }

    pub fn products(after: i64) -> Value {
        let product = |n: i64| {
            json!({ "id": format!("p-{n}"), "number": n, "title": format!("盖碗 {n}"), "seq": n,
                "skus": [{ "id": format!("s-{n}"), "price": yuan(6_800), "stock": 9 }] })
        };
        let rows: Vec<Value> = (after + 1..=5).map(product).collect();
        json!({ "products": rows, "nextAfter": after.max(5), "more": false, "upToMs": now_ms(), "feed": "feed 1" })
    }
}
