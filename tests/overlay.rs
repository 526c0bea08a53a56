//! What is drawn over the picture, as it arrives at the ingest: the pinned card while it is pinned, and nothing that was
//! not confirmed.

mod support;

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use stallcast_studio::view::{CouponForm, CouponStateView};
use stallcast_testing::analysis::{self, Made};
use stallcast_testing::clip::Clip;
use stallcast_testing::decode;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::marker::Size;
use stallcast_testing::overlay::{self, Part};
use stallcast_testing::packets;
use stallcast_testing::processes::{self, Role};
use stallcast_testing::program::Desk;
use std::path::Path;
use std::time::{Duration, Instant};
use support::{SIZE, open};

/// The card lies in the lower part, the ribbon in the upper one; edges and shadows left out.
const CARD: Part = Part { x: (11.0, 89.0), y: (72.0, 86.0) };
const RIBBON: Part = Part { x: (11.0, 50.0), y: (9.0, 14.0) };
/// The product's picture within the card, in pixels of the canvas.
const PICTURE: (usize, usize, usize) = (28, 462, 89);
/// Where a stretch may begin and end: it slides, is encoded and is told over a socket.
const SLACK_S: f64 = 1.0;

/// Hang guard of a show of some seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Time in which the show goes on as it is.
async fn go_on(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

fn stretches(file: &Path, part: Part) -> anyhow::Result<Vec<(f64, f64)>> {
    let pictures = overlay::compare(file, Size::new(SIZE.0, SIZE.1), 30)?;
    ensure!(pictures.iter().filter(|p| p.number.is_none()).count() == 0, "the marker is covered");
    Ok(overlay::shown(&pictures, part, 0.5))
}

/// Mean colours of 4x4 parts of the middle of a square picture in an RGB frame.
fn colours(rgb: &[u8], width: usize, (left, top, side): (usize, usize, usize)) -> Vec<f64> {
    let (inset, part) = (side / 8, side * 3 / 4 / 4);
    let mut all = vec![];
    for at in 0..16 {
        let (x, y) = (left + inset + at % 4 * part, top + inset + at / 4 * part);
        for channel in 0..3 {
            let sum: u64 = (y..y + part)
                .flat_map(|y| (x..x + part).map(move |x| (x, y)))
                .map(|(x, y)| u64::from(rgb[(y * width + x) * 3 + channel]))
                .sum();
            all.push(sum as f64 / (part * part) as f64);
        }
    }
    all
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len() as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pinned_card_is_in_the_picture_that_arrived_and_gone_afterwards() -> anyhow::Result<()> {
    let ingest = Ingest::start()?;
    let open = open(40).await?;
    open.go_live(Some((&ingest, "card"))).await?;
    let seller = open.seller()?;
    go_on(3.0).await;
    let begun = Instant::now();
    open.studio.pin_product(3).await?;
    go_on(3.0).await;
    let other = begun.elapsed().as_secs_f64();
    open.studio.pin_product(1).await?;
    go_on(3.0).await;
    let unpinned = begun.elapsed().as_secs_f64();
    open.studio.unpin_product().await?;
    go_on(3.0).await;
    let ended = begun.elapsed().as_secs_f64();
    let pictures: Vec<Vec<u8>> = [3, 1]
        .into_iter()
        .map(|number| {
            let product = seller.product(number)?;
            let path = product["picture"].as_str().context("a picture")?;
            Ok(stallcast_testing::http::get(&format!("{}{path}", seller.url()))?.body)
        })
        .collect::<anyhow::Result<_>>()?;
    let desk = open.end().await?;

    let arrived = ingest.recording("card")?;
    stallcast_testing::packets::read(&arrived)?.check_live(SIZE.0, SIZE.1, 30)?;
    let found = stretches(&arrived, CARD)?;
    // From one card to the other both slide: that may be a break or none.
    let (from, to) = (found.first().context("the card never came")?.0, found.last().context("no card")?.1);
    let end_s = decode::pictures(&arrived, Size::new(16, 16), |_| ())?.last().context("no picture")?.0;
    let at = |since_pin: f64| end_s - (ended - since_pin);
    ensure!((from - at(0.0)).abs() < SLACK_S, "pinned at {:.2}, seen at {from:.2}: {found:?}", at(0.0));
    ensure!((to - at(unpinned)).abs() < SLACK_S, "unpinned at {:.2}, seen until {to:.2}: {found:?}", at(unpinned));
    ensure!(found.len() <= 2, "{found:?}");
    ensure!(stretches(&arrived, RIBBON)?.is_empty(), "nobody issued a coupon");

    // The card shows the product that was explained: its picture is compared with the shop's.
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    let moments = [at(other) - 0.7, at(unpinned) - 0.7];
    let mut frames = decode::colour_pictures(&arrived, Size::new(SIZE.0, SIZE.1), |rgb| colours(rgb, width, PICTURE))?;
    ensure!(height > PICTURE.1 + PICTURE.2);
    frames.retain(|(s, _)| moments.iter().any(|m| (s - m).abs() < 0.02));
    let mut wanted = vec![];
    for bytes in &pictures {
        let file = desk.work("picture.png");
        std::fs::write(&file, bytes)?;
        let one = decode::colour_pictures(&file, Size::new(96, 96), |rgb| colours(rgb, 96, (0, 0, 96)))?;
        wanted.push(one.into_iter().next().context("no picture")?.1);
    }
    for (n, moment) in moments.iter().enumerate() {
        let shown = &frames.iter().find(|(s, _)| (s - moment).abs() < 0.02).context("no frame")?.1;
        let (own, other) = (distance(shown, &wanted[n]), distance(shown, &wanted[1 - n]));
        ensure!(own < 20.0 && own < other / 2.0, "product {n}: {own:.1} from its own picture, {other:.1} from the other");
    }
    Ok(())
}

/// The same show twice, from the command line: with the card and without it, frame by frame and with the same sound.
#[test]
fn the_clean_feed_has_everything_but_the_card() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let (clip, record, clean) = (desk.work("clip.mp4"), desk.work("show.mp4"), desk.work("show.clean.mp4"));
    Clip::new(SIZE.0, SIZE.1, 30, 16).write(&clip)?;
    let (source, record_text, canvas) =
        (format!("file:{}", clip.display()), record.display().to_string(), format!("{}x{}", SIZE.0, SIZE.1));
    let words = ["--camera", &source, "--mic", &source, "--canvas", &canvas, "--shop", "--pin", "first"];
    let more = ["--record", &record_text, "--clean-feed", "--for", "10s"];
    let finished = desk.live(&[&words[..], &more[..]].concat())?.finish(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    let summary = finished.summary()?;
    ensure!(summary["clean_feeds"] == serde_json::json!([clean]), "{summary}");
    ensure!(summary["recordings"] == serde_json::json!([record]), "{summary}");

    let span = |file: &Path| anyhow::Ok(stretches(file, CARD)?.iter().map(|(from, to)| to - from).sum::<f64>());
    let (with, without) = (span(&record)?, span(&clean)?);
    ensure!(with > 8.0 && without == 0.0, "the card is in {with:.1} s of the recording, in {without:.1} s of the clean feed");
    let mut lengths = vec![];
    for file in [&record, &clean] {
        let found = analysis::read(file, Made::at(SIZE.0, SIZE.1))?;
        // How well both keep time is another test's; here they must do it alike.
        ensure!(found.unreadable == 0 && found.backwards == 0 && found.holes.is_empty() && found.offsets.len() >= 2, "{found}");
        lengths.push(packets::read(file)?.video.packets.len());
    }
    ensure!(lengths[0].abs_diff(lengths[1]) <= 2, "{lengths:?} pictures");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_is_drawn_only_once_the_shop_says_it_can_be_claimed() -> anyhow::Result<()> {
    let ingest = Ingest::start()?;
    let open = open(40).await?;
    open.go_live(Some((&ingest, "coupon"))).await?;
    go_on(2.0).await;
    // A shop that does not answer: what is asked of it stays unconfirmed.
    let shop = open.desk.process(Role::Shop)?.pid;
    processes::signal(shop, Signal::STOP);
    let begun = Instant::now();
    let form = CouponForm { discount: "30".to_owned(), threshold: "199".to_owned(), quantity: 50, valid_s: 300, connection_id: None };
    open.studio.issue_coupon(form).await?;
    go_on(4.0).await;
    let coupon = open.studio.snapshot().await.coupons.into_iter().next().context("no coupon")?;
    ensure!(coupon.state != CouponStateView::Active, "active without an answer: {coupon:?}");
    let answered = begun.elapsed().as_secs_f64();
    processes::signal(shop, Signal::CONT);
    open.wait("active coupon", |v| v.coupons.iter().find(|c| c.state == CouponStateView::Active).map(|_| ())).await?;
    go_on(3.0).await;
    let ended = begun.elapsed().as_secs_f64();
    open.end().await?;

    let arrived = ingest.recording("coupon")?;
    let found = stretches(&arrived, RIBBON)?;
    let [(from, to)] = found.as_slice() else { anyhow::bail!("the ribbon was shown in {found:?}") };
    let end_s = decode::pictures(&arrived, Size::new(16, 16), |_| ())?.last().context("no picture")?.0;
    let at = |since_issue: f64| end_s - (ended - since_issue);
    ensure!(*from > at(answered) - 0.3, "the shop answered at {:.2}, the ribbon was drawn at {from:.2}", at(answered));
    ensure!(end_s - to < 1.5, "it left at {to:.2} of {end_s:.2}");
    ensure!(stretches(&arrived, CARD)?.is_empty(), "nothing was pinned");
    Ok(())
}
