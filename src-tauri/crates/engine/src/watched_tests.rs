use super::*;
use crate::encode::{EncoderThread, Outlets, Picture, Sink};
use crate::feed::Feed;
use crate::hub::Hub;
use crate::relay::{Relay, Replaced, Which};
use crate::sound::Done;
use stallcast_broadcast::{FileEvent, HlsSink, RecordingSink};
use stallcast_libav::{AudioEncoder, Decoded, MediaFile, VideoEncoder, VideoSettings};
use stallcast_media::{Canvas, PixelFormat, Pts, StreamConfig, VideoFormat};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

const CANVAS: Canvas = Canvas { width: 160, height: 128, fps: 30 };
/// A hang guard of the tests themselves.
const GUARD: Duration = Duration::from_secs(30);

/// A driver: works for so many pictures, then a call never comes back, or each call takes its time.
struct Imitation {
    encoder: VideoEncoder,
    left: u32,
    each: Duration,
}

impl Imitation {
    fn open(left: u32, each: Duration) -> Result<Box<dyn PictureEncoder>, EncodeError> {
        let settings = VideoSettings { canvas: CANVAS, kbps: 300, low_latency: true, keyframe_s: 2, b_frames: 0 };
        Ok(Box::new(Self { encoder: VideoEncoder::open(&settings)?, left, each }))
    }
}

fn for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

impl PictureEncoder for Imitation {
    fn name(&self) -> &'static str {
        "h264_imitation"
    }
    fn config(&self) -> VideoConfig {
        self.encoder.config()
    }
    fn encode(&mut self, frame: &Frame, keyframe: bool) -> Result<Vec<Packet>, EncodeError> {
        if self.left == 0 {
            for_ever();
        }
        self.left -= 1;
        // In small pieces: what a stopped process missed is not made up for by one clock that went on.
        for _ in 0..self.each.as_millis() / 10 {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(self.encoder.encode(frame, keyframe)?)
    }
    fn set_kbps(&mut self, kbps: u32) {
        self.encoder.set_kbps(kbps);
    }
    fn finish(&mut self) -> Result<Vec<Packet>, EncodeError> {
        Ok(self.encoder.finish()?)
    }
}

fn frame(tick: i64) -> Frame {
    let format = VideoFormat { width: CANVAS.width, height: CANVAS.height, pixel: PixelFormat::I420 };
    Frame::new(format, Pts::from_ticks(tick, CANVAS.fps), false, vec![u8::try_from(60 + tick % 100).unwrap_or(90); format.bytes()].into())
}

fn base() -> Result<Box<dyn PictureEncoder>, EncodeError> {
    let settings = VideoSettings { canvas: CANVAS, kbps: 300, low_latency: false, keyframe_s: 2, b_frames: 2 };
    Ok(Box::new(VideoEncoder::open(&settings)?))
}

#[test]
fn only_time_that_the_process_had_is_counted() {
    let mut patience = Patience { left: CALL_LIMIT };
    assert!(!patience.is_over_after(Duration::from_secs(3600)), "an hour with the lid closed is one wait");
    assert!((0..37).all(|_| !patience.is_over_after(LOOK)));
    assert!(patience.is_over_after(LOOK), "the limit is two seconds of its own");
}

#[test]
fn opening_that_hangs_is_left_behind_too() {
    let (tell, told) = mpsc::channel();
    let begun = Instant::now();
    let opened = Watched::open(Box::new(|| for_ever()), move || tell.send(()).expect("somebody counts"));
    assert!(matches!(opened, Err(EncodeError::Hangs)));
    assert!(begun.elapsed() >= OPEN_LIMIT && told.recv_timeout(Duration::ZERO).is_ok());
}

#[test]
fn what_fails_or_crashes_is_no_hang() {
    let refused = Watched::open(Box::new(|| Err(LibavError::CodecMissing("h264_imitation").into())), || panic!("no hang"));
    assert!(matches!(refused, Err(EncodeError::Libav(LibavError::CodecMissing(_)))));
    let mut crashes = Watched::open(Box::new(|| Imitation::open(1, Duration::ZERO)), || panic!("no hang")).expect("opens");
    assert_eq!(crashes.name(), "h264_imitation");
    crashes.set_kbps(200);
    assert_eq!(crashes.config().kbps, 200);
    crashes.encode(&frame(0), true).expect("works");
    assert_eq!(crashes.config().kbps, 200, "as the encoder itself says now");
    crashes.line.as_ref().expect("there").0.send(Call::Finish).expect("asked behind its back");
    let (calls, answers) = crashes.line.take().expect("there");
    wait(&answers, CALL_LIMIT).expect("answered");
    drop(calls);
    assert!(matches!(wait(&answers, CALL_LIMIT), Err(EncodeError::Libav(_))), "its thread ended");
}

