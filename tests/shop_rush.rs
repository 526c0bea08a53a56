//! Many buyers at once, and the same buyer twice: nothing is sold that is not there, and nothing twice.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use stallcast_testing::program::Desk;
use stallcast_testing::shop::unique;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Hang guard.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until the studio's own database holds these orders and no others, each once.
fn wait_in_studio(desk: &Desk, wanted: &[String]) -> anyhow::Result<()> {
    let mut wanted = wanted.to_vec();
    wanted.sort();
    let begun = Instant::now();
    loop {
        let rows = desk.query("select id, count(*) n from orders group by connection, id order by id")?;
        let ids: Vec<String> = rows.iter().filter_map(|r| r["id"].as_str().map(str::to_owned)).collect();
        if ids == wanted {
            ensure!(rows.iter().all(|r| r["n"] == 1), "{rows:?}");
            return Ok(());
        }
        ensure!(begun.elapsed() < LIMIT, "the studio has {ids:?}, not {wanted:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn id(order: &Value) -> anyhow::Result<String> {
    order["id"].as_str().map(str::to_owned).with_context(|| order.to_string())
}

#[test]
fn twenty_buyers_for_five_pieces_make_exactly_five_orders() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let show = desk.live(&["--shop", "--canvas", "360x640", "--fps", "15"])?;
    let seller = show.shop()?;
    show.wait_live(LIMIT)?;
    seller.set_stock(3, 5)?;
    let product = seller.product(3)?;
    let start = Barrier::new(20);
    let answers = std::thread::scope(|scope| {
        let buyers: Vec<_> = (0..20)
            .map(|n| {
                let (buyer, product, start) = (seller.buyer(&format!("顾客{n}")), &product, &start);
                scope.spawn(move || {
                    start.wait();
                    buyer.order(product, &unique("rush"))
                })
            })
            .collect();
        buyers.into_iter().map(|b| b.join().map_err(|_| anyhow::anyhow!("a buyer panicked"))?).collect::<anyhow::Result<Vec<_>>>()
    })?;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 201);
    ensure!(won.len() == 5 && lost.len() == 15, "{} orders", won.len());
    ensure!(lost.iter().all(|a| a.status == 409 && a.json()["code"] == "sold_out"), "{lost:?}");
    assert_eq!(seller.stock(3)?, 0);
    assert_eq!(seller.orders()?.len(), 5);
    let ids = won.iter().map(|a| id(&a.json())).collect::<anyhow::Result<Vec<_>>>()?;
    wait_in_studio(&desk, &ids)?;
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    Ok(())
}

#[test]
fn the_same_checkout_sent_twice_or_at_once_is_one_order() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let show = desk.live(&["--shop", "--canvas", "360x640", "--fps", "15"])?;
    let seller = show.shop()?;
    let product = seller.product(1)?;
    let stock = seller.stock(1)?;
    let (buyer, key) = (seller.buyer("顾客"), unique("same"));
    let first = buyer.order(&product, &key)?.ok()?;
    let again = buyer.order(&product, &key)?.ok()?;
    assert_eq!(first["id"], again["id"], "the answer is repeated");
    // Several at once, as an impatient page sends them.
    let (buyer, key, start) = (seller.buyer("急性子"), unique("at-once"), Barrier::new(8));
    let ids = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    buyer.order(&product, &key).and_then(|a| id(&a.ok()?))
                })
            })
            .collect();
        tries.into_iter().map(|t| t.join().map_err(|_| anyhow::anyhow!("panicked"))?).collect::<anyhow::Result<Vec<_>>>()
    })?;
    ensure!(ids.iter().all(|i| *i == ids[0]), "{ids:?}");
    // Another cart under the same key is a mistake and no order.
    let other = buyer.order(&seller.product(4)?, &key)?;
    ensure!(other.status == 409 && other.json()["code"] == "idempotency_mismatch", "{other:?}");
    assert_eq!(seller.stock(1)?, stock - 2);
    wait_in_studio(&desk, &[id(&first)?, ids[0].clone()])?;
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    Ok(())
}
