//! What the tests of this crate share.

use bytes::Bytes;
use stallcast_engine::protocol::{
    CameraChoice, Command, Configuration, EncoderChoice, EncoderLimits, EngineState, Event, GoLive, MicChoice, Recording, Reply, State,
};
use stallcast_engine::{Engine, EngineEvent};
use stallcast_media::Canvas;
use std::path::Path;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;

/// A hang guard, never a measure.
pub const GUARD: Duration = Duration::from_secs(40);

pub fn small_demo() -> Configuration {
    Configuration {
        camera: CameraChoice::Demo,
        mic: MicChoice::Demo,
        canvas: Canvas { width: 360, height: 640, fps: 30 },
        video_kbps: 800,
        audio_kbps: 96,
        low_latency: false,
        encoder: EncoderChoice::Auto,
        language: "zh-CN".to_owned(),
    }
}

pub fn record_into(path: &Path, for_s: Option<u64>) -> GoLive {
    GoLive {
        destinations: vec![],
        hls_dir: None,
        recording: Some(Recording { path: path.to_owned(), overwrite: false }),
        clean_feed: None,
        for_s,
        limits: EncoderLimits::default(),
        live_since_ms: None,
    }
}

pub async fn give(engine: &Engine, command: Command) -> Reply {
    match engine.command(command, Bytes::new()).await {
        Ok(reply) => reply,
        Err(e) => panic!("refused: {e}"),
    }
}

/// Waits for an event.
pub async fn wait_for<T>(events: &mut Receiver<EngineEvent>, what: &str, mut pick: impl FnMut(&EngineEvent) -> Option<T>) -> T {
    let found = tokio::time::timeout(GUARD, async {
        loop {
            match events.recv().await {
                Ok(event) => {
                    if let Some(found) = pick(&event) {
                        return found;
                    }
                }
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(e) => panic!("waiting for {what}: {e}"),
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("no {what} in {GUARD:?}"))
}

pub async fn wait_state(events: &mut Receiver<EngineEvent>, wanted: EngineState) -> State {
    wait_for(events, &format!("{wanted:?}"), |event| match event {
        EngineEvent::Event(Event::State(state)) if state.engine == wanted => Some(state.clone()),
        _ => None,
    })
    .await
}

/// Waits until so many frames of the show are encoded.
pub async fn wait_encoded(events: &mut Receiver<EngineEvent>, frames: u64) {
    wait_for(events, "encoded frames", |event| match event {
        EngineEvent::Event(Event::Stats(stats)) if stats.frames_encoded >= frames => Some(()),
        _ => None,
    })
    .await;
}

/// Pictures that can be decoded from a file.
pub fn video_frames(path: &Path) -> usize {
    let mut file = stallcast_libav::MediaFile::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut frames = 0;
    while let Some(decoded) = file.next().unwrap_or_else(|e| panic!("{}: {e}", path.display())) {
        frames += usize::from(matches!(decoded, stallcast_libav::Decoded::Video(_)));
    }
    frames
}

/// A finished recording is a plain MP4 with its index in front: `moov` follows `ftyp`, and no fragment comes.
pub fn is_finished(path: &Path) -> bool {
    let Ok(bytes) = std::fs::read(path) else { return false };
    let (mut at, mut kinds) = (0, Vec::new());
    while let Some(head) = bytes.get(at..at + 8) {
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        kinds.push(head[4..8].to_vec());
        if size < 8 {
            break;
        }
        at += size;
    }
    kinds.contains(&b"moov".to_vec()) && !kinds.contains(&b"moof".to_vec())
}

/// Seconds at which picture and sound of a file end.
pub fn track_ends(path: &Path) -> [f64; 2] {
    let mut file = stallcast_libav::MediaFile::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut ends = [0.0, 0.0];
    while let Some(decoded) = file.next().unwrap_or_else(|e| panic!("{}: {e}", path.display())) {
        match decoded {
            stallcast_libav::Decoded::Video(frame) => ends[0] = frame.pts.0 as f64 / 1e9,
            stallcast_libav::Decoded::Audio(block) => ends[1] = block.end().0 as f64 / 1e9,
        }
    }
    ends
}
