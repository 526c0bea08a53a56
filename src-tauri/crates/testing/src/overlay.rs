//! What was drawn over the marker: every pixel of the marker picture is known, so whatever differs is an overlay.

use crate::decode;
use crate::marker::{self, PERIOD_S, Size};
use std::path::Path;

/// Cells a row and a column of the grid that is compared.
pub const COLUMNS: u32 = 18;
/// Rows of it.
pub const ROWS: u32 = 32;
/// Pixels of a cell's side.
const CELL: u32 = 10;
/// Mean luma of a cell that differs by more is covered.
const DIFFERS: f64 = 24.0;

/// A part of an upright picture, in hundredths of its width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Left and right edge.
    pub x: (f64, f64),
    /// Top and bottom edge.
    pub y: (f64, f64),
}

/// One picture compared.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Seconds of its presentation.
    pub at_s: f64,
    /// Its number, if the marker can still be read.
    pub number: Option<u32>,
    covered: Vec<bool>,
}

impl Compared {
    /// How much of a part is covered, 0 to 1.
    #[must_use]
    pub fn covered(&self, part: Part) -> f64 {
        let cells = |edges: (f64, f64), all: u32| {
            let at = |hundredths: f64| (hundredths / 100.0 * f64::from(all)).round() as u32;
            at(edges.0)..at(edges.1)
        };
        let (mut count, mut covered) = (0, 0);
        for row in cells(part.y, ROWS) {
            for column in cells(part.x, COLUMNS) {
                count += 1;
                covered += u32::from(self.covered.get((row * COLUMNS + column) as usize).copied().unwrap_or(false));
            }
        }
        if count == 0 { 0.0 } else { f64::from(covered) / f64::from(count) }
    }
}

/// Compares every picture of an upright recording with the marker that was drawn at `made` and `fps`. Pictures whose
/// marker cannot be read are compared with nothing: all of them is covered.
///
/// # Errors
/// The file cannot be read.
pub fn compare(path: &Path, made: Size, fps: u32) -> anyhow::Result<Vec<Compared>> {
    let size = Size::new(COLUMNS * CELL, ROWS * CELL);
    let mut drawn = vec![0; (made.width * made.height * 3 / 2) as usize];
    let pictures = decode::pictures(path, size, |luma| {
        let reading = marker::read(luma, size, made);
        let covered = match reading.number {
            None => vec![true; (COLUMNS * ROWS) as usize],
            Some(number) => {
                marker::draw(number, marker::flashes(number, fps), made, &mut drawn);
                let expected = cells(&cover(&drawn, made, size));
                cells(luma).iter().zip(expected).map(|(seen, wanted)| (seen - wanted).abs() > DIFFERS).collect()
            }
        };
        (reading.number, covered)
    })?;
    Ok(pictures.into_iter().map(|(at_s, (number, covered))| Compared { at_s, number, covered }).collect())
}

fn cover(luma: &[u8], from: Size, to: Size) -> Vec<u8> {
    let scale = (f64::from(to.width) / f64::from(from.width)).max(f64::from(to.height) / f64::from(from.height));
    let at = |n: u32, to: u32, from: u32| ((f64::from(n) + 0.5 - f64::from(to) / 2.0) / scale + f64::from(from) / 2.0) as usize;
    let pixel = |x: u32, y: u32| luma[at(y, to.height, from.height) * from.width as usize + at(x, to.width, from.width)];
    (0..to.height).flat_map(|y| (0..to.width).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect()
}

fn cells(luma: &[u8]) -> Vec<f64> {
    let mut sums = vec![0_u32; (COLUMNS * ROWS) as usize];
    for (y, row) in luma.chunks_exact((COLUMNS * CELL) as usize).enumerate() {
        for (x, pixel) in row.iter().enumerate() {
            sums[(y / CELL as usize) * COLUMNS as usize + x / CELL as usize] += u32::from(*pixel);
        }
    }
    sums.into_iter().map(|sum| f64::from(sum) / f64::from(CELL * CELL)).collect()
}

/// Seconds in which a part is at least this much covered, as stretches without a break longer than half a flash period.
#[must_use]
pub fn shown(pictures: &[Compared], part: Part, least: f64) -> Vec<(f64, f64)> {
    let mut found: Vec<(f64, f64)> = vec![];
    for picture in pictures.iter().filter(|p| p.number.is_some() && p.covered(part) >= least) {
        match found.last_mut() {
            Some((_, last)) if picture.at_s - *last < f64::from(PERIOD_S) / 2.0 => *last = picture.at_s,
            _ => found.push((picture.at_s, picture.at_s)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::Clip;
    use std::process::Command;

    #[test]
    fn a_box_over_the_marker_is_found_while_it_is_there() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (clip, boxed) = (folder.path().join("clip.mp4"), folder.path().join("boxed.mp4"));
        Clip::new(360, 640, 30, 5).write(&clip)?;
        // A card between seconds 1 and 3, scaled up afterwards as the program does it.
        let filter = "drawbox=x=18:y=450:w=324:h=110:color=white:t=fill:enable='between(t,1,3)',scale=720:1280";
        let made = Command::new("ffmpeg").args(["-loglevel", "error", "-i"]).arg(&clip).args(["-vf", filter]).arg(&boxed).status()?;
        assert!(made.success());
        let card = Part { x: (6.0, 94.0), y: (72.0, 86.0) };
        let top = Part { x: (0.0, 100.0), y: (0.0, 20.0) };
        let plain = compare(&clip, Size::new(360, 640), 30)?;
        assert_eq!(shown(&plain, card, 0.1), []);
        let pictures = compare(&boxed, Size::new(360, 640), 30)?;
        assert!(pictures.iter().all(|p| p.number.is_some()), "the marker stays readable");
        assert_eq!(shown(&pictures, top, 0.05), [], "nothing was drawn there");
        let found = shown(&pictures, card, 0.9);
        let [(from, to)] = found.as_slice() else { panic!("{found:?}") };
        // A white box over a white flash cannot be seen: the flash of second 2 does not break the stretch.
        assert!((from - 1.0).abs() < 0.05 && (to - 3.0).abs() < 0.05, "{found:?}");
        Ok(())
    }
}
