//! What must hold after each death.

use crate::Outcome;
use crate::worker::{open, shop};
use serde_json::Value;
use stallcast_model::{CouponState, OrderId};
use stallcast_store::{CommentSearch, OrderQuery, Resource, Store};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The platform's account of itself.
pub struct Truth {
    /// When, which order, to which version.
    changes: Vec<(i64, String, i64)>,
    pub wrong: Vec<String>,
    pub applied: HashMap<String, u32>,
    pub faults: HashMap<String, u64>,
}

impl Truth {
    pub fn read(json: Value) -> Outcome<Self> {
        let field = |name: &str| json.get(name).cloned().unwrap_or_default();
        Ok(Self {
            changes: serde_json::from_value(field("changes"))?,
            wrong: serde_json::from_value(field("wrong"))?,
            applied: serde_json::from_value(field("applied"))?,
            faults: serde_json::from_value(field("faults"))?,
        })
    }

    pub fn last_version(&self) -> Option<i64> {
        self.changes.last().map(|(_, _, version)| *version)
    }
}

/// After a death: the seal claims nothing that is not stored, and nothing happened twice. Returns the newest change that
/// the seal covers: those before it need not be looked at again.
pub async fn after_death(data: &Path, truth: &Truth) -> Outcome<Option<i64>> {
    if let Some(wrong) = truth.wrong.first() {
        return Err(format!("the platform: {wrong}").into());
    }
    if let Some((about, times)) = truth.applied.iter().find(|(_, times)| **times > 1) {
        return Err(format!("{about} happened {times} times").into());
    }
    let store = open(data).await?;
    let outcome = seal_holds(&store, truth).await;
    store.close().await;
    outcome
}

async fn seal_holds(store: &Store, truth: &Truth) -> Outcome<Option<i64>> {
    let Some(up_to) = store.seal(&shop(), Resource::Orders).await?.and_then(|s| s.complete_up_to_ms) else { return Ok(None) };
    let mut covered = None;
    for (at, id, version) in truth.changes.iter().take_while(|(at, ..)| *at < up_to) {
        let stored = store.order(&shop(), &OrderId::new(id)).await?.map(|row| row.order.version);
        if stored.is_none_or(|v| v < *version) {
            return Err(format!("complete up to {up_to}, but {id} of {at} is stored at {stored:?} instead of {version}").into());
        }
        covered = Some(*version);
    }
    Ok(covered)
}

/// At rest: every order there once at its last version, and every wish came true once or says that it did not.
pub async fn at_rest(data: &Path, orders: &HashMap<String, i64>, truth: &Truth) -> Outcome {
    let store = open(data).await?;
    let outcome = all_there(&store, orders, truth).await;
    store.close().await;
    outcome
}

async fn all_there(store: &Store, orders: &HashMap<String, i64>, truth: &Truth) -> Outcome {
    let mut stored: HashMap<String, i64> = HashMap::new();
    let mut before = None;
    loop {
        let rows = store.orders(OrderQuery { limit: 500, before, ..OrderQuery::default() }).await?;
        before = rows.last().map(|r| r.key);
        for row in &rows {
            if stored.insert(row.order.id.to_string(), row.order.version).is_some() {
                return Err(format!("{} is there twice", row.order.id).into());
            }
            let sent = truth.applied.contains_key(&format!("ship {}", row.order.id));
            if row.order.shipments.is_empty() == sent {
                return Err(format!("{}: sent is {sent} on the platform and {} here", row.order.id, !row.order.shipments.is_empty()).into());
            }
        }
        for asked in rows.iter().flat_map(|row| &row.order.after_sales) {
            let answered = truth.applied.contains_key(&format!("answer {}", asked.id));
            if asked.state.is_over() != answered {
                return Err(format!("after-sale {}: {:?} here, answered on the platform: {answered}", asked.id, asked.state).into());
            }
        }
        if rows.is_empty() {
            break;
        }
    }
    if let Some((id, version)) = orders.iter().find(|(id, version)| stored.get(*id) != Some(version)) {
        return Err(format!("{id} is lost or old: {:?} instead of {version}", stored.get(id)).into());
    }
    if stored.len() != orders.len() || store.order_counts().await?.total as usize != stored.len() {
        return Err(format!("{} orders instead of {}", stored.len(), orders.len()).into());
    }
    let comments = store.search_comments(CommentSearch { text: String::new(), before: None, limit: 100 }).await?.rows;
    let ids: HashSet<_> = comments.iter().map(|row| row.comment.id.clone()).collect();
    if ids.len() != comments.len() || store.comment_counts().await?.0 as usize != comments.len() {
        return Err(format!("{} comments, {} of them different", comments.len(), ids.len()).into());
    }
    for coupon in store.coupons().await? {
        let there = truth.applied.contains_key(&format!("coupon {}", coupon.coupon.id));
        let state = coupon.coupon.state;
        if matches!(state, CouponState::Active | CouponState::Ended) != there && state != CouponState::Failed {
            return Err(format!("coupon {}: {state:?} here, on the platform: {there}", coupon.coupon.id).into());
        }
    }
    Ok(())
}
