//! The clean feed: what is in it, what is not, and that the show does not notice when it fails.

mod support;

use stallcast_broadcast::RecordingSink;
use stallcast_engine::protocol::{
    CameraChoice, Command, Configuration, EngineState, Event, GoLive, Overlay, ProductCard, Recording, Reply, State, Summary,
};
use stallcast_engine::{Engine, EngineEvent};
use stallcast_libav::{AudioEncoder, Decoded, MediaFile, VideoEncoder, VideoSettings};
use stallcast_media::{AudioBlock, Canvas, Frame, HealthCode, PixelFormat, Pts, StreamConfig, VideoFormat};
use std::path::{Path, PathBuf};
use support::{give, record_into, small_demo, wait_encoded, wait_for, wait_state};

/// The luma of the whole picture.
const GREY: u8 = 120;

/// A camera that sees nothing but grey: what differs from it was drawn over it.
fn grey_camera(folder: &Path) -> PathBuf {
    let path = folder.join("grey.mp4");
    let canvas = Canvas { width: 90, height: 160, fps: 30 };
    let settings = VideoSettings { canvas, kbps: 300, low_latency: true, keyframe_s: 2, b_frames: 0 };
    let (mut video, mut audio) = (VideoEncoder::open(&settings).expect("x264"), AudioEncoder::open(64).expect("AAC"));
    let config = StreamConfig { video: video.config(), audio: audio.config() };
    let sink = RecordingSink::start(&path, false, config, |_| ()).expect("it is written");
    let format = VideoFormat { width: 90, height: 160, pixel: PixelFormat::I420 };
    let grey = [vec![GREY; 90 * 160], vec![128; 2 * 45 * 80]].concat();
    for n in 0..150 {
        let frame = Frame::new(format, canvas.frame_pts(n), false, grey.clone().into());
        video.encode(&frame, false).expect("encoded").into_iter().for_each(|packet| sink.push(packet.into()));
        for block in n * 48_000 / 30 / 1024..(n + 1) * 48_000 / 30 / 1024 {
            let samples = vec![0.0; 2048];
            let block = AudioBlock { pts: Pts::from_ticks(block * 1024, 48_000), rate: 48_000, channels: 2, samples };
            audio.encode(&block).expect("encoded").into_iter().for_each(|packet| sink.push(packet.into()));
        }
    }
    sink.finish(support::GUARD);
    path
}

fn card() -> Overlay {
    let card = ProductCard {
        number: 1,
        title: "青花盖碗".to_owned(),
        sign: "¥".to_owned(),
        price: Some("268".to_owned()),
        old_price: None,
        stock: Some(20),
        stock_of: None,
        picture_key: None,
    };
    Overlay { card: Some(card), coupon: None }
}

async fn started(folder: &Path) -> Engine {
    let engine = Engine::in_process(folder).await.expect("it starts");
    let configuration = Configuration { camera: CameraChoice::File { path: grey_camera(folder) }, ..small_demo() };
    give(&engine, Command::Configure(configuration)).await;
    give(&engine, Command::SetOverlay(card())).await;
    engine
}

fn recording(path: &Path) -> Recording {
    Recording { path: path.to_owned(), overwrite: false }
}

async fn ended(engine: &Engine) -> Summary {
    match give(engine, Command::End).await {
        Reply::Ended(summary) => summary,
        other => panic!("a summary, not {other:?}"),
    }
}

async fn wait_clean(events: &mut tokio::sync::broadcast::Receiver<EngineEvent>, path: Option<&Path>) -> State {
    wait_for(events, "the clean feed's state", |event| match event {
        EngineEvent::Event(Event::State(state)) if state.clean_feed.as_deref() == path => Some(state.clone()),
        _ => None,
    })
    .await
}

struct Found {
    pictures: usize,
    /// Pictures in which a hundredth of the pixels is far from grey.
    drawn_over: usize,
    /// Loudest sample.
    loudest: f32,
}

