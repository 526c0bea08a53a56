use crate::layout::{Area, Layout};
use crate::template::{Values, fill};
use crate::text::wrap_balanced;
use crate::words::Words;
use crate::{ComposeError, Fonts, Language, fill_black};
use crate::fonts::Weight;
use stallcast_media::{Canvas, Frame, PixelFormat, Pts, VideoFormat};

const NAME: &str = "slate.svg";
const TEMPLATE: &str = include_str!("../templates/slate.svg");
const HEADLINE: f32 = 7.0;
const WORDS: f32 = 4.4;
const LINE_HEIGHT: f32 = 6.6;
/// Width of the text column.
const COLUMN: f32 = 62.0;

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
    let (headline, sentence) = match (slate, language) {
        (Slate::CameraLost, Language::ZhCn) => ("镜头暂时断开", "直播没有结束，镜头恢复后画面自动回来"),
        (Slate::CameraLost, Language::En) => ("Camera interrupted", "The show goes on. The picture returns with the camera."),
    };
    let layout = Layout::new(canvas);
    // A wide canvas has smaller units than its height has room for.
    let unit = layout.unit * if canvas.width > canvas.height { 1.3 } else { 1.0 };
    let (width, height) = (canvas.width as f32 / unit, canvas.height as f32 / unit);
    let mut words = Words::new(fonts);
    words.note(headline);
    words.note(sentence);
    let lines = wrap_balanced(sentence, COLUMN, 2, &|text| words.width(text, Weight::Regular, WORDS));
    let mut values = Values::default();
    // Above the middle: card and ribbon stay on.
    let origin = (width / 2.0, height * 0.43);
    values.number("left", -origin.0 - 1.0).number("top", -origin.1 - 1.0).number("width", width + 2.0).number("height", height + 2.0);
    values.text("headline", headline).number("headline_size", words.fit(headline, Weight::Bold, HEADLINE, COLUMN)).number("headline_y", 9.0);
    values.number("words_size", WORDS);
    let names = [("words_1", "words_1_y"), ("words_2", "words_2_y")];
    for (i, (line, (name, at))) in (0_u8..).zip(lines.lines.iter().zip(names)) {
        values.text(name, line.as_str()).number(at, 17.0 + f32::from(i) * LINE_HEIGHT);
    }
    let svg = fill(NAME, TEMPLATE, &values)?;
    let area = Area { x: 0, y: 0, width: canvas.width, height: canvas.height };
    if let Some(picture) = words.draw(NAME, &svg, None, unit, origin, area)? {
        picture.blend(canvas_i420, canvas, 0, 0);
    }
    Ok(())
}
