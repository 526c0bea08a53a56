//! Product pictures: foreign bytes, made into a small square PNG once a picture.

use crate::raster;
use crate::svg_cost::is_affordable;
use resvg::tiny_skia::{Pixmap, PremultipliedColorU8, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::roxmltree::{Document, Error as XmlError, ParsingOptions};
use resvg::usvg::{ImageKind, Tree};
use std::sync::Arc;

/// Longest accepted SVG, bytes.
const MOST_SVG: usize = 1 << 20;
/// Most elements and texts of an SVG.
const MOST_NODES: u32 = 20_000;
/// Largest accepted photo: 16 megapixels take 64 MB while they are made smaller.
const MOST_PIXELS: u64 = 16_000_000;

/// Why a picture is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PictureError {
    #[error("not a PNG, JPEG or SVG")]
    Unknown,
    #[error("too large")]
    TooLarge,
    #[error("broken")]
    Broken,
}

/// The centre square of a picture, `side` pixels (fewer if the picture has fewer), as PNG.
pub(crate) fn square(bytes: &[u8], side: u32, faces: Arc<Database>) -> Result<Arc<Vec<u8>>, PictureError> {
    let pixmap = if let Some((width, height)) = png_size(bytes) {
        photo(ImageKind::PNG(Arc::new(bytes.to_vec())), width, height, 1, side)?
    } else if bytes.starts_with(&[0xFF, 0xD8]) {
        let head = jpeg_head(bytes).ok_or(PictureError::Broken)?;
        photo(ImageKind::JPEG(Arc::new(bytes.to_vec())), head.width, head.height, head.orientation, side)?
    } else if is_svg(bytes) {
        if bytes.len() > MOST_SVG {
            return Err(PictureError::TooLarge);
        }
        let tree = foreign_tree(bytes, faces)?;
        let (width, height) = (tree.size().width(), tree.size().height());
        let scale = side as f32 / width.min(height);
        let place = Transform::from_row(scale, 0.0, 0.0, scale, (side as f32 - width * scale) / 2.0, (side as f32 - height * scale) / 2.0);
        let drawing = raster::draw(&tree, place, side, side).map_err(|_| PictureError::TooLarge)?;
        if is_blank(&drawing) {
            return Err(PictureError::Broken);
        }
        drawing
    } else {
        return Err(PictureError::Unknown);
    };
    pixmap.encode_png().map(Arc::new).map_err(|_| PictureError::Broken)
}

/// Decodes at full size, turns upright, cuts the centre square, averages it down.
fn photo(kind: ImageKind, width: u32, height: u32, orientation: u8, side: u32) -> Result<Pixmap, PictureError> {
    if width == 0 || height == 0 {
        return Err(PictureError::Broken);
    }
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(PictureError::TooLarge);
    }
    let edge = width.min(height);
    let svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"><image href="picture" width="{width}" height="{height}"/></svg>"#
    );
    let tree: Tree = raster::parse(&svg, None, Some(kind)).map_err(|_| PictureError::Broken)?;
    // What the eight EXIF orientations do to a centred square of `edge`.
    let e = edge as f32;
    let turn = match orientation {
        2 => Transform::from_row(-1.0, 0.0, 0.0, 1.0, e, 0.0),
        3 => Transform::from_row(-1.0, 0.0, 0.0, -1.0, e, e),
        4 => Transform::from_row(1.0, 0.0, 0.0, -1.0, 0.0, e),
        5 => Transform::from_row(0.0, 1.0, 1.0, 0.0, 0.0, 0.0),
        6 => Transform::from_row(0.0, 1.0, -1.0, 0.0, e, 0.0),
        7 => Transform::from_row(0.0, -1.0, -1.0, 0.0, e, e),
        8 => Transform::from_row(0.0, -1.0, 1.0, 0.0, 0.0, e),
        _ => Transform::identity(),
    };
    let place = turn.pre_translate(-(((width - edge) / 2) as f32), -(((height - edge) / 2) as f32));
    let full = raster::draw(&tree, place, edge, edge).map_err(|_| PictureError::TooLarge)?;
    if is_blank(&full) {
        // resvg draws nothing for a picture it cannot decode.
        return Err(PictureError::Broken);
    }
    if edge <= side { Ok(full) } else { shrink(&full, side).ok_or(PictureError::TooLarge) }
}

