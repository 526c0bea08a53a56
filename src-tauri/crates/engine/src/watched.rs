//! An encoder that may hang, on a thread of its own: a call into a driver that never comes back is noticed and left behind.

use crate::relay::{EncodeError, PictureEncoder};
use stallcast_clock::spawn_thread;
use stallcast_libav::LibavError;
use stallcast_media::{Frame, Packet, VideoConfig};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Longest time for one picture. A driver that works takes some 10 ms; one that was reset comes back with an error in less.
const CALL_LIMIT: Duration = Duration::from_secs(2);
/// Longest time to open one: a sleeping GPU takes about a second.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks at the time.
const LOOK: Duration = Duration::from_millis(50);

/// How long an answer is still waited for, in time that this process had. A stopped process, a machine that slept and one
/// too busy to let us look make a single wait long: it counts as a short one, because the encoder had no time either.
#[derive(Debug)]
struct Patience {
    left: Duration,
}

impl Patience {
    /// Takes note of one wait of [`LOOK`]; true when there is nothing left.
    fn is_over_after(&mut self, waited: Duration) -> bool {
        self.left = self.left.saturating_sub(waited.min(2 * LOOK));
        self.left.is_zero()
    }
}

/// What opens the encoder, on the thread that will call into it.
type Opener = Box<dyn FnOnce() -> Result<Box<dyn PictureEncoder>, EncodeError> + Send>;

enum Call {
    /// With another rate, kbit/s, if it changes with this picture.
    Encode {
        frame: Frame,
        keyframe: bool,
        kbps: Option<u32>,
    },
    Finish,
}

struct Answer {
    packets: Result<Vec<Packet>, EncodeError>,
    config: VideoConfig,
}

/// Calls into an encoder through its thread `enc:driver`. When a call does not come back the thread is abandoned with
/// everything it holds (it cannot be ended from outside), and each later call fails at once.
pub(crate) struct Watched {
    name: &'static str,
    config: VideoConfig,
    kbps: Option<u32>,
    /// One call at a time; `None` once its thread was abandoned.
    line: Option<(SyncSender<Call>, Receiver<Answer>)>,
    /// Called when the thread is abandoned.
    on_hang: Option<Box<dyn FnOnce() + Send>>,
}

impl Watched {
    /// Opens one on its thread. `on_hang` is called at most once: a thread was abandoned.
    ///
    /// # Errors
    /// What `open` says; [`EncodeError::Hangs`] if it says nothing for 5 s.
    pub(crate) fn open(open: Opener, on_hang: impl FnOnce() + Send + 'static) -> Result<Self, EncodeError> {
        let (calls, asked) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let (tell, opened) = sync_channel(1);
        let body = move || {
            let mut encoder = match open() {
                Ok(encoder) => encoder,
                Err(e) => {
                    let _ = tell.send(Err(e));
                    return;
                }
            };
            if tell.send(Ok((encoder.name(), encoder.config()))).is_ok() {
                serve(&mut *encoder, &asked, &answer);
            }
        };
        spawn_thread("enc:driver", body).map_err(|e| LibavError::Failed { what: "thread", detail: e.to_string() })?;
        match wait(&opened, OPEN_LIMIT) {
            Ok(opened) => {
                let (name, config) = opened?;
                Ok(Self { name, config, kbps: None, line: Some((calls, answers)), on_hang: Some(Box::new(on_hang)) })
            }
            Err(EncodeError::Hangs) => {
                on_hang();
                Err(EncodeError::Hangs)
            }
            Err(e) => Err(e),
        }
    }

    fn call(&mut self, call: Call) -> Result<Vec<Packet>, EncodeError> {
        let (calls, answers) = self.line.as_ref().ok_or(EncodeError::Hangs)?;
        let answer = calls.try_send(call).map_err(|_| gone()).and_then(|()| wait(answers, CALL_LIMIT));
        match answer {
            Ok(Answer { packets, config }) => {
                self.config = config;
                packets
            }
            Err(e) => {
                self.line = None;
                if matches!(e, EncodeError::Hangs) {
                    tracing::error!(encoder = self.name, "a call into the encoder does not come back; its thread is abandoned");
                    if let Some(on_hang) = self.on_hang.take() {
                        on_hang();
                    }
                }
                Err(e)
            }
        }
    }
}

impl PictureEncoder for Watched {
    fn name(&self) -> &'static str {
        self.name
    }
    fn config(&self) -> VideoConfig {
        VideoConfig { kbps: self.kbps.unwrap_or(self.config.kbps), ..self.config.clone() }
    }
    fn encode(&mut self, frame: &Frame, keyframe: bool) -> Result<Vec<Packet>, EncodeError> {
        let kbps = self.kbps.take();
        self.call(Call::Encode { frame: frame.clone(), keyframe, kbps })
    }
    fn set_kbps(&mut self, kbps: u32) {
        self.kbps = Some(kbps);
    }
    fn finish(&mut self) -> Result<Vec<Packet>, EncodeError> {
        self.call(Call::Finish)
    }
}

/// The thread's work: ends with whoever asks.
fn serve(encoder: &mut dyn PictureEncoder, asked: &Receiver<Call>, answer: &SyncSender<Answer>) {
    while let Ok(call) = asked.recv() {
        let packets = match call {
            Call::Encode { frame, keyframe, kbps } => {
                if let Some(kbps) = kbps {
                    encoder.set_kbps(kbps);
                }
                encoder.encode(&frame, keyframe)
            }
            Call::Finish => encoder.finish(),
        };
        if answer.send(Answer { packets, config: encoder.config() }).is_err() {
            return;
        }
    }
}

/// The next answer, or that its thread ended or hangs.
fn wait<T>(answers: &Receiver<T>, limit: Duration) -> Result<T, EncodeError> {
    let mut patience = Patience { left: limit };
    loop {
        let begun = Instant::now();
        match answers.recv_timeout(LOOK) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Timeout) if patience.is_over_after(begun.elapsed()) => return Err(EncodeError::Hangs),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(gone()),
        }
    }
}

fn gone() -> EncodeError {
    LibavError::Failed { what: "encode", detail: "its thread crashed".to_owned() }.into()
}

#[cfg(test)]
#[path = "watched_tests.rs"]
mod tests;
