//! Orders into and out of the database, measured here and now: `cargo xtask bench store` (release). Bars: at least 10 000
//! orders a second through `apply_orders` with full durability, at least 0.4 of a bulk insert that SQLite does by itself in the
//! same run; with a million orders every page in 20 ms (p99) and opening in 1 s; growth no faster than the logarithm. What of
//! this needs no clock is a test: `src/bench_tests.rs` puts the same questions to a small database.
//!
//! `bench_store [ORDERS…]`: sizes of the database, 10000 100000 1000000 without any.
#![expect(clippy::print_stdout, reason = "a measuring program talks on standard output")]

mod questions;
mod shop;

use shop::{PAGE, Shop};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use stallcast_model::{FeedPage, ReceivedOrder};
use stallcast_store::{OrderQuery, Store};
use std::path::Path;
use std::time::{Duration, Instant};

/// Bar: orders a second.
const RATE: f64 = 10_000.0;
/// Bar: share of SQLite's own bulk insert.
const RATIO: f64 = 0.4;
/// Bar: one page, 99 of 100.
const PAGE_P99: Duration = Duration::from_millis(20);
/// Bar: opening.
const OPEN: Duration = Duration::from_secs(1);
/// Orders of the first synchronisation.
const FIRST_SYNC: u64 = 100_000;
/// Questions of each kind.
const ASKED: u64 = 200;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let given: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let sizes = if given.is_empty() { vec![10_000, 100_000, 1_000_000] } else { given };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let missed = runtime.block_on(run(&sizes))?;
    if missed.is_empty() { Ok(()) } else { Err(format!("not kept: {}", missed.join("; ")).into()) }
}

async fn run(sizes: &[u64]) -> Outcome<Vec<String>> {
    let mut missed = Vec::new();
    let dir = tempfile::tempdir()?;
    first_sync(dir.path(), &mut missed).await?;
    println!();
    println!(
        "{:>9} {:>9} {} {:>8}",
        "orders",
        "open",
        questions::all(1, ASKED).map(|question| format!("{:>9}", question.kind)).join(" "),
        "MiB"
    );
    let mut growth: Vec<(u64, Duration)> = Vec::new();
    for size in sizes {
        let dir = tempfile::tempdir()?;
        let worst = reading(dir.path(), *size, &mut missed).await?;
        growth.push((*size, worst));
    }
    for pair in growth.windows(2) {
        let [(few, before), (many, after)] = pair else { continue };
        let factor = after.as_secs_f64() / before.as_secs_f64().max(1e-6);
        println!(
            "{few} → {many} orders: the slowest question takes {factor:.2} times as long (log n: {:.2})",
            (*many as f64).ln() / (*few as f64).ln()
        );
    }
    Ok(missed)
}

/// 100 000 orders through `apply_orders`, and the same rows copied by SQLite itself.
async fn first_sync(folder: &Path, missed: &mut Vec<String>) -> Outcome<()> {
    let shop = Shop;
    let pages: Vec<_> = (0..FIRST_SYNC / PAGE).map(|n| shop.page(n, FIRST_SYNC)).collect();
    let path = folder.join("stallcast.db");
    let store = shop::open(&path).await?;
    let begun = Instant::now();
    fill(&store, pages).await?;
    let ours = begun.elapsed();
    store.close().await;
    let raw = bulk_insert(&path, &folder.join("raw.db")).await?;
    let (rate, ratio) = (FIRST_SYNC as f64 / ours.as_secs_f64(), raw.as_secs_f64() / ours.as_secs_f64());
    println!("first sync     {FIRST_SYNC} orders in {ours:.2?}: {rate:.0} orders/s (bar {RATE:.0}), synchronous=FULL, pages of {PAGE}");
    println!("SQLite itself  the same rows in {raw:.2?}: ratio {ratio:.2} (bar {RATIO})");
    if rate < RATE {
        missed.push(format!("first sync {rate:.0} orders/s"));
    }
    if ratio < RATIO {
        missed.push(format!("ratio to a bulk insert {ratio:.2}"));
    }
    Ok(())
}

async fn fill(store: &Store, pages: impl IntoIterator<Item = FeedPage<ReceivedOrder>>) -> Outcome<()> {
    let mut cursor: Option<String> = None;
    for page in pages {
        cursor = Some(shop::apply(store, cursor.as_deref(), page).await?);
    }
    Ok(())
}