/// Area average of a square: each target pixel is the mean of all source pixels under it, so fine patterns do not flicker.
fn shrink(from: &Pixmap, side: u32) -> Option<Pixmap> {
    let mut to = Pixmap::new(side, side)?;
    let edge = from.width();
    let (pixels, width) = (from.pixels(), edge as usize);
    let span = |i: u32| {
        let start = u64::from(i) * u64::from(edge) / u64::from(side);
        let end = (u64::from(i + 1) * u64::from(edge)).div_ceil(u64::from(side));
        // Both are at most `edge`.
        start as usize..(end as usize).min(width)
    };
    for (target_y, row) in to.pixels_mut().chunks_mut(side as usize).enumerate() {
        let rows = span(target_y as u32);
        for (target_x, target) in row.iter_mut().enumerate() {
            let columns = span(target_x as u32);
            let mut sum = [0_u64; 4];
            for y in rows.clone() {
                for pixel in &pixels[y * width + columns.start..y * width + columns.end] {
                    sum[0] += u64::from(pixel.red());
                    sum[1] += u64::from(pixel.green());
                    sum[2] += u64::from(pixel.blue());
                    sum[3] += u64::from(pixel.alpha());
                }
            }
            let count = (rows.len() * columns.len()) as u64;
            let [r, g, b, a] = sum.map(|total| ((total + count / 2) / count) as u8);
            *target = PremultipliedColorU8::from_rgba(r.min(a), g.min(a), b.min(a), a)?;
        }
    }
    Some(to)
}

fn is_blank(drawing: &Pixmap) -> bool {
    drawing.data().iter().all(|byte| *byte == 0)
}

fn foreign_tree(bytes: &[u8], faces: Arc<Database>) -> Result<Tree, PictureError> {
    let text = std::str::from_utf8(bytes).map_err(|_| PictureError::Broken)?;
    let options = ParsingOptions { allow_dtd: true, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|e| if e == XmlError::NodesLimitReached { PictureError::TooLarge } else { PictureError::Broken })?;
    if !is_affordable(&document) {
        return Err(PictureError::TooLarge);
    }
    raster::parse_foreign(&document, faces).map_err(|_| PictureError::Broken)
}

fn is_svg(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let start = bytes.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(bytes.len());
    bytes[start..].starts_with(b"<") && bytes.windows(4).take(4096).any(|four| four == b"<svg")
}

fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    let size = rest.get(8..16)?;
    Some((u32::from_be_bytes(size[..4].try_into().ok()?), u32::from_be_bytes(size[4..].try_into().ok()?)))
}

struct JpegHead {
    width: u32,
    height: u32,
    orientation: u8,
}

/// Size and EXIF orientation, without decoding.
fn jpeg_head(bytes: &[u8]) -> Option<JpegHead> {
    let mut orientation = 1;
    let mut at = 2;
    loop {
        while *bytes.get(at)? != 0xFF {
            at += 1;
        }
        while *bytes.get(at)? == 0xFF {
            at += 1;
        }
        let marker = bytes[at];
        let length = usize::from(u16::from_be_bytes(bytes.get(at + 1..at + 3)?.try_into().ok()?));
        let body = bytes.get(at + 3..at + 1 + length)?;
        match marker {
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                let size = |i: usize| Some(u32::from(u16::from_be_bytes(body.get(i..i + 2)?.try_into().ok()?)));
                return Some(JpegHead { height: size(1)?, width: size(3)?, orientation });
            }
            0xE1 => orientation = exif_orientation(body).unwrap_or(orientation),
            _ => {}
        }
        at += 1 + length;
    }
}

