//! The connected shops in their order, and how far all of them together are known.

use super::Selling;
use super::changed::Changed;
use crate::view::SealView;
use stallcast_model::ConnectionId;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::Notify;

/// The connected shops: that of this machine first, then the others in the order they were added. Guarded for moments only.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    list: RwLock<Vec<Arc<Selling>>>,
    /// One change of the list at a time: the same shop is never added twice.
    pub turn: tokio::sync::Mutex<()>,
    changed: Mutex<Changed>,
    news: Notify,
}

impl Connections {
    pub(crate) fn all(&self) -> Vec<Arc<Selling>> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The shop that the show is called by: the first one.
    pub(crate) fn first(&self) -> Option<Arc<Selling>> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }

    /// The shop of this machine.
    pub(crate) fn own(&self) -> Option<Arc<Selling>> {
        self.all().into_iter().find(|s| s.is_own())
    }

    /// The shop whose rows carry this id.
    pub(crate) fn of(&self, connection: &str) -> Option<Arc<Selling>> {
        self.all().into_iter().find(|s| s.id().as_str() == connection)
    }

    /// Never two outbox workers for one shop: one that is there already comes back.
    pub(crate) fn put(&self, selling: Arc<Selling>) -> Result<(), Arc<Selling>> {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        if list.iter().any(|s| s.id() == selling.id()) {
            return Err(selling);
        }
        if selling.is_own() {
            list.insert(0, selling)
        } else {
            list.push(selling)
        }
        Ok(())
    }

    pub(crate) fn take(&self, connection: &ConnectionId) -> Option<Arc<Selling>> {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let at = list.iter().position(|s| s.id() == connection)?;
        Some(list.remove(at))
    }

    /// Something is to be told.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Changed)) {
        change(&mut self.changed.lock().unwrap_or_else(PoisonError::into_inner));
        self.news.notify_one();
    }

    /// Waits until something is to be told. For one reader.
    pub(crate) async fn changed(&self) -> Changed {
        loop {
            let changed = std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner));
            if changed != Changed::default() {
                return changed;
            }
            self.news.notified().await;
        }
    }
}

/// How far one shop is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OneSeal {
    /// Proven up to, ms UTC, by our clock; `None` before anything was.
    pub up_to_ms: Option<i64>,
    /// And the proof is young enough.
    pub is_whole: bool,
    /// Name of the shop.
    pub name: String,
}

/// How far all shops are known together: whole only where each is, as far as the one that is known least.
pub(crate) fn together(seals: &[OneSeal]) -> SealView {
    let proven = seals.iter().map(|s| s.up_to_ms).min().flatten();
    let behind: Vec<String> = seals.iter().filter(|s| !s.is_whole).map(|s| s.name.clone()).collect();
    match proven.map(crate::present::ms) {
        Some(up_to_ms) if behind.is_empty() => SealView::Complete { up_to_ms },
        // Of none anything is known.
        None if seals.iter().all(|s| s.up_to_ms.is_none()) => SealView::Unknown,
        up_to_ms => SealView::Behind { up_to_ms, connections: behind },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_whole_only_where_every_shop_is() {
        let of = |name: &str, up_to_ms, is_whole| OneSeal { up_to_ms, is_whole, name: name.to_owned() };
        assert_eq!(together(&[]), SealView::Unknown);
        assert_eq!(together(&[of("a", None, false), of("b", None, false)]), SealView::Unknown);
        assert_eq!(together(&[of("a", Some(9), true), of("b", Some(7), true)]), SealView::Complete { up_to_ms: 7.0 });
        let behind = |up_to_ms, names: &[&str]| SealView::Behind { up_to_ms, connections: names.iter().map(|n| (*n).to_owned()).collect() };
        assert_eq!(together(&[of("a", Some(9), true), of("b", Some(7), false)]), behind(Some(7.0), &["b"]));
        assert_eq!(together(&[of("a", Some(3), false), of("b", Some(7), false)]), behind(Some(3.0), &["a", "b"]));
        assert_eq!(together(&[of("a", Some(9), true), of("b", None, false)]), behind(None, &["b"]), "nothing is known of b");
    }
}
