use stallcast_media::Canvas;

/// A rectangle in whole pixels; position and size are even, so that chroma stays in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// The part of a source (width, height) that fills the whole canvas: cut at the centre, never stretched.
#[must_use]
pub fn cover(source: (u32, u32), canvas: Canvas) -> Rect {
    fit(source, (canvas.width, canvas.height))
}

/// The part of the canvas that shows the whole source (width, height), centred.
#[must_use]
pub fn contain(source: (u32, u32), canvas: Canvas) -> Rect {
    fit((canvas.width, canvas.height), source)
}

/// The largest centred rectangle inside `outer` with the shape of `shape`.
fn fit(outer: (u32, u32), shape: (u32, u32)) -> Rect {
    let (width, height) = (u64::from(outer.0), u64::from(outer.1));
    let (shape_width, shape_height) = (u64::from(shape.0.max(1)), u64::from(shape.1.max(1)));
    let (w, h) = if width * shape_height > height * shape_width {
        (height * shape_width / shape_height, height)
    } else {
        (width, width * shape_height / shape_width)
    };
    // Both are at most as large as `outer`, which is u32.
    let even = |value: u64, most: u64| u32::try_from((value & !1).clamp(2.min(most), most)).unwrap_or(u32::MAX);
    let (w, h) = (even(w, width), even(h, height));
    Rect { x: ((outer.0 - w) / 2) & !1, y: ((outer.1 - h) / 2) & !1, width: w, height: h }
}

/// Makes a whole I420 canvas black (limited range).
pub fn fill_black(canvas_i420: &mut [u8], canvas: Canvas) {
    let luma = (canvas.width as usize * canvas.height as usize).min(canvas_i420.len());
    let (y, chroma) = canvas_i420.split_at_mut(luma);
    y.fill(16);
    chroma.fill(128);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PORTRAIT: Canvas = Canvas { width: 720, height: 1280, fps: 30 };

    #[test]
    fn a_landscape_camera_is_cut_at_its_centre_for_a_portrait_canvas() {
        assert_eq!(cover((1280, 720), PORTRAIT), Rect { x: 438, y: 0, width: 404, height: 720 });
        assert_eq!(contain((1280, 720), PORTRAIT), Rect { x: 0, y: 438, width: 720, height: 404 });
        assert_eq!(cover((720, 1280), PORTRAIT), Rect { x: 0, y: 0, width: 720, height: 1280 });
    }

    proptest! {
        #[test]
        fn every_rectangle_is_even_and_inside(w in 2_u32..8000, h in 2_u32..8000) {
            let crop = cover((w, h), PORTRAIT);
            prop_assert!(crop.x + crop.width <= w && crop.y + crop.height <= h && crop.width >= 2 && crop.height >= 2);
            let place = contain((w, h), PORTRAIT);
            prop_assert!(place.x + place.width <= 720 && place.y + place.height <= 1280);
            prop_assert!((crop.x | crop.y | crop.width | crop.height | place.x | place.y | place.width | place.height) & 1 == 0);
        }
    }

    #[test]
    fn black_is_sixteen() {
        let canvas = Canvas { width: 4, height: 2, fps: 30 };
        let mut picture = vec![200; 12];
        fill_black(&mut picture, canvas);
        assert_eq!(picture, [16, 16, 16, 16, 16, 16, 16, 16, 128, 128, 128, 128]);
    }
}
