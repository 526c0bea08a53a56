//! The demo's picture: a small shop with lanterns swinging, bubbles rising, a ball rolling on the counter, a running
//! clock and a lamp that flashes with the sound's blip at every full second.

use super::digits::Digits;
use super::paint::{Block, Disc, Ink, Ring, Sheet, Stroke, Xy};
use stallcast_media::{Canvas, NANOS_PER_MS, NANOS_PER_SEC};
use std::f32::consts::TAU;

const WALL_TOP: Ink = Ink::rgb(255, 241, 224);
const WALL_LOW: Ink = Ink::rgb(249, 206, 183);
const GLOW: Ink = Ink::rgb(255, 250, 236);
const CORAL: Ink = Ink::rgb(226, 88, 72);
const CREAM: Ink = Ink::rgb(255, 247, 235);
const WOOD: Ink = Ink::rgb(176, 121, 82);
const WOOD_LIGHT: Ink = Ink::rgb(206, 152, 110);
const WOOD_DARK: Ink = Ink::rgb(120, 78, 54);
const NIGHT: Ink = Ink::rgb(38, 42, 66);
const TEAL: Ink = Ink::rgb(62, 146, 144);
const MUSTARD: Ink = Ink::rgb(236, 177, 66);
const ROSE: Ink = Ink::rgb(222, 132, 144);
const SAGE: Ink = Ink::rgb(142, 172, 126);
const RED: Ink = Ink::rgb(206, 52, 46);
const GOLD: Ink = Ink::rgb(246, 200, 92);
const WHITE: Ink = Ink::rgb(255, 255, 255);
const SHADOW: Ink = Ink::rgb(90, 60, 46);

/// How long the lamp is bright after each full second, like the blip of the sound.
pub(super) const FLASH: i64 = 100 * NANOS_PER_MS;

/// Draws the demo for one canvas.
#[derive(Debug)]
pub(super) struct Scene {
    width: usize,
    height: usize,
    /// What does not move.
    backdrop: Vec<u8>,
    digits: Digits,
    plate: Block,
    pub(super) lamp: Disc,
}

impl Scene {
    pub(super) fn new(canvas: Canvas) -> Self {
        let (width, height) = (canvas.width as usize, canvas.height as usize);
        let (w, h) = (canvas.width as f32, canvas.height as f32);
        // The clock takes the width of a phone picture or a fair part of a wide one.
        let (columns, rows) = Digits::EXTENT;
        let unit = (w * 0.8 / (columns + 10.0)).min(h * 0.10 / rows);
        let middle = if w > h { h * 0.28 } else { h * 0.40 };
        let (plate_w, plate_h) = ((columns + 10.0) * unit, (rows + 3.0) * unit);
        let plate = Block(((w - plate_w) / 2.0, middle - plate_h / 2.0), (plate_w, plate_h), 2.2 * unit);
        let lamp = Disc((plate.0.0 + 4.6 * unit, plate.0.1 + plate_h / 2.0), 1.9 * unit);
        let mut backdrop = vec![0; width * height * 3 / 2];
        furnish(&mut Sheet::new(width, height, &mut backdrop), &plate);
        Self { width, height, backdrop, digits: Digits::new(unit), plate, lamp }
    }

    /// The picture `since` nanoseconds after the start.
    pub(super) fn draw(&self, since: i64, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.backdrop);
        let mut sheet = Sheet::new(self.width, self.height, bytes);
        let (w, h) = sheet.size();
        let s = w.min(h);
        for (x, length, period, shift) in [(0.16, 0.15, 3.4, 0.0), (0.84, 0.18, 4.1, 0.4)] {
            lantern(&mut sheet, (w * x, h * 0.05), s * (length + 0.04), s * 0.062, 0.10 * wave(since, period, shift));
        }
        for i in 0..7 {
            bubble(&mut sheet, since, i);
        }
        self.ball(&mut sheet, since);
        self.clock(&mut sheet, since);
    }

    fn ball(&self, sheet: &mut Sheet<'_>, since: i64) {
        let (w, h) = sheet.size();
        let r = w.min(h) * 0.045;
        let travel = w - 4.0 * r;
        let along = 0.5 + 0.5 * wave(since, 7.0, 0.0);
        let centre = (2.0 * r + travel * along, h * 0.93 - r);
        let turn = travel * along / r;
        sheet.draw_soft(&Block((centre.0 - r, h * 0.93 - r * 0.16), (2.0 * r, r * 0.3), r), SHADOW, 0.35, r * 0.3);
        sheet.draw(&Disc(centre, r), TEAL, 1.0);
        for spoke in 0..3 {
            let (sin, cos) = (turn + spoke as f32 * TAU / 3.0).sin_cos();
            sheet.draw(&Disc((centre.0 + cos * r * 0.55, centre.1 + sin * r * 0.55), r * 0.24), CREAM, 0.9);
        }
        sheet.draw(&Disc((centre.0 - r * 0.35, centre.1 - r * 0.4), r * 0.18), WHITE, 0.6);
    }

    fn clock(&self, sheet: &mut Sheet<'_>, since: i64) {
        let text = clock_text(since);
        let unit = self.plate.2 / 2.2;
        let x = (self.lamp.0.0 + 3.2 * unit) as usize;
        let y = (self.plate.0.1 + 1.5 * unit) as usize;
        self.digits.draw(sheet, (x, y), &text, CREAM);
        let into = since.rem_euclid(NANOS_PER_SEC);
        let part = into as f32 / NANOS_PER_SEC as f32;
        if into < FLASH {
            sheet.draw_soft(&Disc(self.lamp.0, self.lamp.1 * 1.45), GOLD, 0.7, self.lamp.1);
            sheet.draw(&self.lamp, WHITE, 1.0);
        } else {
            sheet.draw(&Ring(self.lamp.0, self.lamp.1 * (0.25 + 0.75 * part), unit * 0.4), GOLD, 1.0 - 0.6 * part);
        }
    }
}

