//! One overlay on its way in, at rest, or on its way out.

use crate::ease::{SLIDE, arrive, depart, progress};
use stallcast_media::{NANOS_PER_SEC, Pts};
use std::sync::Arc;

/// A layer whose values have changed is shown so long at most while the new one is being drawn.
const MOST_STALE: i64 = NANOS_PER_SEC;

/// What the overlay thread made of one revision; no layer if it could not be drawn.
#[derive(Debug)]
pub(crate) struct Drawn<L> {
    pub(crate) revision: u64,
    pub(crate) layer: Option<Arc<L>>,
}

impl<L> Clone for Drawn<L> {
    fn clone(&self) -> Self {
        Self { revision: self.revision, layer: self.layer.clone() }
    }
}

/// The place of one kind of overlay. `I` tells things apart: another thing slides in after the old one has left,
/// another revision of the same thing takes its place without moving.
#[derive(Debug)]
pub(crate) struct Slot<I, L> {
    shown: Option<Shown<I, L>>,
}

#[derive(Debug)]
struct Shown<I, L> {
    identity: I,
    revision: u64,
    layer: Arc<L>,
    motion: Motion,
    stale_since: Option<Pts>,
}

/// 0 is out of the picture, 1 at rest.
#[derive(Debug, Clone, Copy)]
struct Motion {
    inwards: bool,
    from: f32,
    since: Pts,
}

impl Motion {
    fn place(self, at: Pts) -> f32 {
        let done = progress(self.since, at);
        if self.inwards { self.from + (1.0 - self.from) * arrive(done) } else { self.from * (1.0 - depart(done)) }
    }

    fn turn(&mut self, inwards: bool, at: Pts) {
        if self.inwards != inwards {
            *self = Self { inwards, from: self.place(at), since: at };
        }
    }

    fn is_gone(self, at: Pts) -> bool {
        !self.inwards && at - self.since >= SLIDE
    }
}

impl<I, L> Default for Slot<I, L> {
    fn default() -> Self {
        Self { shown: None }
    }
}

impl<I: PartialEq + Clone, L> Slot<I, L> {
    /// Is nothing shown?
    pub(crate) fn is_empty(&self) -> bool {
        self.shown.is_none()
    }

    /// Identity of what is shown, also while it leaves.
    pub(crate) fn identity(&self) -> Option<&I> {
        self.shown.as_ref().map(|shown| &shown.identity)
    }

    /// What to draw at the tick `at`, and how far it is in.
    pub(crate) fn now(&self, at: Pts) -> Option<(&L, f32)> {
        self.shown.as_ref().map(|shown| (&*shown.layer, shown.motion.place(at)))
    }

