//! From composed frames and mixed sound to packets, and from packets to every sink of a show.

use crate::feed::Feed;
use crate::guard::guarded;
use crate::hub::Hub;
use crate::sound::Done;
use crate::timing;
use stallcast_broadcast::{HlsSink, RecordingSink, RtmpSink};
use stallcast_clock::spawn_thread;
use stallcast_libav::{AudioEncoder, LibavError, VideoEncoder, VideoSettings};
use stallcast_media::queue::Taken;
use stallcast_media::{NANOS_PER_MS, Packet, Pts, Track};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the encoder thread waits for a frame before it looks around.
const WAIT: Duration = Duration::from_millis(500);

/// One place where packets go. None of them ever makes the encoder wait: each has a bounded queue of its own.
pub(crate) enum Sink {
    Rtmp(RtmpSink),
    Recording(RecordingSink),
    Hls(HlsSink),
}

impl Sink {
    fn push(&self, packet: Arc<Packet>) {
        match self {
            Self::Rtmp(sink) => sink.push(packet),
            Self::Recording(sink) => sink.push(packet),
            Self::Hls(sink) => sink.push(packet),
        }
    }
}

struct Outlet {
    sink: Sink,
    /// It got its first keyframe: what came before is of no use to it.
    begun: bool,
}

#[derive(Default)]
struct Shared {
    outlets: Mutex<Vec<Outlet>>,
    /// Payload of all packets so far.
    bytes: AtomicU64,
    keyframe: AtomicBool,
}

/// The sinks of one show, shared by both encoders. Locked for moments: pushing never blocks.
#[derive(Clone, Default)]
pub(crate) struct Outlets(Arc<Shared>);

impl Outlets {
    fn lock(&self) -> MutexGuard<'_, Vec<Outlet>> {
        self.0.outlets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another sink, from the next keyframe on, which is asked for.
    pub(crate) fn add(&self, sink: Sink) {
        self.lock().push(Outlet { sink, begun: false });
        self.want_keyframe();
    }

    /// Takes out the sinks that `pick` names, to be finished outside of the lock.
    pub(crate) fn take(&self, pick: impl Fn(&Sink) -> bool) -> Vec<Sink> {
        let mut outlets = self.lock();
        let (out, stay) = std::mem::take(&mut *outlets).into_iter().partition(|outlet| pick(&outlet.sink));
        *outlets = stay;
        drop(outlets);
        let out: Vec<Outlet> = out;
        out.into_iter().map(|outlet| outlet.sink).collect()
    }

    /// Looks at each sink.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&Sink)) {
        for outlet in self.lock().iter() {
            look(&outlet.sink);
        }
    }

    pub(crate) fn send_all(&self, packets: Vec<Packet>) {
        for packet in packets {
            self.0.bytes.fetch_add(packet.payload.len() as u64, Ordering::Relaxed);
            let packet = Arc::new(packet);
            for outlet in self.lock().iter_mut() {
                outlet.begun |= packet.track == Track::Video && packet.keyframe;
                // Sound before the first picture belongs to the start of the show only.
                if outlet.begun || packet.track == Track::Audio && packet.pts <= Pts(0) {
                    outlet.sink.push(Arc::clone(&packet));
                }
            }
        }
    }

    /// The next frame becomes a keyframe.
    pub(crate) fn want_keyframe(&self) {
        self.0.keyframe.store(true, Ordering::Release);
    }

    fn take_keyframe_wish(&self) -> bool {
        self.0.keyframe.swap(false, Ordering::AcqRel)
    }

    /// Payload bytes of all packets so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }
}

/// AAC for [`crate::sound`].
pub(crate) type SoundEncoder = AudioEncoder;

/// The picture encoder of one show.
pub(crate) struct Picture {
    pub(crate) settings: VideoSettings,
    pub(crate) encoder: VideoEncoder,
    pub(crate) feed: Feed,
    pub(crate) outlets: Outlets,
    /// Called once, with the UTC instant of program time zero, ms, before the first packet goes out.
    pub(crate) on_begin: Box<dyn FnOnce(i64) + Send>,
    pub(crate) done: Done,
}

impl Picture {
    /// Starts the thread `enc:video`. It ends when the feed is closed and everything has been flushed.
    ///
    /// # Errors
    /// The OS gives no thread.
    pub(crate) fn start(self, hub: Hub) -> std::io::Result<()> {
        let Self { settings, encoder, feed, outlets, on_begin, done } = self;
        let (mut encoder, mut on_begin) = (Some(encoder), Some(on_begin));
        let body = move || {
            guarded("encoder", &hub, |_| {
                // After a crash a new encoder; its parameters are the same, so the sinks go on.
                let opened = encoder.take().map_or_else(|| VideoEncoder::open(&settings), Ok);
                match opened {
                    Ok(mut encoder) => encode(&mut encoder, &feed, &outlets, &mut on_begin),
                    Err(e) => tracing::error!(error = %e, "the picture encoder does not open again"),
                }
            });
            done.set();
        };
        spawn_thread("enc:video", body).map(drop)
    }
}

fn encode(encoder: &mut VideoEncoder, feed: &Feed, outlets: &Outlets, on_begin: &mut Option<Box<dyn FnOnce(i64) + Send>>) {
    loop {
        let frame = match feed.frames.pop(WAIT) {
            Taken::Item(frame) => frame,
            Taken::Timeout => continue,
            Taken::Closed => break,
        };
        if let Some(on_begin) = on_begin.take() {
            on_begin(epoch_ms(feed));
        }
        let packets = encoder.encode(&frame, outlets.take_keyframe_wish());
        pass_on(packets, feed, outlets);
    }
    pass_on(encoder.finish(), feed, outlets);
}

fn pass_on(packets: Result<Vec<Packet>, LibavError>, feed: &Feed, outlets: &Outlets) {
    match packets {
        Ok(packets) => {
            feed.counters.add_encoded(packets.len() as u64);
            outlets.send_all(packets);
        }
        Err(e) => {
            feed.counters.add_skipped(1);
            tracing::error!(error = %e, "a frame could not be encoded");
        }
    }
}

/// UTC of program time zero, ms.
fn epoch_ms(feed: &Feed) -> i64 {
    let begin = feed.span.begin().unwrap_or_else(timing::now);
    timing::utc_ms() - (timing::now() - begin) / NANOS_PER_MS
}

/// Opens the sound encoder.
///
/// # Errors
/// libav has none or refuses the bitrate.
pub(crate) fn open_sound(kbps: u32) -> Result<SoundEncoder, LibavError> {
    AudioEncoder::open(kbps)
}
