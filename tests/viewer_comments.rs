//! A viewer asks, the host answers: headless Chromium on the local shop's page, over real HTTP.

mod support;

use anyhow::ensure;
use stallcast_testing::browser::Browser;
use std::time::{Duration, Instant};
use support::{LIMIT, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_viewers_question_reaches_the_host_and_what_is_hidden_leaves_the_page() -> anyhow::Result<()> {
    let open = open(120).await?;
    let seller = open.seller()?;
    let phone = Browser::phone("zh-CN").await?;
    open.go_live(None).await?;
    phone.open(&format!("{}/", seller.url())).await?;
    phone.wait_value("video", "document.querySelector('[data-testid=video]').videoWidth", LIMIT).await?;
    phone.click("[data-testid=comments-open]", LIMIT).await?;
    phone.wait_element("[data-testid=comments-empty]", LIMIT).await?;
    phone.fill("[data-testid=comment-name]", "云朵朵", LIMIT).await?;
    phone.fill("[data-testid=comment-text]", "3 号<b>多少钱</b>", LIMIT).await?;
    let begun = Instant::now();
    phone.click("[data-testid=comment-send]", LIMIT).await?;
    let row = open.wait("question before the host", |v| v.comments.rows.first().cloned()).await?;
    ensure!(begun.elapsed() < Duration::from_secs(8), "{:?}: four times what is promised", begun.elapsed());
    eprintln!("viewer's press to the host's list: {:?}", begun.elapsed());
    ensure!(row.text == "3 号<b>多少钱</b>" && row.author == "云**" && row.is_question, "{row:?}");

    let comment = format!("[data-testid=comment][data-comment=\"{}\"]", row.id);
    let shown = phone.wait_text(&comment, LIMIT).await?;
    ensure!(shown.contains('我') && shown.contains("3 号<b>多少钱</b>"), "text, not markup: {shown}");
    phone.wait_value("an empty field", "document.querySelector('[data-testid=comment-text]').value === ''", LIMIT).await?;
    phone.click("[data-testid=sheet-close]", LIMIT).await?;
    let over = format!("[data-testid=comments-over] [data-comment=\"{}\"]", row.id);
    ensure!(phone.wait_text(&over, LIMIT).await?.contains("多少钱"), "it lies over the picture");

    open.studio.read_comment(row.connection_id.clone(), row.id.clone()).await?;
    ensure!(open.studio.snapshot().await.comments.reading.is_some_and(|r| r.comment.id == row.id), "before the host");
    open.studio.hide_comment(row.connection_id.clone(), row.id.clone()).await?;
    phone.click("[data-testid=comments-open]", LIMIT).await?;
    phone.wait_value("the comment is gone", &format!("!document.querySelector('[data-comment=\"{}\"]')", row.id), LIMIT).await?;
    let id = row.id.clone();
    open.wait("hidden row", |v| v.comments.rows.iter().find(|r| r.id == id && r.is_hidden && v.comments.reading.is_none()).cloned())
        .await?;
    let stored = open.desk.query("select author, is_hidden, show from comment order by key")?;
    ensure!(stored[0]["author"] == "云**" && stored[0]["is_hidden"] == 1 && stored[0]["show"].is_string(), "{stored:?}");
    open.end().await?;
    phone.close().await
}
