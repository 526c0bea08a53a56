use crate::bitmap::Bitmap;
use crate::layer::Slot;
use crate::layout::Layout;
use crate::render::{CardWish, Drawings, Renderer, Request, RibbonWish};
use crate::ribbon::{Ribbon, Terms, countdown, seconds_left};
use crate::{ComposeError, Fonts, Language, OverlayCounters, OverlaySet};
use stallcast_media::{Canvas, Pts};
use std::time::Duration;

/// Draws an [`OverlaySet`] over the program picture. Lives on the program thread, which it never makes wait: drawings
/// are made on the thread `overlay` and appear when they are finished.
///
/// Another product or coupon slides in after the one before has slid out; other figures of the same product change in
/// place. Nothing is drawn that is not in the set, but for what is sliding out.
#[derive(Debug)]
pub struct Overlays {
    layout: Layout,
    language: Language,
    /// Wanted now, with the revision its drawing has.
    card: Wanted<CardWish>,
    /// Terms and end, ms UTC.
    coupon: Option<(Terms, i64)>,
    ribbon: Wanted<RibbonWish>,
    renderer: Renderer,
    drawings: Drawings,
    card_slot: Slot<u32, Bitmap>,
    ribbon_slot: Slot<Terms, Ribbon>,
    /// End of the coupon that is shown, also while it leaves.
    shown_end_ms: i64,
}

/// The newest wish of one kind. It is remembered while it is not wanted, so that the same one need not be drawn again.
#[derive(Debug)]
struct Wanted<W> {
    wish: Option<W>,
    revision: u64,
    on: bool,
    asked: bool,
}

impl<W: PartialEq + Clone> Wanted<W> {
    const fn new() -> Self {
        Self { wish: None, revision: 0, on: false, asked: true }
    }

    fn set(&mut self, wish: Option<W>) {
        if wish.is_some() && !self.on {
            // What was asked for before may have been overtaken by a request without it. What is drawn is not drawn again.
            self.asked = false;
        }
        self.on = wish.is_some();
        if let Some(wish) = wish
            && self.wish.as_ref() != Some(&wish)
        {
            self.wish = Some(wish);
            self.revision += 1;
            self.asked = false;
        }
    }

    fn request(&self) -> Option<(u64, W)> {
        self.wish.clone().filter(|_| self.on).map(|wish| (self.revision, wish))
    }

    fn now(&self) -> Option<(&W, u64)> {
        self.wish.as_ref().filter(|_| self.on).map(|wish| (wish, self.revision))
    }
}

impl Overlays {
    /// Starts the thread `overlay` for one canvas.
    ///
    /// # Errors
    /// The OS gives no thread.
    pub fn new(canvas: Canvas, fonts: Fonts) -> Result<Self, ComposeError> {
        let layout = Layout::new(canvas);
        Ok(Self {
            layout,
            language: Language::default(),
            card: Wanted::new(),
            coupon: None,
            ribbon: Wanted::new(),
            renderer: Renderer::start(layout, fonts)?,
            drawings: Drawings::default(),
            card_slot: Slot::default(),
            ribbon_slot: Slot::default(),
            shown_end_ms: 0,
        })
    }

    /// Replaces everything that shall be drawn; what goes begins to leave at the program instant `at`.
    pub fn set(&mut self, set: OverlaySet, at: Pts) {
        self.language = set.language;
        let card = set.card.map(|mut card| {
            if card.picture.is_none() && card.picture_key.is_some() {
                // Not sent again while the key stays the same.
                let before = self.card.wish.as_ref().filter(|before| before.card.picture_key == card.picture_key);
                card.picture = before.and_then(|before| before.card.picture.clone());
            }
            CardWish { card, language: set.language }
        });
        self.card.set(card);
        self.coupon = set.coupon.map(|coupon| (Terms::from(&coupon), coupon.ends_at_ms));
        self.step_card(at);
    }

    /// Is there nothing to draw, until something else is set?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.card.on && self.coupon.is_none() && self.card_slot.is_empty() && self.ribbon_slot.is_empty()
    }

    /// Draws over a tightly packed I420 canvas: slides as far as they are at the program instant `at`, the countdown at
    /// `utc_ms`. Where nothing is to be drawn no byte changes.
    pub fn blend(&mut self, canvas_i420: &mut [u8], at: Pts, utc_ms: i64) {
        let left = self.coupon.as_ref().map_or(0, |(_, end)| seconds_left(*end, utc_ms));
        let running = self.coupon.as_ref().filter(|_| left > 0).map(|(terms, _)| terms.clone());
        self.ribbon.set(running.map(|terms| RibbonWish { terms, places: countdown(left).len(), language: self.language }));
        self.ask();
        if let Some(drawings) = self.renderer.look(Duration::ZERO) {
            self.drawings = drawings;
        }
        let canvas = self.layout.canvas;
        self.step_card(at);
        if let Some((card, place)) = self.card_slot.now(at) {
            card.blend(canvas_i420, canvas, offset(card.right(), place), 0);
        }
        let wanted = self.ribbon.now().map(|(wish, revision)| (&wish.terms, revision));
        self.ribbon_slot.step(wanted, self.drawings.ribbon.as_ref(), at);
        if let Some((terms, end)) = &self.coupon
            && self.ribbon_slot.identity() == Some(terms)
        {
            self.shown_end_ms = *end;
        }
        if let Some((ribbon, place)) = self.ribbon_slot.now(at) {
            ribbon.blend(canvas_i420, canvas, offset(ribbon.right(), place), seconds_left(self.shown_end_ms, utc_ms));
        }
    }

    /// What the overlay thread did so far.
    #[must_use]
    pub fn counters(&self) -> OverlayCounters {
        self.renderer.counters()
    }

    fn step_card(&mut self, at: Pts) {
        let wanted = self.card.now().map(|(wish, revision)| (&wish.card.number, revision));
        self.card_slot.step(wanted, self.drawings.card.as_ref(), at);
    }

    /// Has what is new drawn.
    fn ask(&mut self) {
        if !(self.card.asked && self.ribbon.asked) {
            self.renderer.ask(Request { card: self.card.request(), ribbon: self.ribbon.request() });
            (self.card.asked, self.ribbon.asked) = (true, true);
        }
    }

    /// Waits until everything wanted at this tick is drawn. The program never waits; tests do.
    #[cfg(test)]
    pub(crate) fn settle(&mut self, at: Pts, utc_ms: i64) {
        let mut nothing = [];
        self.blend(&mut nothing, at, utc_ms);
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        let missing = |this: &Self| {
            let card = this.card.on && this.drawings.card.as_ref().is_none_or(|drawn| drawn.revision != this.card.revision);
            card || this.ribbon.on && this.drawings.ribbon.as_ref().is_none_or(|drawn| drawn.revision != this.ribbon.revision)
        };
        while missing(self) {
            assert!(std::time::Instant::now() < deadline, "nothing was drawn");
            if let Some(drawings) = self.renderer.look(Duration::from_millis(200)) {
                self.drawings = drawings;
            }
        }
    }
}

/// How far a layer that ends at column `right` stands to the left of its place.
fn offset(right: i32, place: f32) -> i32 {
    // Less than a canvas.
    -((1.0 - place) * right as f32).round() as i32
}
