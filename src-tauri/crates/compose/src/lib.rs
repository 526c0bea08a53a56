//! The program picture and sound, before encoding.
//!
//! Owns: where a source lies on the canvas ([`cover`], [`contain`]), what is drawn over it ([`Overlays`]: SVG templates
//! filled with confirmed values, rendered once a change on a thread of their own, blended in YUV each frame), slates
//! ([`slate`]), the bundled faces ([`Fonts`]), the audio [`Mixer`] and [`Meter`].
//! Must never know: devices, shops, encoders, the engine's protocol.
//!
//! Pictures are tightly packed I420 in limited-range BT.709, the canvas format of [`stallcast_media`].

mod bitmap;
mod card;
mod ease;
mod error;
mod fonts;
#[cfg(test)]
mod golden_tests;
mod layer;
mod layout;
mod meter;
mod mixer;
mod overlays;
#[cfg(test)]
mod overlays_tests;
mod picture;
mod raster;
mod render;
mod ribbon;
mod scene;
mod slate;
mod svg_cost;
mod template;
mod text;
mod values;
mod words;

pub use error::ComposeError;
pub use fonts::Fonts;
pub use meter::{Levels, Meter};
pub use mixer::Mixer;
pub use overlays::Overlays;
pub use render::OverlayCounters;
pub use scene::{Rect, contain, cover, fill_black};
pub use slate::{Slate, slate};
pub use values::{CouponRibbon, Language, OverlaySet, ProductCard};