/// Everything as in a show: the relay, the encoder's thread, a recording and the viewers' playlist.
#[test]
fn a_show_goes_on_with_the_base_when_a_call_never_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, live) = (folder.path().join("show.mp4"), folder.path().join("live"));
    std::fs::create_dir(&live).expect("a folder");
    let abandoned = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&abandoned);
    let on_hang = move || count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    let first = Watched::open(Box::new(|| Imitation::open(45, Duration::ZERO)), on_hang).expect("opens");
    let sound = AudioEncoder::open(96).expect("AAC opens");
    let config = StreamConfig { video: first.config(), audio: sound.config() };
    let (outlets, feed, done) = (Outlets::default(), Feed::new(), Done::default());
    let (tell, told) = mpsc::channel();
    outlets.add(Sink::Recording(RecordingSink::start(&file, false, config.clone(), move |event| drop(tell.send(event))).expect("records")));
    outlets.add(Sink::Hls(HlsSink::start(&live, config, 0, |_| ()).expect("plays")));
    feed.span.set_begin(crate::timing::now());
    let (tell, replaced) = mpsc::channel::<Replaced>();
    let open = move |which| match which {
        Which::Chosen => panic!("one that hangs is not opened again"),
        Which::Base => base(),
    };
    let picture = Picture {
        relay: Relay::new(Box::new(first), Box::new(open)),
        frames: feed.frames.clone(),
        counters: feed.counters.clone(),
        span: feed.span.clone(),
        outlets: outlets.clone(),
        kbps: Arc::new(AtomicU32::new(300)),
        on_begin: None,
        on_replaced: Box::new(move |news| drop(tell.send(news))),
        done: done.clone(),
    };
    picture.start(EncoderThread::Show, Hub::default()).expect("a thread");

    // The program at its own pace: what finds no room is skipped, as in a show.
    let (begun, mut n) = (Instant::now(), 0);
    let mut news = None;
    while n < 45 + 150 {
        assert!(begun.elapsed() < GUARD);
        if feed.frames.try_push(frame(n)).is_err() {
            feed.counters.add_skipped(1);
        }
        n += 1;
        crate::timing::sleep_until(Pts(crate::timing::now().0 + CANVAS.interval()));
        news = news.or_else(|| replaced.try_recv().ok());
    }
    feed.frames.close();
    assert!(done.wait(GUARD), "the thread that encodes is not the one that hangs");
    let news = news.expect("another took over while the show ran");
    assert_eq!((news.from, news.to, news.hung), ("h264_imitation", "libx264", true));
    assert_eq!(abandoned.load(Ordering::Relaxed), 1);
    let skipped = feed.counters.skipped();
    assert!((20..100).contains(&skipped), "{skipped} frames had no room in about two seconds");
    for sink in outlets.take(|_| true) {
        match sink {
            Sink::Recording(sink) => sink.finish(GUARD),
            Sink::Hls(sink) => sink.finish(GUARD),
            Sink::Rtmp(_) => unreachable!("none here"),
        }
    }
    let next = told.try_iter().find_map(|event| if let FileEvent::Continued { path } = event { Some(path) } else { None });
    let next = next.expect("the recording goes on in its next part");
    assert_eq!(next, folder.path().join("show.part2.mp4"));
    let (before, after) = (pictures(&file), pictures(&next));
    assert_eq!(before, 45, "everything that came out before");
    // The show's length, with repeats where the encoder had no room.
    assert!((140..=150).contains(&after), "{after} pictures after it");
    let list = std::fs::read_to_string(live.join("stream.m3u8")).expect("a playlist");
    assert!(list.contains("#EXT-X-DISCONTINUITY"), "{list}");
}

fn pictures(path: &Path) -> usize {
    let mut file = MediaFile::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut count = 0;
    while let Some(decoded) = file.next().expect("decodes") {
        count += usize::from(matches!(decoded, Decoded::Video(_)));
    }
    count
}

/// What the next test stops: ten pictures that take 0.3 s each.
#[test]
#[ignore = "run by a_process_that_was_stopped_has_not_lost_its_encoder"]
fn slow_pictures() {
    let each = Duration::from_millis(300);
    let mut slow = Watched::open(Box::new(move || Imitation::open(100, each)), || panic!("taken for one that hangs")).expect("opens");
    for n in 0..10 {
        eprintln!("picture {n}");
        slow.encode(&frame(n), false).expect("slow, no more");
    }
}

#[cfg(unix)]
#[test]
fn a_process_that_was_stopped_has_not_lost_its_encoder() {
    use std::io::{BufRead, BufReader};
    let exe = std::env::current_exe().expect("this test");
    let mut command = std::process::Command::new(exe);
    command.args(["--exact", "watched::tests::slow_pictures", "--ignored", "--nocapture", "--test-threads", "1"]);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("picture 2")), "it calls");
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("it is there");
    // Longer than the limit of a call: the time itself is what is tested.
    std::thread::sleep(CALL_LIMIT + Duration::from_secs(1));
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).expect("it is there");
    assert!(lines.any(|line| line.contains("picture 9")), "it went on");
    assert!(child.wait().expect("it ends").success());
}
