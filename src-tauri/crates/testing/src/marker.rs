//! The machine-readable picture: a frame number in big blocks, and a flash.
//!
//! A square in the middle of the picture holds 6x6 cells: the corners say where white and black are, the other 32 cells
//! hold a 24-bit frame number and its CRC-8. Around it lies a moving background, or white while the flash is on. The
//! square takes 40 % of the shorter side, so that covering 9:16 with 16:9 (or the reverse) keeps it whole; scaling and
//! x264 do not hurt it either.

use std::ops::Range;

/// Cells a side.
const CELLS: u32 = 6;
/// The square's side, of the shorter side of the picture.
const SQUARE: f64 = 0.4;
/// Where the flash is measured, from the middle, of the shorter side: beside the square and still inside every crop.
const RING: Range<f64> = 0.225..0.27;
/// Luma of a white and of a black cell.
const WHITE: u8 = 235;
const BLACK: u8 = 16;
/// The ring is brighter than this while the flash is on. The background stays far below.
const FLASH_ON: f64 = 180.0;

/// Seconds from one flash to the next. The beep starts with the flash.
pub const PERIOD_S: u32 = 2;
/// Frames for which a flash stays on, at 30 frames a second or fewer.
pub const FLASH_FRAMES: u32 = 3;

/// The size of the picture that was made, so that its square is found after a crop and a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// Width and height.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    fn shorter(self) -> f64 {
        f64::from(self.width.min(self.height))
    }
}

/// What was read off one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Frame number; `None` when the blocks make no sense.
    pub number: Option<u32>,
    /// The flash is on.
    pub flash: bool,
}

/// Is the flash on in frame `number`?
#[must_use]
pub const fn flashes(number: u32, fps: u32) -> bool {
    number % (fps * PERIOD_S) < FLASH_FRAMES
}

fn crc8(number: u32) -> u8 {
    let mut crc: u8 = 0x5a;
    for byte in number.to_be_bytes().into_iter().skip(1) {
        crc ^= byte;
        for _ in 0..8 {
            crc = if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x07 };
        }
    }
    crc
}

/// True where a cell is white, row by row.
fn cells(number: u32) -> [bool; (CELLS * CELLS) as usize] {
    let word = (number & 0x00ff_ffff) << 8 | u32::from(crc8(number));
    let mut bit = 0;
    std::array::from_fn(|at| match at {
        0 | 35 => true,
        5 | 30 => false,
        _ => {
            bit += 1;
            word >> (32 - bit) & 1 == 1
        }
    })
}

/// Draws frame `number` into an I420 picture of this size, tightly packed.
pub fn draw(number: u32, flash: bool, size: Size, i420: &mut [u8]) {
    let (w, h) = (size.width as usize, size.height as usize);
    let (luma, chroma) = i420.split_at_mut(w * h);
    let shift = number as usize * 3;
    for (y, row) in luma.chunks_exact_mut(w).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            // A moving texture: something to encode, dark enough to be told from the flash.
            *pixel = if flash { WHITE } else { 40 + ((x + y / 2 + shift) % 64) as u8 };
        }
    }
    chroma.fill(128);
    let side = (size.shorter() * SQUARE).round() as usize;
    let (left, top) = ((w - side) / 2, (h - side) / 2);
    let cells = cells(number);
    for y in 0..side {
        for x in 0..side {
            let cell = (y * CELLS as usize / side) * CELLS as usize + x * CELLS as usize / side;
            luma[(top + y) * w + left + x] = if cells[cell] { WHITE } else { BLACK };
        }
    }
}

/// Reads one luma plane. `made` is the size it was drawn at: the picture covers `shown` by scaling and a centred crop.
#[must_use]
pub fn read(luma: &[u8], shown: Size, made: Size) -> Reading {
    let scale = (f64::from(shown.width) / f64::from(made.width)).max(f64::from(shown.height) / f64::from(made.height));
    let unit = made.shorter() * scale;
    let middle = (f64::from(shown.width) / 2.0, f64::from(shown.height) / 2.0);
    let mean = |x: Range<f64>, y: Range<f64>| mean(luma, shown, middle.0 + x.start..middle.0 + x.end, middle.1 + y.start..middle.1 + y.end);

    let (near, far, wide) = (RING.start * unit, RING.end * unit, 0.1 * unit);
    let ring =
        (mean(-far..-near, -wide..wide) + mean(near..far, -wide..wide) + mean(-wide..wide, -far..-near) + mean(-wide..wide, near..far))
            / 4.0;

    let cell = unit * SQUARE / f64::from(CELLS);
    let value = |at: u32| {
        // The inner half of a cell: its edges are blurred by scaling and coding.
        let from = |n: u32| (f64::from(n) - f64::from(CELLS) / 2.0 + 0.25) * cell;
        let (x, y) = (from(at % CELLS), from(at / CELLS));
        mean(x..x + cell / 2.0, y..y + cell / 2.0)
    };
    let (white, black) = ((value(0) + value(35)) / 2.0, (value(5) + value(30)) / 2.0);
    let number = (white - black > 60.0).then(|| {
        let bits = (0..CELLS * CELLS).filter(|at| ![0, 5, 30, 35].contains(at));
        bits.fold(0_u32, |word, at| word << 1 | u32::from(value(at) > (white + black) / 2.0))
    });
    let number = number.map(|word| (word >> 8, word as u8)).filter(|(n, crc)| crc8(*n) == *crc).map(|(n, _)| n);
    Reading { number, flash: ring > FLASH_ON }
}

