//! From composed frames and mixed sound to packets, and from packets to every sink of a show.

use crate::feed::Span;
use crate::guard::guarded;
use crate::hub::Hub;
use crate::relay::{Relay, Replaced};
use crate::sound::Done;
use crate::thread_priority;
use crate::timing;
use stallcast_broadcast::{HlsSink, RecordingSink, RtmpSink};
use stallcast_clock::spawn_thread;
use stallcast_libav::{AudioEncoder, LibavError};
use stallcast_media::queue::{NewestQueue, Taken};
use stallcast_media::{Counters, Frame, NANOS_PER_MS, Packet, Pts, Track};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the encoder thread waits for a frame before it looks around.
const WAIT: Duration = Duration::from_millis(500);
/// Sound packets kept for sinks that begin: 3 s, more than the look-ahead of any encoder here.
const RECENT: usize = 141;

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
    /// It got its first keyframe, and the sound that belongs to it.
    begun: bool,
}

#[derive(Default)]
struct Lane {
    outlets: Vec<Outlet>,
    /// Sound that is already encoded while its picture still waits in the encoder's look-ahead: a sink that begins with a
    /// keyframe needs it.
    recent: VecDeque<Arc<Packet>>,
    /// Outlets of another picture of this show: they get the same sound.
    beside: Option<Outlets>,
}

impl Lane {
    fn send(&mut self, packet: &Arc<Packet>) {
        if packet.track == Track::Audio {
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(Arc::clone(packet));
        }
        for Outlet { sink, begun } in &mut self.outlets {
            if *begun {
                sink.push(Arc::clone(packet));
            } else if packet.track == Track::Video && packet.keyframe {
                *begun = true;
                sink.push(Arc::clone(packet));
                for sound in belonging(&self.recent, packet.pts) {
                    sink.push(Arc::clone(sound));
                }
            }
        }
    }
}

/// The sound that is heard from this keyframe on; at the start of a show with the encoder's priming before it.
fn belonging(recent: &VecDeque<Arc<Packet>>, keyframe: Pts) -> impl Iterator<Item = &Arc<Packet>> {
    recent.iter().filter(move |sound| keyframe <= Pts(0) || sound.pts >= keyframe)
}

#[derive(Default)]
struct Shared {
    lane: Mutex<Lane>,
    /// Payload of all packets so far.
    bytes: AtomicU64,
    keyframe: AtomicBool,
    /// A keyframe is on its way through the encoder: whoever waits now will get it.
    in_flight: AtomicBool,
}

/// The sinks of one show, shared by both encoders. Locked for moments: pushing never blocks.
#[derive(Clone, Default)]
pub(crate) struct Outlets(Arc<Shared>);

impl Outlets {
    fn lock(&self) -> MutexGuard<'_, Lane> {
        self.0.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another sink, from the next keyframe on, which is asked for.
    pub(crate) fn add(&self, sink: Sink) {
        self.lock().outlets.push(Outlet { sink, begun: false });
        self.want_keyframe();
    }

    /// Takes out the sinks that `pick` names, to be finished outside of the lock.
    pub(crate) fn take(&self, pick: impl Fn(&Sink) -> bool) -> Vec<Sink> {
        let mut lane = self.lock();
        let (out, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut lane.outlets).into_iter().partition(|outlet| pick(&outlet.sink));
        lane.outlets = stay;
        drop(lane);
        out.into_iter().map(|outlet| outlet.sink).collect()
    }

    /// Looks at each sink.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&Sink)) {
        for outlet in &self.lock().outlets {
            look(&outlet.sink);
        }
    }

    pub(crate) fn send_all(&self, packets: Vec<Packet>) {
        for packet in packets {
            self.0.bytes.fetch_add(packet.payload.len() as u64, Ordering::Relaxed);
            if packet.track == Track::Video && packet.keyframe {
                self.0.in_flight.store(false, Ordering::Release);
            }
            let packet = Arc::new(packet);
            let mut lane = self.lock();
            lane.send(&packet);
            if packet.track == Track::Audio
                && let Some(beside) = &lane.beside
            {
                // Always in this order: the other outlets never lock these.
                beside.lock().send(&packet);
            }
        }
    }

    /// From now on `other` gets the sound of these outlets too, with what belongs to a picture that begins now.
    pub(crate) fn share_sound(&self, other: Option<Self>) {
        let mut lane = self.lock();
        if let Some(other) = &other {
            other.lock().recent.clone_from(&lane.recent);
        }
        lane.beside = other;
    }

    /// The next frame becomes a keyframe, unless one is on its way already: groups stay whole while a show begins.
    pub(crate) fn want_keyframe(&self) {
        if !self.0.in_flight.load(Ordering::Acquire) {
            self.0.keyframe.store(true, Ordering::Release);
        }
    }

    /// Is the frame that is encoded now to be a keyframe? The first of a show is one anyway.
    fn take_keyframe_wish(&self, first: bool) -> bool {
        let wished = self.0.keyframe.swap(false, Ordering::AcqRel) || first;
        if wished {
            self.0.in_flight.store(true, Ordering::Release);
        }
        wished
    }

    /// Payload bytes of all packets so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }
}

