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