    /// Goes on to the tick `at`.
    pub(crate) fn step(&mut self, wanted: Option<(&I, u64)>, drawn: Option<&Drawn<L>>, at: Pts) {
        let ready = wanted.and_then(|(_, revision)| drawn.filter(|drawn| drawn.revision == revision));
        let failed = ready.is_some_and(|drawn| drawn.layer.is_none());
        if let Some(shown) = &mut self.shown {
            let same = wanted.filter(|(identity, _)| **identity == shown.identity && !failed);
            if let (Some((_, revision)), Some(layer)) = (same, ready.and_then(|drawn| drawn.layer.as_ref())) {
                (shown.revision, shown.layer) = (revision, Arc::clone(layer));
            }
            shown.stale_since = match same {
                Some((_, revision)) if revision != shown.revision => Some(shown.stale_since.unwrap_or(at)),
                _ => None,
            };
            let stale = shown.stale_since.is_some_and(|since| at - since > MOST_STALE);
            shown.motion.turn(same.is_some() && !stale, at);
            if shown.motion.is_gone(at) {
                self.shown = None;
            }
        }
        if self.shown.is_none()
            && let Some((identity, revision)) = wanted
            && let Some(layer) = ready.and_then(|drawn| drawn.layer.clone())
        {
            let motion = Motion { inwards: true, from: 0.0, since: at };
            self.shown = Some(Shown { identity: identity.clone(), revision, layer, motion, stale_since: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(revision: u64, name: &'static str) -> Drawn<&'static str> {
        Drawn { revision, layer: Some(Arc::new(name)) }
    }

    fn see(
        slot: &mut Slot<u32, &'static str>,
        wanted: Option<(u32, u64)>,
        drawn: Option<&Drawn<&'static str>>,
        ms: i64,
    ) -> Option<(&'static str, f32)> {
        let wanted = wanted.as_ref().map(|(identity, revision)| (identity, *revision));
        slot.step(wanted, drawn, Pts::from_ms(ms));
        slot.now(Pts::from_ms(ms)).map(|(layer, place)| (*layer, place))
    }

    #[test]
    fn it_slides_in_once_drawn_and_out_when_unwanted() {
        let mut slot = Slot::default();
        assert_eq!(see(&mut slot, Some((3, 1)), None, 0), None, "not drawn yet");
        let a = drawn(1, "a");
        assert_eq!(see(&mut slot, Some((3, 1)), Some(&a), 100), Some(("a", 0.0)));
        let quarter = see(&mut slot, Some((3, 1)), Some(&a), 180).expect("shown").1;
        assert!((0.7..0.9).contains(&quarter), "fast at first: {quarter}");
        assert_eq!(see(&mut slot, Some((3, 1)), Some(&a), 420), Some(("a", 1.0)));
        assert_eq!(see(&mut slot, None, Some(&a), 1000), Some(("a", 1.0)), "it starts to leave from where it is");
        let half = see(&mut slot, None, Some(&a), 1160).expect("still leaving").1;
        assert!((0.6..0.9).contains(&half), "slow at first: {half}");
        assert_eq!(see(&mut slot, None, Some(&a), 1320), None);
        assert!(slot.is_empty());
    }

    #[test]
    fn the_next_one_waits_until_the_old_one_has_left() {
        let mut slot = Slot::default();
        let (a, b) = (drawn(1, "a"), drawn(2, "b"));
        see(&mut slot, Some((3, 1)), Some(&a), 0);
        assert_eq!(see(&mut slot, Some((4, 2)), Some(&b), 1000), Some(("a", 1.0)));
        assert_eq!(see(&mut slot, Some((4, 2)), Some(&b), 1319).expect("old one").0, "a");
        assert_eq!(see(&mut slot, Some((4, 2)), Some(&b), 1320), Some(("b", 0.0)));
        assert_eq!(see(&mut slot, Some((4, 2)), Some(&b), 1640), Some(("b", 1.0)));
    }

    #[test]
    fn new_values_of_the_same_thing_do_not_move() {
        let mut slot = Slot::default();
        let (a, b) = (drawn(1, "17 left"), drawn(2, "16 left"));
        see(&mut slot, Some((3, 1)), Some(&a), 0);
        see(&mut slot, Some((3, 1)), Some(&a), 400);
        assert_eq!(see(&mut slot, Some((3, 2)), Some(&a), 500), Some(("17 left", 1.0)));
        assert_eq!(see(&mut slot, Some((3, 2)), Some(&b), 533), Some(("16 left", 1.0)));
    }

    #[test]
    fn what_was_called_back_turns_round_where_it_is() {
        let mut slot = Slot::default();
        let a = drawn(1, "a");
        see(&mut slot, Some((3, 1)), Some(&a), 0);
        see(&mut slot, None, Some(&a), 1000);
        let before = see(&mut slot, None, Some(&a), 1200).expect("leaving").1;
        let turned = see(&mut slot, Some((3, 1)), Some(&a), 1200).expect("turning").1;
        assert!((before - turned).abs() < 1e-6 && before < 1.0);
        assert_eq!(see(&mut slot, Some((3, 1)), Some(&a), 1520), Some(("a", 1.0)));
    }

    #[test]
    fn old_values_do_not_stay_when_the_new_ones_cannot_be_drawn() {
        let mut slot = Slot::default();
        let a = drawn(1, "a");
        see(&mut slot, Some((3, 1)), Some(&a), 0);
        see(&mut slot, Some((3, 1)), Some(&a), 400);
        let failed = Drawn { revision: 2, layer: None };
        see(&mut slot, Some((3, 2)), Some(&failed), 500);
        assert_eq!(see(&mut slot, Some((3, 2)), Some(&failed), 820), None);

        see(&mut slot, Some((3, 1)), Some(&a), 1000);
        see(&mut slot, Some((3, 3)), Some(&a), 2000);
        assert_eq!(see(&mut slot, Some((3, 3)), Some(&a), 3000), Some(("a", 1.0)));
        see(&mut slot, Some((3, 3)), Some(&a), 3001);
        assert_eq!(see(&mut slot, Some((3, 3)), Some(&a), 3321), None, "a drawing that takes too long");
    }
}
