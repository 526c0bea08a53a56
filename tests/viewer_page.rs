//! A viewer's phone: headless Chromium on the local shop's page while a show runs.

mod support;

use anyhow::{Context as _, ensure};
use stallcast_studio::view::CouponForm;
use stallcast_testing::browser::Browser;
use stallcast_testing::processes::Role;
use std::time::{Duration, Instant};
use support::{LIMIT, Open, open};

/// The picture plays: it moves on by two seconds.
async fn plays(phone: &Browser) -> anyhow::Result<()> {
    phone.wait_value("video", "document.querySelector('[data-testid=video]').videoWidth", LIMIT).await?;
    let time = "document.querySelector('[data-testid=video]').currentTime";
    let from = phone.value(time).await?.as_f64().unwrap_or(0.0);
    phone.wait_value("moving picture", &format!("{time} > {from} + 2"), LIMIT).await?;
    Ok(())
}

fn pinned(number: u32) -> String {
    format!("[data-testid=pinned][data-number=\"{number}\"]")
}

/// Fills the form of the open checkout, orders and pays; the number that the buyer sees.
async fn check_out(phone: &Browser, name: &str) -> anyhow::Result<String> {
    phone.fill("[data-testid=checkout-name]", name, LIMIT).await?;
    phone.fill("[data-testid=checkout-phone]", "13800000000", LIMIT).await?;
    phone.fill("[data-testid=checkout-address]", "杭州市西湖区龙井路 1 号", LIMIT).await?;
    phone.click("[data-testid=checkout-submit]", LIMIT).await?;
    let number = phone.wait_text("[data-testid=order-number]", LIMIT).await?;
    phone.click("[data-testid=pay]", LIMIT).await?;
    phone.wait_element("[data-testid=order-close]", LIMIT).await?;
    Ok(number)
}

async fn wait_order(open: &Open, number: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let rows = open.desk.query(&format!("select count(*) n, sum(discount) d from orders where number = '{number}'"))?;
        if rows[0]["n"] == 1 {
            return Ok(());
        }
        ensure!(rows[0]["n"] == 0 && begun.elapsed() < LIMIT, "{rows:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_watches_claims_and_buys() -> anyhow::Result<()> {
    let open = open(120).await?;
    let seller = open.seller()?;
    let phone = Browser::phone("zh-CN").await?;
    // Before the show the page says so, and begins by itself.
    phone.open(&format!("{}/", seller.url())).await?;
    phone.wait_element("[data-testid=face]", LIMIT).await?;
    open.go_live(None).await?;
    plays(&phone).await?;

    open.studio.pin_product(3).await?;
    phone.wait_element(&pinned(3), LIMIT).await?;
    open.studio.pin_product(1).await?;
    phone.wait_element(&pinned(1), LIMIT).await?;

    open.studio
        .issue_coupon(CouponForm { discount: "5".to_owned(), threshold: "50".to_owned(), quantity: 3, valid_s: 600, connection_id: None })
        .await?;
    phone.click("[data-testid=claim-coupon]", LIMIT).await?;
    phone.wait_element("[data-testid=claim-coupon][data-state=claimed]", LIMIT).await?;

    let stock = seller.stock(1)?;
    phone.click("[data-testid=buy-pinned]", LIMIT).await?;
    let discount = phone.wait_text("[data-testid=checkout-discount]", LIMIT).await?;
    ensure!(discount.contains('5'), "{discount}");
    let number = check_out(&phone, "林小满").await?;
    wait_order(&open, &number).await?;
    assert_eq!(seller.stock(1)?, stock - 1);
    let order = seller.orders()?.into_iter().next().context("no order")?;
    ensure!(order["number"] == number.as_str() && order["discount"]["amount"] == 500 && order["payment"] == "paid", "{order}");
    let row = open.desk.query("select buyer, discount, status from orders")?;
    ensure!(row.len() == 1 && row[0]["discount"] == 500 && row[0]["status"] == "to_ship", "{row:?}");
    ensure!(!row[0]["buyer"].as_str().unwrap_or("林小满").contains("林小满"), "the name is stored in clear: {row:?}");

    open.studio.unpin_product().await?;
    phone.wait_value("no pin", "!document.querySelector('[data-testid=pinned][data-number]')", LIMIT).await?;
    phone.click("[data-testid=order-close]", LIMIT).await?;
    plays(&phone).await?;
    open.end().await?;
    phone.wait_element("[data-testid=face]", LIMIT).await?;
    phone.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_speaks_both_languages_and_survives_a_dead_shop_and_a_dead_engine() -> anyhow::Result<()> {
    let open = open(120).await?;
    let seller = open.seller()?;
    open.go_live(None).await?;
    open.studio.pin_product(2).await.err(); // sold out in the sample: it can be shown all the same
    open.studio.pin_product(5).await?;
    let phone = Browser::phone("en").await?;
    phone.open(&format!("{}/", seller.url())).await?;
    plays(&phone).await?;
    let english = phone.wait_text("[data-testid=buy-pinned]", LIMIT).await?;
    ensure!(english.is_ascii(), "{english}");
    phone.click("[data-testid=lang]", LIMIT).await?;
    phone.wait_value("Chinese", "/[\\u4e00-\\u9fff]/.test(document.querySelector('[data-testid=buy-pinned]').innerText)", LIMIT).await?;

    open.desk.kill(Role::Shop)?;
    seller.wait_answers(LIMIT)?;
    open.studio.pin_product(6).await?;
    phone.wait_element(&pinned(6), LIMIT).await?;
    open.desk.kill(Role::Engine)?;
    let after = "document.querySelector('[data-testid=video]').currentTime";
    phone.wait_value("picture after the engine's death", &format!("{after} > 0"), LIMIT).await?;
    plays(&phone).await?;
    phone.click("[data-testid=buy-pinned]", LIMIT).await?;
    let number = check_out(&phone, "阿青").await?;
    wait_order(&open, &number).await?;
    open.end().await?;
    phone.close().await
}