/// AAC for [`crate::sound`].
pub(crate) type SoundEncoder = AudioEncoder;

/// The encoder of one picture of a show.
pub(crate) struct Picture {
    pub(crate) relay: Relay,
    pub(crate) frames: NewestQueue<Frame>,
    pub(crate) counters: Counters,
    pub(crate) span: Span,
    pub(crate) outlets: Outlets,
    /// Target now, kbit/s: a slow link lowers it.
    pub(crate) kbps: Arc<AtomicU32>,
    /// Called once, with the UTC instant of program time zero, ms, before the first packet goes out.
    pub(crate) on_begin: Option<Box<dyn FnOnce(i64) + Send>>,
    /// Called when another kind of encoder has taken over.
    pub(crate) on_replaced: Box<dyn Fn(Replaced) + Send>,
    pub(crate) done: Done,
}

/// Which picture a thread encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EncoderThread {
    /// `enc:video`: the show.
    Show,
    /// `enc:clean`, below all others in priority: the clean feed.
    Clean,
}

impl EncoderThread {
    const fn name(self) -> &'static str {
        match self {
            Self::Show => "enc:video",
            Self::Clean => "enc:clean",
        }
    }
}

impl Picture {
    /// Starts a thread. It ends when the queue is closed and everything has been flushed.
    ///
    /// # Errors
    /// The OS gives no thread.
    pub(crate) fn start(mut self, thread: EncoderThread, hub: Hub) -> std::io::Result<()> {
        let body = move || {
            if thread == EncoderThread::Clean {
                thread_priority::lower();
            }
            guarded("encoder", &hub, |run| {
                if run > 0 {
                    self.relay.fail();
                    // It may have changed while nothing was encoded.
                    self.relay.set_kbps(self.kbps.load(Ordering::Relaxed));
                }
                self.encode();
            });
            self.done.set();
        };
        spawn_thread(thread.name(), body).map(drop)
    }

    fn encode(&mut self) {
        let mut set = self.kbps.load(Ordering::Relaxed);
        loop {
            let frame = match self.frames.pop(WAIT) {
                Taken::Item(frame) => frame,
                Taken::Timeout => continue,
                Taken::Closed => break,
            };
            let wanted = self.kbps.load(Ordering::Relaxed);
            if wanted != set {
                self.relay.set_kbps(wanted);
                set = wanted;
            }
            let on_begin = self.on_begin.take();
            let first = on_begin.is_some();
            if let Some(on_begin) = on_begin {
                on_begin(epoch_ms(&self.span));
            }
            match self.relay.encode(&frame, self.outlets.take_keyframe_wish(first)) {
                Some(packets) => self.pass_on(packets),
                None => self.counters.add_skipped(1),
            }
            if let Some(replaced) = self.relay.take_replaced() {
                (self.on_replaced)(replaced);
            }
        }
        let last = self.relay.finish();
        self.pass_on(last);
    }

    fn pass_on(&self, packets: Vec<Packet>) {
        self.counters.add_encoded(packets.len() as u64);
        self.outlets.send_all(packets);
    }
}

/// UTC of program time zero, ms.
fn epoch_ms(span: &Span) -> i64 {
    let begin = span.begin().unwrap_or_else(timing::now);
    timing::utc_ms() - (timing::now() - begin) / NANOS_PER_MS
}

/// Opens the sound encoder.
///
/// # Errors
/// libav has none or refuses the bitrate.
pub(crate) fn open_sound(kbps: u32) -> Result<SoundEncoder, LibavError> {
    AudioEncoder::open(kbps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn sound(ms: i64) -> Arc<Packet> {
        let pts = Pts::from_ms(ms);
        Arc::new(Packet {
            track: Track::Audio,
            pts,
            dts: pts,
            duration: 0,
            keyframe: true,
            disposable: false,
            payload: Bytes::new(),
            config: None,
        })
    }

    #[test]
    fn a_keyframe_on_its_way_is_not_asked_for_again() {
        let outlets = Outlets::default();
        outlets.want_keyframe();
        assert!(outlets.take_keyframe_wish(true), "the first frame of a show");
        outlets.want_keyframe();
        assert!(!outlets.take_keyframe_wish(false), "a destination that connects meanwhile gets the first one");
        let keyframe = Packet { track: Track::Video, ..(*sound(0)).clone() };
        outlets.send_all(vec![keyframe]);
        outlets.want_keyframe();
        assert!(outlets.take_keyframe_wish(false), "later it needs one of its own");
    }

    #[test]
    fn a_sink_begins_with_the_sound_of_its_keyframe() {
        let recent: VecDeque<_> = [-21, 0, 21, 980, 1001, 1022].map(sound).into();
        let ms = |keyframe| belonging(&recent, Pts::from_ms(keyframe)).map(|p| p.pts.as_ms()).collect::<Vec<_>>();
        assert_eq!(ms(0), [-21, 0, 21, 980, 1001, 1022], "a show begins with all of it");
        assert_eq!(ms(1000), [1001, 1022], "what was heard before is not repeated, what was encoded early is not lost");
    }
}
