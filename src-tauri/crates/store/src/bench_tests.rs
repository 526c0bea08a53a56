//! The short form of `cargo xtask bench store`: the same orders and the same questions, and instead of a clock the
//! instructions that SQLite's machine executes, which are the same on every machine. What is read without an index shows as
//! growth: four times the orders, four times the work.

#[path = "../examples/bench_store/questions.rs"]
mod questions;
#[path = "../examples/bench_store/shop.rs"]
mod shop;

use crate::Store;
use questions::Question;
use shop::{PAGE, Shop};
use sqlx::SqliteConnection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const FEW: u64 = 5_000;
const MANY: u64 = 20_000;
/// Most growth of a question's work from [`FEW`] to [`MANY`] orders; the logarithm grows by 1.16.
const GROWTH: f64 = 1.5;
/// Questions of each kind.
const ASKED: u64 = 20;
/// Instructions between two looks.
const STRIDE: i32 = 8;
/// A hang guard: four times what it takes in a debug build on two cores that others keep busy.
const HANG: Duration = Duration::from_secs(120);

/// Instructions of all connections of a store, in strides.
#[derive(Debug, Default, Clone)]
struct Work(Arc<AtomicU64>);

impl Work {
    async fn watch(&self, conn: &mut SqliteConnection) {
        let count = Arc::clone(&self.0);
        conn.lock_handle().await.expect("handle").set_progress_handler(STRIDE, move || {
            count.fetch_add(1, Ordering::Relaxed);
            true
        });
    }

    /// Every connection of the pool, all held at once so that none is watched twice.
    async fn of_readers(store: &Store) -> Self {
        let work = Self::default();
        let mut held = Vec::new();
        for _ in 0..store.readers().options().get_max_connections() {
            held.push(store.readers().acquire().await.expect("a reader"));
        }
        for conn in &mut held {
            work.watch(conn).await;
        }
        work
    }

    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

struct Filled {
    store: Store,
    /// Of each page's transaction.
    pages: Vec<u64>,
}

async fn filled(folder: &Path, orders: u64) -> Filled {
    let store = shop::open(&folder.join("stallcast.db")).await.expect("open");
    let work = Work::default();
    work.watch(&mut store.acquire_writer().await.expect("the writer")).await;
    let mut pages = Vec::new();
    let mut cursor = None;
    for n in 0..orders / PAGE {
        cursor = Some(shop::apply(&store, cursor.as_deref(), Shop.page(n, orders)).await.expect("page"));
        pages.push(work.take());
    }
    assert_eq!(u64::from(store.order_counts().await.expect("counts").total), orders, "every order is there once");
    Filled { store, pages }
}

/// Work of all questions of a kind.
async fn asked(store: &Store, question: &Question) -> u64 {
    let work = Work::of_readers(store).await;
    for n in 0..ASKED {
        let page = questions::ask(store, question, n).await.expect("found");
        assert!(page.rows.is_sorted_by(|a, b| a.key > b.key), "{}: newest first", question.kind);
    }
    work.take()
}

#[tokio::test]
async fn no_question_and_no_page_costs_more_with_more_orders() {
    tokio::time::timeout(HANG, async {
        let folders = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
        let (few, many) = (filled(folders.0.path(), FEW).await, filled(folders.1.path(), MANY).await);
        for (small, large) in questions::all(FEW, ASKED).iter().zip(&questions::all(MANY, ASKED)) {
            let (before, after) = (asked(&few.store, small).await, asked(&many.store, large).await);
            eprintln!("{:>8}: {before:>7} → {after:>7}", small.kind);
            assert!(before > 0, "{}: the work is seen", small.kind);
            assert!(after as f64 <= before as f64 * GROWTH, "{}: {before} → {after}", small.kind);
        }
        // A page that is stored late costs what an early one cost; the first ones are cheaper, the tree is small.
        let (early, late) = (many.pages[4], many.pages[many.pages.len() - 1]);
        eprintln!("    page: {early:>7} → {late:>7}");
        assert!(late as f64 <= early as f64 * GROWTH, "page {early} → {late}");

        // The measure sees what it is for: without the index each order is read.
        sqlx::query("DROP INDEX orders_status").execute(many.store.writer()).await.expect("dropped");
        let few_orders = questions::all(MANY, ASKED).into_iter().find(|q| q.kind == "few").expect("a kind");
        let without = asked(&many.store, &few_orders).await;
        assert!(without > ASKED * MANY / u64::from(STRIDE.unsigned_abs()), "{without}");
        few.store.close().await;
        many.store.close().await;
    })
    .await
    .expect("in time");
}