/// `hh:mm:ss.mmm` since the start.
pub(super) fn clock_text(since: i64) -> [u8; 12] {
    let ms = since.div_euclid(NANOS_PER_MS);
    let digit = |n: i64| b'0' + u8::try_from(n.rem_euclid(10)).unwrap_or(0);
    let (s, m, h) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    let (sec, min) = (s % 60, m % 60);
    [
        digit(h / 10),
        digit(h),
        b':',
        digit(min / 10),
        digit(min),
        b':',
        digit(sec / 10),
        digit(sec),
        b'.',
        digit(ms / 100),
        digit(ms / 10),
        digit(ms),
    ]
}

/// -1..1, once around in `period` seconds, `shift` of a round ahead. Exact after any running time.
fn wave(since: i64, period: f32, shift: f32) -> f32 {
    ((turn(since, period) + shift) * TAU).sin()
}

/// Part of the present round of `period` seconds, 0..1.
fn turn(since: i64, period: f32) -> f32 {
    let round = (f64::from(period) * NANOS_PER_SEC as f64) as i64;
    since.rem_euclid(round) as f32 / round as f32
}

fn lantern(sheet: &mut Sheet<'_>, hook: Xy, length: f32, r: f32, angle: f32) {
    let (sin, cos) = angle.sin_cos();
    let at = |along: f32, across: f32| (hook.0 + sin * along + cos * across, hook.1 + cos * along - sin * across);
    sheet.draw(&Stroke(hook, at(length - r, 0.0), r * 0.08), WOOD_DARK, 1.0);
    sheet.draw(&Stroke(at(length + r, 0.0), at(length + r * 1.7, 0.0), r * 0.22), GOLD, 1.0);
    sheet.draw(&Disc(at(length, 0.0), r), RED, 1.0);
    sheet.draw(&Stroke(at(length - r * 0.7, -r * 0.3), at(length + r * 0.7, -r * 0.3), r * 0.07), GOLD, 0.7);
    sheet.draw(&Stroke(at(length - r * 0.7, r * 0.3), at(length + r * 0.7, r * 0.3), r * 0.07), GOLD, 0.7);
    sheet.draw(&Stroke(at(length - r * 0.95, -r * 0.42), at(length - r * 0.95, r * 0.42), r * 0.2), GOLD, 1.0);
    sheet.draw(&Stroke(at(length + r * 0.95, -r * 0.42), at(length + r * 0.95, r * 0.42), r * 0.2), GOLD, 1.0);
}

fn bubble(sheet: &mut Sheet<'_>, since: i64, number: usize) {
    let (w, h) = sheet.size();
    let n = number as f32;
    let period = 9.0 + 1.3 * n;
    let risen = (turn(since, period) + n * 0.37).fract();
    let r = w.min(h) * (0.014 + 0.004 * (number % 3) as f32);
    let x = w * (0.1 + 0.8 * (n * 0.618).fract()) + r * 1.5 * wave(since, 2.6 + 0.3 * n, n * 0.2);
    let y = h * (0.92 - 0.80 * risen);
    // Born and gone softly.
    let there = (risen.min(1.0 - risen) * 10.0).min(1.0);
    sheet.draw(&Disc((x, y), r), WHITE, 0.28 * there);
    sheet.draw(&Disc((x - r * 0.3, y - r * 0.35), r * 0.28), WHITE, 0.8 * there);
}

