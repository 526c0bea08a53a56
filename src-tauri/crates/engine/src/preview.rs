use crate::feed::PreviewWish;
use crate::guard::guarded;
use crate::hub::{Hub, News};
use crate::thread_priority;
use stallcast_clock::spawn_thread;
use stallcast_libav::JpegEncoder;
use stallcast_media::Frame;
use stallcast_media::queue::{NewestQueue, Taken};
use std::thread::JoinHandle;
use std::time::Duration;

const WAIT: Duration = Duration::from_millis(500);

/// Makes preview pictures on the thread `preview`, below everything else in priority. Only the newest composed frame
/// waits for it; what it does not manage is not shown and hurts nobody.
pub(crate) struct Preview {
    frames: NewestQueue<Frame>,
    thread: Option<JoinHandle<()>>,
}

impl Preview {
    /// Starts the thread; pictures go to `hub` while `wish` asks for them.
    ///
    /// # Errors
    /// The OS gives no thread.
    pub(crate) fn start(wish: PreviewWish, hub: Hub) -> std::io::Result<Self> {
        let frames = NewestQueue::<Frame>::new(1);
        let waiting = frames.clone();
        let thread = spawn_thread("preview", move || {
            thread_priority::lower();
            let mut seq = 0;
            guarded("preview", &hub, |_| run(&waiting, &wish, &hub, &mut seq));
        })?;
        Ok(Self { frames, thread: Some(thread) })
    }

    /// Where the program puts its newest frame.
    pub(crate) fn frames(&self) -> NewestQueue<Frame> {
        self.frames.clone()
    }
}

fn run(waiting: &NewestQueue<Frame>, wish: &PreviewWish, hub: &Hub, seq: &mut u64) {
    let mut encoder = None::<(u32, JpegEncoder)>;
    loop {
        let frame = match waiting.pop(WAIT) {
            Taken::Item(frame) => frame,
            Taken::Timeout => continue,
            Taken::Closed => return,
        };
        let side = wish.max_side();
        if wish.fps() == 0 || side == 0 {
            continue;
        }
        let (_, jpeg) = match &mut encoder {
            Some(known) if known.0 == side => known,
            other => other.insert((side, JpegEncoder::new(side))),
        };
        match jpeg.encode(&frame) {
            Ok(picture) => {
                *seq += 1;
                hub.send(&News::Preview { seq: *seq, width: picture.width, height: picture.height, jpeg: picture.bytes });
            }
            Err(e) => {
                tracing::warn!(error = %e, "no preview picture");
                encoder = None;
            }
        }
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        self.frames.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the preview thread ended with a panic");
        }
    }
}