fn mean(luma: &[u8], size: Size, x: Range<f64>, y: Range<f64>) -> f64 {
    let whole = |r: Range<f64>, most: u32| (r.start.round().max(0.0) as usize, (r.end.round().max(0.0) as usize).min(most as usize));
    let ((left, right), (top, bottom)) = (whole(x, size.width), whole(y, size.height));
    let right = right.max(left + 1).min(size.width as usize);
    let bottom = bottom.max(top + 1).min(size.height as usize);
    let rows = luma.chunks_exact(size.width as usize).take(bottom).skip(top);
    let (sum, count) =
        rows.flat_map(|row| row.get(left..right).unwrap_or(&[])).fold((0_u64, 0_u64), |(s, n), p| (s + u64::from(*p), n + 1));
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(number: u32, flash: bool, size: Size) -> Vec<u8> {
        let mut picture = vec![0; (size.width * size.height * 3 / 2) as usize];
        draw(number, flash, size, &mut picture);
        picture.truncate((size.width * size.height) as usize);
        picture
    }

    /// Covers `to` the way the program does, by nearest pixel.
    fn covered(luma: &[u8], from: Size, to: Size) -> Vec<u8> {
        let scale = (f64::from(to.width) / f64::from(from.width)).max(f64::from(to.height) / f64::from(from.height));
        let at = |n: u32, to: u32, from: u32| ((f64::from(n) + 0.5 - f64::from(to) / 2.0) / scale + f64::from(from) / 2.0) as usize;
        let pixel = |x, y| luma[at(y, to.height, from.height) * from.width as usize + at(x, to.width, from.width)];
        (0..to.height).flat_map(|y| (0..to.width).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect()
    }

    #[test]
    fn a_number_is_read_after_scaling_and_cropping() {
        for made in [Size::new(640, 360), Size::new(360, 640), Size::new(640, 480), Size::new(1280, 720)] {
            for shown in [Size::new(720, 1280), Size::new(360, 640), Size::new(180, 320), Size::new(640, 360), Size::new(720, 720)] {
                for (number, flash) in [(0, true), (1, false), (599, false), (0x00ab_cdef, true), (0x00ff_ffff, false)] {
                    let picture = covered(&drawn(number, flash, made), made, shown);
                    assert_eq!(read(&picture, shown, made), Reading { number: Some(number), flash }, "{made:?} as {shown:?}");
                }
            }
        }
    }

    #[test]
    fn a_picture_that_is_not_ours_has_no_number() {
        let size = Size::new(180, 320);
        let grey = vec![128; 180 * 320];
        let stripes: Vec<u8> = (0..180 * 320).map(|n| if n % 7 < 3 { 235 } else { 16 }).collect();
        let mut damaged = drawn(77, false, size);
        // One data cell turned over: the checksum must notice.
        let side = 72;
        for y in 0..12 {
            for x in 0..12 {
                let pixel = &mut damaged[(124 + 12 + y) * 180 + 54 + 24 + x];
                *pixel = 251 - *pixel;
            }
        }
        assert_eq!(side / 6, 12);
        for picture in [&grey, &stripes, &damaged] {
            assert_eq!(read(picture, size, size).number, None);
        }
        assert_eq!(read(&drawn(77, false, size), size, size).number, Some(77));
    }

    #[test]
    fn any_two_numbers_differ_in_several_cells() {
        // Neighbours are what a blend of two frames would confuse.
        for n in 0..4096_u32 {
            let differ = cells(n).iter().zip(cells(n + 1)).filter(|(a, b)| **a != *b).count();
            assert!(differ >= 2, "{n}");
        }
    }
}