fn found(path: &Path) -> Found {
    let mut file = MediaFile::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut found = Found { pictures: 0, drawn_over: 0, loudest: 0.0 };
    while let Some(decoded) = file.next().expect("decodes") {
        match decoded {
            Decoded::Video(frame) => {
                let luma = &frame.bytes()[..(frame.format.width * frame.format.height) as usize];
                let far = luma.iter().filter(|y| y.abs_diff(GREY) > 25).count();
                found.pictures += 1;
                found.drawn_over += usize::from(far > luma.len() / 100);
            }
            Decoded::Audio(block) => found.loudest = block.samples.iter().fold(found.loudest, |most, s| most.max(s.abs())),
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_card_is_in_the_recording_and_not_in_the_clean_feed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, clean) = (folder.path().join("show.mp4"), folder.path().join("show.clean.mp4"));
    let engine = started(folder.path()).await;
    let mut events = engine.events();
    let go = GoLive { clean_feed: Some(recording(&clean)), ..record_into(&file, None) };
    give(&engine, Command::GoLive(go)).await;
    wait_state(&mut events, EngineState::Live).await;
    wait_encoded(&mut events, 90).await;
    let summary = ended(&engine).await;
    engine.quit().await;
    assert_eq!((&summary.recordings, &summary.clean_feeds), (&vec![file.clone()], &vec![clean.clone()]));
    let (shown, plain) = (found(&file), found(&clean));
    assert!(shown.pictures > 60 && shown.drawn_over * 10 > shown.pictures * 8, "{} of {}", shown.drawn_over, shown.pictures);
    assert_eq!(plain.drawn_over, 0, "of {} clean pictures", plain.pictures);
    assert!(plain.pictures.abs_diff(shown.pictures) <= 2, "{} clean pictures for {}", plain.pictures, shown.pictures);
    assert!(shown.loudest > 0.02 && (plain.loudest - shown.loudest).abs() < 0.01, "{} and {}", plain.loudest, shown.loudest);
    let [ends, clean_ends] = [&file, &clean].map(|path| support::track_ends(path));
    for (track, (end, clean_end)) in ends.into_iter().zip(clean_ends).enumerate() {
        assert!((end - clean_end).abs() < 0.07, "track {track} ends at {end} s and {clean_end} s");
    }
    assert!(support::is_finished(&clean), "a plain MP4");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_begins_and_ends_while_the_show_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, first, second) = (folder.path().join("show.mp4"), folder.path().join("a.clean.mp4"), folder.path().join("b.clean.mp4"));
    let engine = started(folder.path()).await;
    let mut events = engine.events();
    give(&engine, Command::GoLive(record_into(&file, None))).await;
    wait_encoded(&mut events, 30).await;
    give(&engine, Command::StartCleanFeed(recording(&first))).await;
    wait_clean(&mut events, Some(&first)).await;
    wait_encoded(&mut events, 100).await;
    give(&engine, Command::StartCleanFeed(recording(&second))).await;
    wait_clean(&mut events, Some(&second)).await;
    wait_encoded(&mut events, 160).await;
    give(&engine, Command::StopCleanFeed).await;
    let state = wait_clean(&mut events, None).await;
    assert_eq!(state.recording.as_ref(), Some(&file), "the recording goes on");
    wait_encoded(&mut events, 190).await;
    let summary = ended(&engine).await;
    engine.quit().await;
    assert_eq!(summary.clean_feeds, [first.clone(), second.clone()]);
    for path in [&first, &second] {
        let plain = found(path);
        assert!(plain.pictures >= 30 && plain.drawn_over == 0 && plain.loudest > 0.02, "{}: {} pictures", path.display(), plain.pictures);
        let [picture, sound] = support::track_ends(path);
        assert!((picture - sound).abs() < 0.3, "{}: picture ends at {picture} s, sound at {sound} s", path.display());
    }
    assert!(support::video_frames(&file) >= 190, "the recording lost nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_written_is_told_and_changes_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("show.mp4");
    let nowhere = folder.path().join("no such folder").join("show.clean.mp4");
    let engine = started(folder.path()).await;
    let mut events = engine.events();
    let go = GoLive { clean_feed: Some(recording(&nowhere)), ..record_into(&file, None) };
    give(&engine, Command::GoLive(go)).await;
    let failed = |path: PathBuf| {
        move |event: &EngineEvent| match event {
            EngineEvent::Event(Event::Health(health)) if health.code == HealthCode::CleanFeedFailed => {
                assert_eq!(health.params["path"], path.display().to_string());
                Some(())
            }
            _ => None,
        }
    };
    wait_for(&mut events, "its trouble", failed(nowhere)).await;
    let state = wait_state(&mut events, EngineState::Live).await;
    assert_eq!((state.clean_feed, state.recording.as_ref()), (None, Some(&file)));
    // Nor into the recording itself, however it is asked for.
    give(&engine, Command::StartCleanFeed(Recording { path: file.clone(), overwrite: true })).await;
    wait_for(&mut events, "its trouble", failed(file.clone())).await;
    wait_encoded(&mut events, 60).await;
    let summary = ended(&engine).await;
    engine.quit().await;
    assert_eq!((summary.clean_feeds, summary.clean_skipped), (Vec::<PathBuf>::new(), 0));
    let shown = found(&file);
    assert!(shown.pictures > 30 && shown.drawn_over * 10 > shown.pictures * 8, "{} of {}", shown.drawn_over, shown.pictures);
}