/// The yardstick: `INSERT … SELECT` of the rows of orders, lines and buyers into the same tables with the same keys and indexes,
/// page by page with the same durability. No driver, no JSON, no sealing, no text index, no tally.
async fn bulk_insert(from: &Path, to: &Path) -> Outcome<Duration> {
    let options = SqliteConnectOptions::new()
        .filename(to)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .pragma("cache_size", "-16384");
    let mut conn = sqlx::SqliteConnection::connect_with(&options).await?;
    sqlx::query("ATTACH ? AS source").bind(from.to_string_lossy().into_owned()).execute(&mut conn).await?;
    let made: Vec<String> = sqlx::query_scalar(
        "SELECT sql FROM source.sqlite_master WHERE tbl_name IN ('orders', 'order_line', 'buyer') AND type IN ('table', 'index')
         AND sql IS NOT NULL ORDER BY type DESC",
    )
    .fetch_all(&mut conn)
    .await?;
    for sql in made {
        sqlx::QueryBuilder::<sqlx::Sqlite>::new(sql).build().execute(&mut conn).await?;
    }
    // Warm: reading the source is not what is measured.
    for table in [
        "SELECT sum(length(number)) FROM source.orders",
        "SELECT sum(length(sealed)) FROM source.buyer",
        "SELECT sum(length(title)) FROM source.order_line",
    ] {
        sqlx::query(table).execute(&mut conn).await?;
    }
    let keys: Vec<i64> = sqlx::query_scalar("SELECT key FROM source.orders ORDER BY key").fetch_all(&mut conn).await?;
    let begun = Instant::now();
    for page in keys.chunks(usize::try_from(PAGE)?) {
        let (Some(first), Some(last)) = (page.first(), page.last()) else { continue };
        sqlx::query("BEGIN IMMEDIATE").execute(&mut conn).await?;
        for copy in [
            "INSERT INTO main.orders SELECT * FROM source.orders WHERE key BETWEEN ? AND ?",
            "INSERT INTO main.order_line SELECT * FROM source.order_line WHERE order_key BETWEEN ? AND ?",
            "INSERT INTO main.buyer SELECT * FROM source.buyer WHERE order_key BETWEEN ? AND ?",
        ] {
            sqlx::query(copy).bind(first).bind(last).execute(&mut conn).await?;
        }
        sqlx::query("COMMIT").execute(&mut conn).await?;
    }
    let took = begun.elapsed();
    conn.close().await?;
    Ok(took)
}

/// Questions to a database of one size. Returns the slowest kind's p99.
async fn reading(folder: &Path, orders: u64, missed: &mut Vec<String>) -> Outcome<Duration> {
    let shop = Shop;
    let path = folder.join("stallcast.db");
    let store = shop::open(&path).await?;
    fill(&store, (0..orders / PAGE).map(|n| shop.page(n, orders))).await?;
    store.close().await;
    let begun = Instant::now();
    let store = shop::open(&path).await?;
    let open = begun.elapsed();
    let mut slowest = Duration::ZERO;
    let mut cells = Vec::new();
    for question in questions::all(orders, ASKED) {
        let (kind, p99) = (question.kind, time(&store, &question).await?);
        slowest = slowest.max(p99);
        cells.push(p99);
        if p99 > PAGE_P99 {
            missed.push(format!("{kind} of {orders} orders: p99 {p99:.1?}"));
        }
    }
    if open > OPEN {
        missed.push(format!("opening {orders} orders: {open:.2?}"));
    }
    let full = store.orders(OrderQuery { limit: 1, ..OrderQuery::default() }).await?;
    assert_eq!(full.len(), 1, "the questions were put to a database that has rows");
    store.close().await;
    let bytes = std::fs::metadata(&path)?.len();
    let cells: Vec<String> = cells.iter().map(|p99| format!("{:>9}", format!("{:.1} ms", p99.as_secs_f64() * 1e3))).collect();
    println!("{orders:>9} {:>9} {} {:>8}", format!("{:.0} ms", open.as_secs_f64() * 1e3), cells.join(" "), bytes >> 20);
    Ok(slowest)
}

async fn time(store: &Store, question: &questions::Question) -> Outcome<Duration> {
    let mut took = Vec::new();
    for n in 0..ASKED {
        let begun = Instant::now();
        questions::ask(store, question, n).await?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    Ok(took.get(took.len() * 99 / 100).copied().unwrap_or_default())
}
