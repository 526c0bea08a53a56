//! The product card: measured, filled, drawn.

use crate::bitmap::Bitmap;
use crate::fonts::Weight;
use crate::layout::Layout;
use crate::template::{Values, fill};
use crate::text::{Lines, is_wide_opening, wrap, wrap_balanced};
use crate::words::Words;
use crate::{ComposeError, Fonts, Language, ProductCard};
use resvg::usvg::ImageKind;
use std::sync::Arc;

const NAME: &str = "card.svg";
const TEMPLATE: &str = include_str!("../templates/card.svg");

/// Height in units.
pub(crate) const HEIGHT: f32 = 30.2;
/// Side of the product picture in units.
pub(crate) const PICTURE: f32 = 25.0;
/// Where the shadow begins, from the edges inwards.
const SHADOW: f32 = 8.0;
const PAD: f32 = 2.6;
/// Where the text column begins.
const COLUMN: f32 = 30.6;
const MOST_TITLE: usize = 80;
const MOST_AMOUNT: usize = 24;
const BADGE: f32 = 8.4;
const NUMBER: f32 = 6.0;
const TITLE: f32 = 5.2;
/// A title that needs two lines.
const LONG_TITLE: f32 = 4.4;
const PRICE: f32 = 10.6;
/// Of the price.
const SIGN: f32 = 0.53;
const SPACING: f32 = -0.02;
const OLD_PRICE: f32 = 4.0;
const STOCK: f32 = 3.8;
const GAP: f32 = 1.3;
const SHORTEST_BAR: f32 = 7.0;
const BAR_HEIGHT: f32 = 1.6;
/// A price that would be drawn smaller than this part of its size is drawn without the old one.
const LEAST_SCALE: f32 = 0.75;

/// Top edge in units.
pub(crate) fn top(layout: &Layout) -> f32 {
    layout.height() - layout.bottom - HEIGHT
}

/// Pixels of the product picture's side.
pub(crate) fn picture_side(layout: &Layout) -> u32 {
    // At most 480: a quarter of the largest canvas.
    (PICTURE * layout.unit).ceil().max(1.0) as u32
}

/// Draws the card where it lies at rest. `picture` is a square PNG; without one a neutral drawing is shown.
pub(crate) fn draw(
    card: &ProductCard,
    picture: Option<Arc<Vec<u8>>>,
    language: Language,
    layout: &Layout,
    fonts: &Fonts,
) -> Result<Option<Bitmap>, ComposeError> {
    let mut words = Words::new(fonts);
    let mut values = Values::default();
    values
        .number("width", layout.card_width)
        .number("shadow_right", layout.card_width - SHADOW)
        .number("shadow_width", layout.card_width - 2.0 * SHADOW)
        .flag("picture", picture.is_some());
    badge(card, &mut words, &mut values);

    let column = layout.card_width - COLUMN - PAD;
    let amount =
        |words: &mut Words, text: &Option<String>| text.as_ref().map(|text| words.clean(text, MOST_AMOUNT)).filter(|text| !text.is_empty());
    let price = amount(&mut words, &card.price);
    let old_price = amount(&mut words, &card.old_price);
    let title = words.clean(&card.title, MOST_TITLE);
    let (title_size, title) = title_lines(&words, &title, column, if price.is_none() && card.stock.is_none() { 3 } else { 2 });
    // Two lines of title beside two of figures: all of them a little lower.
    let tight = title.lines.len() > 1 && price.is_some() && card.stock.is_some();
    let (price_size, price_height) = if tight { (8.6, 9.4) } else { (PRICE, 11.6) };
    let (stock_size, stock_height) = if tight { (3.5, 4.6) } else { (STOCK, 5.4) };
    let line_height = if title_size < TITLE { 5.5 } else { 7.0 };
    let title_height = line_height * title.lines.len() as f32;
    let height = title_height + price.as_ref().map_or(0.0, |_| price_height) + card.stock.map_or(0.0, |_| stock_height);

    let mut y = PAD + (PICTURE - height) / 2.0;
    values.number("title_size", title_size);
    let names = [("title_1", "title_1_x", "title_1_y"), ("title_2", "title_2_x", "title_2_y"), ("title_3", "title_3_x", "title_3_y")];
    for (line, (name, line_x, line_y)) in title.lines.iter().zip(names) {
        // The ink of such a mark is in the right half of its square: the edge of the lines shall look even.
        let hang = if line.starts_with(is_wide_opening) { 0.5 * title_size } else { 0.0 };
        values.text(name, line.as_str()).number(line_x, COLUMN - hang).number(line_y, Words::baseline(y, line_height, title_size));
        y += line_height;
    }
    if let Some(price) = price {
        let sign = words.clean(&card.sign, 4);
        price_row(&words, &sign, price, old_price, price_size, column, &mut values);
        values.number("price_y", Words::baseline(y, price_height, price_size));
        values.number("strike_y", Words::baseline(y, price_height, price_size) - OLD_PRICE * 0.35);
        y += price_height;
    }
    if let Some(stock) = card.stock {
        stock_row(&mut words, stock, card.stock_of, language, stock_size, column, &mut values);
        let baseline = Words::baseline(y, stock_height, stock_size);
        values.number("stock_y", baseline).number("bar_y", y + (stock_height - BAR_HEIGHT) / 2.0);
    }
    let svg = fill(NAME, TEMPLATE, &values)?;
    let area = layout.area(layout.left, top(layout), layout.card_width, HEIGHT);
    words.draw(NAME, &svg, picture.map(ImageKind::PNG), layout.unit, (layout.left, top(layout)), area)
}