/// Everything that does not move.
fn furnish(sheet: &mut Sheet<'_>, plate: &Block) {
    let (w, h) = sheet.size();
    let s = w.min(h);
    sheet.rows(|t| WALL_TOP.mix(WALL_LOW, t));
    sheet.draw_soft(&Disc((w * 0.5, h * 0.36), s * 0.36), GLOW, 0.9, s * 0.3);
    let stripes = (w / (s * 0.09)) as usize;
    for i in 0..stripes {
        let x = w * (i as f32 + 0.5) / stripes as f32;
        sheet.draw(&Stroke((x, h * 0.05), (x, h * 0.9), s * 0.006), WHITE, 0.22);
    }
    for (shelf, y) in [h * 0.62, h * 0.80].into_iter().enumerate() {
        goods(sheet, y, shelf);
        sheet.draw_soft(&Block((w * 0.05, y + s * 0.012), (w * 0.9, s * 0.03), s * 0.01), SHADOW, 0.3, s * 0.02);
        sheet.draw(&Block((w * 0.04, y), (w * 0.92, s * 0.026), s * 0.008), WOOD, 1.0);
        sheet.draw(&Block((w * 0.04, y), (w * 0.92, s * 0.008), s * 0.004), WOOD_LIGHT, 1.0);
    }
    // The counter.
    sheet.draw(&Block((-8.0, h * 0.93), (w + 16.0, h * 0.1), 0.0), WOOD, 1.0);
    sheet.draw(&Block((-8.0, h * 0.93), (w + 16.0, h * 0.012), 0.0), WOOD_LIGHT, 1.0);
    awning(sheet);
    let under = Block((plate.0.0, plate.0.1 + plate.1.1 * 0.06), plate.1, plate.2);
    sheet.draw_soft(&under, SHADOW, 0.35, plate.1.1 * 0.2);
    sheet.draw(plate, NIGHT, 1.0);
}

fn awning(sheet: &mut Sheet<'_>) {
    let (w, h) = sheet.size();
    let count = ((w / w.min(h) * 9.0) as usize) | 1;
    let (wide, deep) = (w / count as f32, h * 0.05);
    sheet.draw_soft(&Block((-8.0, -8.0), (w + 16.0, deep + wide * 0.6 + 8.0), 0.0), SHADOW, 0.25, wide * 0.5);
    for i in 0..count {
        let ink = if i % 2 == 0 { CORAL } else { CREAM };
        let x = wide * i as f32;
        sheet.draw(&Disc((x + wide / 2.0, deep), wide / 2.0), ink, 1.0);
        sheet.draw(&Block((x, -8.0), (wide, deep + 8.0), 0.0), ink, 1.0);
    }
}

/// A row of things to sell standing on a shelf.
fn goods(sheet: &mut Sheet<'_>, shelf: f32, first: usize) {
    let (w, h) = sheet.size();
    let s = w.min(h);
    let inks = [TEAL, MUSTARD, ROSE, SAGE, CORAL, NIGHT];
    let count = (w / (s * 0.15)) as usize;
    for i in 0..count {
        let x = w * 0.07 + w * 0.86 * (i as f32 + 0.5) / count as f32;
        let ink = inks[(i * 5 + first * 2) % inks.len()];
        let light = ink.mix(WHITE, 0.35);
        let r = s * 0.045;
        match (i + first) % 4 {
            // A box with a ribbon.
            0 => {
                sheet.draw(&Block((x - r, shelf - r * 1.7), (r * 2.0, r * 1.7), r * 0.15), ink, 1.0);
                sheet.draw(&Block((x - r * 0.16, shelf - r * 1.7), (r * 0.32, r * 1.7), 0.0), light, 1.0);
                sheet.draw(&Block((x - r, shelf - r * 1.1), (r * 2.0, r * 0.3), 0.0), light, 1.0);
            }
            // A bottle.
            1 => {
                sheet.draw(&Block((x - r * 0.28, shelf - r * 3.0), (r * 0.56, r * 1.4), r * 0.15), ink, 1.0);
                sheet.draw(&Block((x - r * 0.7, shelf - r * 2.1), (r * 1.4, r * 2.1), r * 0.45), ink, 1.0);
                sheet.draw(&Block((x - r * 0.7, shelf - r * 1.3), (r * 1.4, r * 0.8), 0.0), CREAM, 0.9);
                sheet.draw(&Block((x - r * 0.34, shelf - r * 3.1), (r * 0.68, r * 0.36), r * 0.1), WOOD_DARK, 1.0);
            }
            // A round vase with a flower.
            2 => {
                sheet.draw(&Stroke((x, shelf - r * 2.0), (x + r * 0.3, shelf - r * 3.2), r * 0.12), SAGE, 1.0);
                for petal in 0..5 {
                    let (sin, cos) = (petal as f32 * TAU / 5.0).sin_cos();
                    sheet.draw(&Disc((x + r * 0.3 + cos * r * 0.3, shelf - r * 3.2 + sin * r * 0.3), r * 0.26), light, 1.0);
                }
                sheet.draw(&Disc((x + r * 0.3, shelf - r * 3.2), r * 0.2), MUSTARD, 1.0);
                sheet.draw(&Block((x - r * 0.45, shelf - r * 2.2), (r * 0.9, r * 0.9), r * 0.2), ink, 1.0);
                sheet.draw(&Disc((x, shelf - r), r), ink, 1.0);
                sheet.draw(&Disc((x - r * 0.35, shelf - r * 1.3), r * 0.2), light, 0.8);
            }
            // A cup.
            _ => {
                sheet.draw(&Ring((x + r * 0.8, shelf - r * 0.75), r * 0.4, r * 0.2), ink, 1.0);
                sheet.draw(&Block((x - r * 0.8, shelf - r * 1.5), (r * 1.6, r * 1.5), r * 0.3), ink, 1.0);
                sheet.draw(&Block((x - r * 0.8, shelf - r * 1.5), (r * 1.6, r * 0.35), r * 0.15), light, 1.0);
            }
        }
    }
}
