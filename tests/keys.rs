//! Keys that are good for one show: forgotten when it ends, also when nobody was there to see it end. Addresses stay.

mod support;

use anyhow::{Context as _, ensure};
use stallcast_studio::view::{DestinationForm, DestinationView};
use stallcast_studio::{Studio, StudioOptions};
use stallcast_testing::canary::Canary;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::program;
use support::{LIMIT, Open, open};

/// A platform whose key is new for every show.
const SHORT: &str = "wechat_channels";

fn form(id: Option<&str>, preset: &str, url: Option<&str>, key: Option<&str>) -> DestinationForm {
    DestinationForm {
        id: id.map(str::to_owned),
        preset: preset.to_owned(),
        name: preset.to_owned(),
        url: url.map(str::to_owned),
        key: key.map(str::to_owned),
        one_show: false,
        enabled: true,
    }
}

async fn destination(open: &Open, id: &str) -> anyhow::Result<DestinationView> {
    let all = open.studio.snapshot().await.destinations;
    all.into_iter().find(|d| d.id == id).context("no such destination")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_for_one_show_is_gone_after_it_and_its_address_stays() -> anyhow::Result<()> {
    let ingest = Ingest::start()?;
    let (short, kept, second) = (Canary::new()?, Canary::new()?, Canary::new()?);
    let open = open(30).await?;
    // As one address, with a query: the key is its end, and only that is forgotten.
    let whole = format!("{}/{}?sign=a/b", ingest.url(), short.word());
    let one = open.studio.save_destination(form(None, SHORT, Some(&whole), Some(""))).await?;
    let other = open.studio.save_destination(form(None, "custom", Some(&ingest.url()), Some(kept.word()))).await?;
    ensure!(one.one_show && !one.key_gone && one.key_hint.starts_with("••••"), "{one:?}");
    ensure!(open.studio.destination_address(one.id.clone()).await? == ingest.url(), "the address comes back, and the key does not");

    open.go_live(None).await?;
    ingest.wait_received(short.word(), 20_000, LIMIT)?;
    // What must be pressed on the platform is said while the picture arrives, until the host has pressed it.
    let due = open.wait("last step", |v| v.destinations.iter().find(|d| d.id == one.id)?.last_step.clone()).await?;
    ensure!(due.zh.contains("开始直播"), "{due:?}");
    ensure!(destination(&open, &other.id).await?.last_step.is_none());
    open.studio.confirm_last_step(one.id.clone()).await?;
    ensure!(destination(&open, &one.id).await?.last_step.is_none());

    open.studio.end_show().await?;
    let gone = open.wait("forgotten key", |v| v.destinations.iter().find(|d| d.id == one.id && d.key_gone).cloned()).await?;
    ensure!(gone.key_hint.is_empty() && gone.enabled && gone.host == one.host, "{gone:?}");
    let still = destination(&open, &other.id).await?;
    ensure!(!still.key_gone && still.key_hint == other.key_hint, "{still:?}");

    // It refuses with one clear sentence, and so does saving it without a key.
    let refused = open.studio.go_live().await.expect_err("the key is gone");
    ensure!((refused.code.as_str(), refused.params["name"].as_str()) == ("key_forgotten", SHORT), "{refused:?}");
    let refused = open.studio.save_destination(form(Some(&one.id), SHORT, None, None)).await.expect_err("no key");
    ensure!((refused.code.as_str(), refused.params["rule"].as_str()) == ("bad_url", "key"), "{refused:?}");

    // A whole new address holds the new key; one with nothing behind the server's holds none.
    let third = Canary::new()?;
    let renewed = format!("{}/{}?sign=c", ingest.url(), third.word());
    let whole = open.studio.save_destination(form(Some(&one.id), SHORT, Some(&renewed), None)).await?;
    ensure!(!whole.key_gone && whole.key_hint.starts_with("••••"), "{whole:?}");
    ensure!(open.studio.destination_address(one.id.clone()).await? == ingest.url());

    // A new key, nothing else typed again.
    let again = open.studio.save_destination(form(Some(&one.id), SHORT, None, Some(&format!("\n {} ", second.word())))).await?;
    ensure!(!again.key_gone && again.host == one.host, "{again:?}");
    open.go_live(None).await?;
    ingest.wait_received(second.word(), 20_000, LIMIT)?;
    ingest.wait_received(kept.word(), 20_000, LIMIT)?;
    let desk = open.end().await?;
    for canary in [&short, &kept, &second, &third] {
        let files = canary.in_folder(&desk.data());
        ensure!(files.is_empty(), "a key stands in {files:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_for_one_show_does_not_outlive_a_crash() -> anyhow::Result<()> {
    let ingest = Ingest::start()?;
    let open = open(30).await?;
    let one = open.studio.save_destination(form(None, SHORT, Some(&ingest.url()), Some("for-one-show"))).await?;
    open.go_live(None).await?;
    ingest.wait_received("for-one-show", 20_000, LIMIT)?;

    // The app lets go on air, and starts again: the show runs, and so does its key.
    let Open { studio, desk } = open;
    studio.close().await;
    let start = || async {
        let studio = Studio::open(StudioOptions::new(desk.data(), program::binary()?)).await?;
        studio.ready().await?;
        anyhow::Ok(studio)
    };
    let studio = start().await?;
    ensure!(studio.is_on_air() && !studio.snapshot().await.destinations[0].key_gone);
    studio.close().await;

    // App and media process are gone in the middle of the show: nobody saw its end.
    // A process that probes encoders may stand beside the one of the show.
    while !desk.processes().is_empty() {
        for process in desk.processes() {
            stallcast_testing::processes::kill(process.pid);
        }
    }
    let studio = start().await?;
    let all = studio.snapshot().await.destinations;
    ensure!(!studio.is_on_air() && all[0].id == one.id && all[0].key_gone && all[0].key_hint.is_empty(), "{all:?}");
    ensure!(studio.destination_address(one.id.clone()).await? == ingest.url());
    studio.close().await;
    Ok(())
}