fn badge(card: &ProductCard, words: &mut Words, values: &mut Values) {
    let number = words.clean(&card.number.to_string(), 10);
    let size = words.fit(&number, Weight::Bold, NUMBER, PICTURE - 2.4);
    let width = (words.width(&number, Weight::Bold, size) + 2.4).max(BADGE);
    values.text("number", number).number("number_size", size).number("number_x", PAD + width / 2.0).number("badge_width", width);
}

/// One line if it fits, else smaller ones.
fn title_lines(words: &Words, title: &str, column: f32, most: usize) -> (f32, Lines) {
    let measure = |size: f32| move |text: &str| words.width(text, Weight::Bold, size);
    let one = wrap(title, column, 1, &measure(TITLE));
    if !one.cut {
        return (TITLE, one);
    }
    (LONG_TITLE, wrap_balanced(title, column, most, &measure(LONG_TITLE)))
}

fn price_row(words: &Words, sign: &str, price: String, old_price: Option<String>, size: f32, column: f32, values: &mut Values) {
    // The old price keeps its size; the price gets smaller before anything of it is lost.
    let price_width = |size: f32| {
        let gap = if sign.is_empty() { 0.0 } else { 0.04 * size };
        words.width(sign, Weight::Bold, size * SIGN)
            + gap
            + words.width(&price, Weight::Bold, size)
            + SPACING * size * price.chars().count() as f32
    };
    let old = old_price.map(|old| format!("{sign}{old}")).map(|old| (words.width(&old, Weight::Regular, OLD_PRICE), old));
    let room = |old: &Option<(f32, String)>| column - old.as_ref().map_or(0.0, |(width, _)| width + GAP);
    let scale = |room: f32| (room / price_width(size)).min(1.0);
    let old = old.filter(|old| scale(room(&Some(old.clone()))) >= LEAST_SCALE);
    let size = size * scale(room(&old)).max(0.05);
    let sign_width = words.width(sign, Weight::Bold, size * SIGN);
    let gap = if sign.is_empty() { 0.0 } else { 0.04 * size };
    values.text("sign", sign).number("sign_x", COLUMN).number("sign_size", size * SIGN);
    values.number("price_x", COLUMN + sign_width + gap).number("price_size", size).number("price_spacing", SPACING * size);
    if let Some((width, old)) = old {
        values
            .text("old_price", old)
            .number("old_x", COLUMN + price_width(size) + GAP)
            .number("old_size", OLD_PRICE)
            .number("old_width", width);
    }
    values.text("price", price);
}

fn stock_row(words: &mut Words, stock: i64, of: Option<i64>, language: Language, size: f32, column: f32, values: &mut Values) {
    let count = stock.max(0).to_string();
    let (before, count, after) = match (language, stock > 0) {
        (Language::ZhCn, true) => ("剩", count, "件"),
        (Language::En, true) => ("", count, "left"),
        (Language::ZhCn, false) => ("", "已售罄".to_owned(), ""),
        (Language::En, false) => ("", "Sold out".to_owned(), ""),
    };
    let mut x = COLUMN;
    let mut place = |words: &mut Words, text: &str, weight| {
        let at = x;
        if !text.is_empty() {
            words.note(text);
            x += words.width(text, weight, size) + GAP;
        }
        at
    };
    place(words, before, Weight::Regular);
    let stock_x = place(words, &count, Weight::Bold);
    let after_x = place(words, after, Weight::Regular);
    values.text("before", before).text("stock", count).text("after", after).number("stock_size", size);
    values.number("stock_x", stock_x).number("after_x", after_x);
    let bar = COLUMN + column - x - GAP * 0.5;
    if let Some(of) = of.filter(|of| *of > 0)
        && bar >= SHORTEST_BAR
    {
        // Enough for a bar of at most 60 units.
        let part = (stock.max(0) as f64 / of as f64).min(1.0) as f32;
        values.flag("bar", true).number("bar_x", x + GAP * 0.5).number("bar_width", bar);
        if stock > 0 {
            values.number("left", (bar * part).max(BAR_HEIGHT));
        }
    }
}