fn exif_orientation(body: &[u8]) -> Option<u8> {
    let tiff = body.strip_prefix(b"Exif\0\0")?;
    let little = match tiff.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let two: [u8; 2] = tiff.get(at..at + 2)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(two) } else { u16::from_be_bytes(two) })
    };
    let long = |at: usize| {
        let four: [u8; 4] = tiff.get(at..at + 4)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = usize::from(short(directory)?);
    let entry = (0..entries).map(|i| directory + 2 + i * 12).find(|at| short(*at) == Some(0x0112))?;
    u8::try_from(short(entry + 8)?).ok().filter(|value| (1..=8).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use resvg::tiny_skia::Color;

    fn faces() -> Arc<Database> {
        Arc::new(Database::new())
    }

    fn png(width: u32, height: u32, paint: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
        let mut pixmap = Pixmap::new(width, height).expect("small");
        for (i, pixel) in pixmap.pixels_mut().iter_mut().enumerate() {
            let [r, g, b] = paint(i as u32 % width, i as u32 / width);
            *pixel = PremultipliedColorU8::from_rgba(r, g, b, 255).expect("opaque");
        }
        pixmap.encode_png().expect("encodes")
    }

    #[test]
    fn the_centre_of_a_wide_picture_is_kept_and_averaged() {
        // 300x100: red, then a one-pixel checkerboard of black and white, then red.
        let picture = png(300, 100, |x, y| if (100..200).contains(&x) { [if (x + y) % 2 == 0 { 255 } else { 0 }; 3] } else { [255, 0, 0] });
        let small = Pixmap::decode_png(&square(&picture, 25, faces()).expect("square")).expect("PNG");
        assert_eq!((small.width(), small.height()), (25, 25));
        for pixel in small.pixels() {
            assert!(pixel.red().abs_diff(128) <= 2 && pixel.green().abs_diff(128) <= 2, "even grey, no moiré: {pixel:?}");
        }
    }

    #[test]
    fn a_small_picture_is_not_blown_up_here() {
        let small = Pixmap::decode_png(&square(&png(10, 10, |_, _| [1, 2, 3]), 100, faces()).expect("square")).expect("PNG");
        assert_eq!(small.width(), 10);
    }

    #[test]
    fn an_svg_is_drawn_at_the_size_needed() {
        let svg = br##"<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10"><rect width="20" height="10" fill="#00ff00"/></svg>"##;
        let drawn = Pixmap::decode_png(&square(svg, 64, faces()).expect("square")).expect("PNG");
        assert_eq!(drawn.pixel(32, 32).map(|p| p.demultiply().green()), Some(255));
        assert_eq!(drawn.pixel(0, 0).map(|p| p.alpha()), Some(255), "cover, not contain");
    }

    #[test]
    fn hostile_pictures_are_refused() {
        assert_eq!(square(b"GIF89a", 10, faces()), Err(PictureError::Unknown));
        assert_eq!(square(b"", 10, faces()), Err(PictureError::Unknown));
        assert_eq!(square(b"<svg", 10, faces()), Err(PictureError::Broken));
        assert_eq!(square(&[0xFF, 0xD8, 0xFF, 0xE0, 0, 200], 10, faces()), Err(PictureError::Broken));
        let mut bomb = png(1, 1, |_, _| [0; 3]);
        bomb[16..24].copy_from_slice(&[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]);
        assert_eq!(square(&bomb, 10, faces()), Err(PictureError::TooLarge));
        let mut cut = png(64, 64, |x, y| [x as u8, y as u8, 9]);
        cut.truncate(40);
        assert_eq!(square(&cut, 10, faces()), Err(PictureError::Broken));
        let long = format!("<svg xmlns='http://www.w3.org/2000/svg'>{}</svg>", " ".repeat(MOST_SVG));
        assert_eq!(square(long.as_bytes(), 10, faces()), Err(PictureError::TooLarge));
    }

    #[test]
    fn a_drawing_that_never_ends_is_refused() {
        let levels = (1..16).map(|i| {
            format!(
                "<pattern id='a{i}' width='1' height='1'>{}</pattern>",
                format!("<rect width='9' height='9' fill='url(#a{})'/>", i - 1).repeat(4)
            )
        });
        let bomb = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'><pattern id='a0' width='1' height='1'><rect width='9' height='9'/></pattern>{}<rect width='10' height='10' fill='url(#a15)'/></svg>",
            levels.collect::<String>()
        );
        assert_eq!(square(bomb.as_bytes(), 10, faces()), Err(PictureError::TooLarge));
        let deep = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'>{}<rect width='9' height='9'/>{}</svg>",
            "<g>".repeat(40_000),
            "</g>".repeat(40_000)
        );
        assert_eq!(square(deep.as_bytes(), 10, faces()), Err(PictureError::TooLarge));
        assert_eq!(
            square(b"<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'/>", 10, faces()),
            Err(PictureError::Broken),
            "nothing to see"
        );
    }

    #[test]
    fn orientation_is_read_in_both_byte_orders() {
        let little = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let big = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0";
        assert_eq!(exif_orientation(little), Some(6));
        assert_eq!(exif_orientation(big), Some(8));
        assert_eq!(exif_orientation(b"Exif\0\0II*\0\xff\xff\xff\x7f"), None);
    }

    #[test]
    fn each_orientation_turns_the_square_upright() {
        // Upright: red top left, green top right, blue bottom left, white bottom right. Stored as EXIF says.
        let upright = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]];
        let stored = |orientation: u8, x: usize, y: usize| {
            let (u, v) = match orientation {
                2 => (1 - x, y),
                3 => (1 - x, 1 - y),
                4 => (x, 1 - y),
                5 => (y, x),
                6 => (1 - y, x),
                7 => (1 - y, 1 - x),
                8 => (y, 1 - x),
                _ => (x, y),
            };
            upright[v][u]
        };
        for orientation in 1..=8 {
            let bytes = png(16, 16, |x, y| stored(orientation, x as usize / 8, y as usize / 8));
            let turned = photo(ImageKind::PNG(Arc::new(bytes)), 16, 16, orientation, 16).expect("turned");
            for (x, y) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let c = turned.pixel(4 + 8 * x, 4 + 8 * y).expect("inside").demultiply();
                let [r, g, b] = upright[y as usize][x as usize];
                assert_eq!(
                    Color::from_rgba8(c.red(), c.green(), c.blue(), 255),
                    Color::from_rgba8(r, g, b, 255),
                    "orientation {orientation} at {x},{y}"
                );
            }
        }
    }
}
