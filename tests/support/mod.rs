//! A studio in this process whose media process and shop are the real children: the façade that windows and the command
//! line drive, driven by a test.

#![allow(dead_code, reason = "each test file uses its part")]

use anyhow::{Context as _, bail, ensure};
use stallcast_engine::protocol::{CameraChoice, Configuration, EncoderChoice, MicChoice};
use stallcast_studio::view::{DestinationForm, ShowStateView, StudioView};
use stallcast_studio::{Studio, StudioOptions};
use stallcast_testing::clip::Clip;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::program::{self, Desk};
use stallcast_testing::shop::Seller;
use std::time::{Duration, Instant};

/// Hang guard.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Size of the clip that is the camera, and of the canvas.
pub const SIZE: (u32, u32) = (360, 640);

/// A studio on a desk, with the marker clip as camera and microphone.
pub struct Open {
    pub studio: Studio,
    pub desk: Desk,
}

/// Opens it and waits until everything stands.
pub async fn open(seconds: u32) -> anyhow::Result<Open> {
    let desk = Desk::new()?;
    let clip = desk.work("clip.mp4");
    Clip::new(SIZE.0, SIZE.1, 30, seconds).write(&clip)?;
    let mut options = StudioOptions::new(desk.data(), program::binary()?);
    options.configuration = Some(Configuration {
        camera: CameraChoice::File { path: clip.clone() },
        mic: MicChoice::File { path: clip },
        canvas: stallcast_media::Canvas { width: SIZE.0, height: SIZE.1, fps: 30 },
        video_kbps: 1500,
        audio_kbps: 128,
        low_latency: false,
        encoder: EncoderChoice::Auto,
        language: "zh-CN".to_owned(),
    });
    let studio = Studio::open(options).await?;
    studio.ready().await?;
    Ok(Open { studio, desk })
}

impl Open {
    /// Waits until the studio looks like this.
    pub async fn wait<T>(&self, what: &str, mut pick: impl FnMut(&StudioView) -> Option<T>) -> anyhow::Result<T> {
        let mut events = self.studio.events();
        let begun = Instant::now();
        loop {
            let view = self.studio.snapshot().await;
            if let Some(found) = pick(&view) {
                return Ok(found);
            }
            if begun.elapsed() > LIMIT {
                bail!("no {what} after {LIMIT:?}: {view:?}\n{}", self.desk.logs());
            }
            // Any event may be the one; a lag is a reason to look again as well.
            let _ = tokio::time::timeout(Duration::from_millis(500), events.recv()).await;
        }
    }

    /// Adds a destination and goes live.
    pub async fn go_live(&self, to: Option<(&Ingest, &str)>) -> anyhow::Result<()> {
        if let Some((ingest, key)) = to {
            let form = DestinationForm {
                id: None,
                preset: "custom".to_owned(),
                name: "测试".to_owned(),
                url: Some(ingest.url()),
                key: Some(key.to_owned()),
                one_show: false,
                enabled: true,
            };
            self.studio.save_destination(form).await?;
        }
        self.studio.go_live().await?;
        self.wait("show on air", |v| (v.show.state == ShowStateView::Live).then_some(())).await
    }

    /// The shop's seller.
    pub fn seller(&self) -> anyhow::Result<Seller> {
        let url = self.studio.shop_url().context("no shop")?;
        Seller::new(&url, &self.desk.data().join("shop.token"))
    }

    /// Ends the show and lets go of the folder.
    pub async fn end(self) -> anyhow::Result<Desk> {
        self.studio.end_show().await?;
        self.studio.close().await;
        let begun = Instant::now();
        while !self.desk.processes().is_empty() {
            ensure!(begun.elapsed() < LIMIT, "left behind: {:?}", self.desk.processes());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(self.desk)
    }
}
