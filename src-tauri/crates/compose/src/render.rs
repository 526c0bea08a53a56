//! Drawing overlays on a thread of their own.

use crate::bitmap::Bitmap;
use crate::layer::Drawn;
use crate::layout::Layout;
use crate::picture::{PictureError, square};
use crate::ribbon::{Ribbon, Terms};
use crate::{ComposeError, Fonts, Language, ProductCard, card};
use bytes::Bytes;
use stallcast_clock::spawn_thread;
use stallcast_media::queue::{NewestQueue, Taken};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A closed queue wakes the thread at once; this is only how long one wait may last.
const WAIT: Duration = Duration::from_secs(60);

/// What the overlay thread did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OverlayCounters {
    /// Overlays drawn.
    pub drawn: u64,
    /// Changes that a newer one overtook before they were drawn.
    pub overtaken: u64,
    /// Overlays that could not be drawn and are not shown.
    pub failed: u64,
    /// Product pictures that could not be read; the card shows a neutral drawing instead.
    pub pictures_refused: u64,
}

/// Everything that shall be shown. Each request holds all of it, so a newer one makes those before it needless.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) card: Option<(u64, CardWish)>,
    pub(crate) ribbon: Option<(u64, RibbonWish)>,
}

/// A card and the language of its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CardWish {
    pub(crate) card: ProductCard,
    pub(crate) language: Language,
}

/// A ribbon with room for a countdown, which is not part of the drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RibbonWish {
    pub(crate) terms: Terms,
    /// Characters of the countdown.
    pub(crate) places: usize,
    pub(crate) language: Language,
}

/// Everything drawn so far. Each answer holds all of it, so only the newest one counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drawings {
    pub(crate) card: Option<Drawn<Bitmap>>,
    pub(crate) ribbon: Option<Drawn<Ribbon>>,
}

#[derive(Debug, Default)]
struct Counts {
    drawn: AtomicU64,
    failed: AtomicU64,
    pictures_refused: AtomicU64,
}

/// The thread `overlay`. Asking it and looking at its answers never waits.
#[derive(Debug)]
pub(crate) struct Renderer {
    requests: NewestQueue<Request>,
    answers: NewestQueue<Drawings>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

impl Renderer {
    pub(crate) fn start(layout: Layout, fonts: Fonts) -> Result<Self, ComposeError> {
        let (requests, answers) = (NewestQueue::new(1), NewestQueue::new(1));
        let counts = Arc::new(Counts::default());
        let mut desk =
            Desk { layout, fonts, drawings: Drawings::default(), picture: None, answers: answers.clone(), counts: Arc::clone(&counts) };
        let waiting = requests.clone();
        let thread = spawn_thread("overlay", move || desk.work(&waiting)).map_err(ComposeError::Thread)?;
        Ok(Self { requests, answers, counts, thread: Some(thread) })
    }

    pub(crate) fn ask(&self, request: Request) {
        self.requests.push(request);
    }

    /// What came since the last look, waiting up to `timeout`.
    pub(crate) fn look(&self, timeout: Duration) -> Option<Drawings> {
        match self.answers.pop(timeout) {
            Taken::Item(drawings) => Some(drawings),
            Taken::Timeout | Taken::Closed => None,
        }
    }

    pub(crate) fn counters(&self) -> OverlayCounters {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        OverlayCounters {
            drawn: count(&self.counts.drawn),
            overtaken: self.requests.lost(),
            failed: count(&self.counts.failed),
            pictures_refused: count(&self.counts.pictures_refused),
        }
    }
}

impl Drop for Renderer {
    /// The thread ends by itself after the drawing in hand. It is not waited for: whoever drops this may be the program
    /// thread, and reading system fonts takes up to a second.
    fn drop(&mut self) {
        self.requests.close();
        if let Some(thread) = self.thread.take_if(|thread| thread.is_finished())
            && thread.join().is_err()
        {
            tracing::error!("the overlay thread ended with a panic");
        }
    }
}

/// What the thread owns.
struct Desk {
    layout: Layout,
    fonts: Fonts,
    drawings: Drawings,
    /// The product picture last read, made small, and what it was read from.
    picture: Option<(Bytes, Option<Arc<Vec<u8>>>)>,
    answers: NewestQueue<Drawings>,
    counts: Arc<Counts>,
}

impl Desk {
    fn work(&mut self, requests: &NewestQueue<Request>) {
        loop {
            match requests.pop(WAIT) {
                Taken::Item(request) => self.carry_out(request),
                Taken::Timeout => {}
                Taken::Closed => return,
            }
        }
    }

    fn carry_out(&mut self, request: Request) {
        if let Some((revision, wish)) = request.card
            && self.drawings.card.as_ref().is_none_or(|known| known.revision != revision)
        {
            let layer = self.attempt("card", |desk| {
                let picture = wish.card.picture.as_ref().and_then(|bytes| desk.small_picture(bytes));
                card::draw(&wish.card, picture, wish.language, &desk.layout, &desk.fonts)
            });
            self.drawings.card = Some(Drawn { revision, layer });
            // The card need not wait for the ribbon.
            self.answers.push(self.drawings.clone());
        }
        if let Some((revision, wish)) = request.ribbon
            && self.drawings.ribbon.as_ref().is_none_or(|known| known.revision != revision)
        {
            let layer = self.attempt("ribbon", |desk| Ribbon::draw(&wish.terms, wish.places, wish.language, &desk.layout, &desk.fonts));
            self.drawings.ribbon = Some(Drawn { revision, layer });
            self.answers.push(self.drawings.clone());
        }
    }

    /// Draws; what fails, even with a panic, is told, counted and not shown.
    fn attempt<L>(&mut self, what: &'static str, draw: impl FnOnce(&mut Self) -> Result<Option<L>, ComposeError>) -> Option<Arc<L>> {
        let begun = Instant::now();
        let failed = match catch_unwind(AssertUnwindSafe(|| draw(self))) {
            Ok(Ok(Some(layer))) => {
                self.counts.drawn.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(what, took_us = begun.elapsed().as_micros(), "overlay drawn");
                return Some(Arc::new(layer));
            }
            Ok(Ok(None)) => "nothing to see".to_owned(),
            Ok(Err(e)) => e.to_string(),
            Err(_) => "crashed".to_owned(),
        };
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        tracing::error!(what, reason = failed, "an overlay could not be drawn");
        None
    }

    /// The picture as a small square, `None` if it cannot be read. The last one is remembered.
    fn small_picture(&mut self, bytes: &Bytes) -> Option<Arc<Vec<u8>>> {
        if let Some((from, small)) = &self.picture
            && from == bytes
        {
            return small.clone();
        }
        // Foreign bytes in a large decoder: a crash there costs the picture, not the card.
        let side = card::picture_side(&self.layout);
        let faces = self.fonts.bundled_database();
        let small = catch_unwind(AssertUnwindSafe(|| square(bytes, side, faces))).unwrap_or(Err(PictureError::Broken));
        if let Err(e) = &small {
            self.counts.pictures_refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(error = %e, bytes = bytes.len(), "a product picture is not shown");
        }
        let small = small.ok();
        self.picture = Some((bytes.clone(), small.clone()));
        small
    }
}
