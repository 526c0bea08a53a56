use crate::fonts::Weight;
use crate::layout::{Area, Layout};
use crate::template::{Values, fill};
use crate::words::Words;
use crate::{ComposeError, Fonts, Language, fill_black};
use stallcast_media::{Canvas, Frame, PixelFormat, Pts, VideoFormat};

const NAME: &str = "slate.svg";
const TEMPLATE: &str = include_str!("../templates/slate.svg");
const HEADLINE: f32 = 6.4;
const WORDS: f32 = 4.0;
/// What the circle has room for.
const COLUMN: f32 = 56.0;

/// Whole pictures that stand in for a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slate {
    /// The camera is gone; the show goes on.
    CameraLost,
}

/// Draws a slate for the canvas. Takes some ten milliseconds: not for the program thread. A slate that cannot be drawn
/// is black.
#[must_use]
pub fn slate(canvas: Canvas, slate: Slate, language: Language, fonts: &Fonts) -> Frame {
    let format = VideoFormat { width: canvas.width, height: canvas.height, pixel: PixelFormat::I420 };
    let mut bytes = vec![0; format.bytes()];
    fill_black(&mut bytes, canvas);
    if let Err(e) = draw(&mut bytes, canvas, slate, language, fonts) {
        tracing::error!(error = %e, "a slate could not be drawn");
    }
    Frame::new(format, Pts(0), false, bytes.into())
}

fn draw(canvas_i420: &mut [u8], canvas: Canvas, slate: Slate, language: Language, fonts: &Fonts) -> Result<(), ComposeError> {
    let [headline, first, second] = match (slate, language) {
        (Slate::CameraLost, Language::ZhCn) => ["镜头暂时断开", "直播没有结束", "镜头恢复后，画面自动回来"],
        (Slate::CameraLost, Language::En) => ["Camera interrupted", "The show goes on.", "The picture returns with it."],
    };
    let layout = Layout::new(canvas);
    let wide = layout.card_width < layout.most_ribbon;
    // A wide canvas has smaller units than its height has room for.
    let unit = layout.unit * if wide { 1.15 } else { 1.0 };
    let (width, height) = (canvas.width as f32 / unit, canvas.height as f32 / unit);
    // The words stand above the middle, clear of the card.
    let origin = (width / 2.0, height * if wide { 0.415 } else { 0.43 });
    let (circle, radius) = if wide { (height * 0.085, height * 0.42) } else { (0.0, 36.0) };
    let mut words = Words::new(fonts);
    let mut values = Values::default();
    values.number("left", -origin.0 - 1.0).number("top", -origin.1 - 1.0).number("width", width + 2.0).number("height", height + 2.0);
    values.number("circle_y", circle).number("circle_radius", radius);
    for (name, own) in [("headline", headline), ("words_1", first), ("words_2", second)] {
        words.note(own);
        values.text(name, own);
    }
    values.number("headline_size", words.fit(headline, Weight::Bold, HEADLINE, COLUMN)).number("words_size", WORDS);
    let svg = fill(NAME, TEMPLATE, &values)?;
    let area = Area { x: 0, y: 0, width: canvas.width, height: canvas.height };
    if let Some(picture) = words.draw(NAME, &svg, None, unit, origin, area)? {
        picture.blend(canvas_i420, canvas, 0, 0);
    }
    Ok(())
}
