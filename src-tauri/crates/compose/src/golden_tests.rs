//! How overlays and slates look: pictures in `golden/`, compared with a tolerance. `UPDATE_GOLDEN=1` accepts what is
//! drawn now; look at every one of them before committing.

use crate::{CouponRibbon, Fonts, Language, OverlaySet, Overlays, ProductCard, Slate, fill_black, slate};
use bytes::Bytes;
use resvg::tiny_skia::{Pixmap, PremultipliedColorU8};
use stallcast_media::{Canvas, Pts};
use std::path::PathBuf;

const UPRIGHT: Canvas = Canvas { width: 540, height: 960, fps: 30 };
const WIDE: Canvas = Canvas { width: 960, height: 540, fps: 30 };
const SQUARE: Canvas = Canvas { width: 320, height: 320, fps: 30 };
const SMALL: Canvas = Canvas { width: 160, height: 284, fps: 30 };
const NOW: i64 = 1_700_000_000_000;

/// A scene to lie under: light above, dark below, something coloured in the middle.
fn scene(canvas: Canvas) -> Vec<u8> {
    let (w, h) = (canvas.width as usize, canvas.height as usize);
    let mut picture = vec![0; w * h * 3 / 2];
    fill_black(&mut picture, canvas);
    for y in 0..h {
        picture[y * w..(y + 1) * w].fill((200 - 150 * (y * 16 / h) / 15) as u8);
    }
    for y in 0..h / 2 {
        let inside = (h / 8..h * 3 / 8).contains(&y);
        for x in 0..w / 2 {
            if inside && (w / 8..w * 3 / 8).contains(&x) {
                picture[w * h + y * (w / 2) + x] = 150;
                picture[w * h * 5 / 4 + y * (w / 2) + x] = 110;
            } else {
                picture[w * h + y * (w / 2) + x] = 112;
                picture[w * h * 5 / 4 + y * (w / 2) + x] = 142;
            }
        }
    }
    picture
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn gaiwan() -> ProductCard {
    ProductCard {
        number: 3,
        title: "青瓷盖碗三件套".to_owned(),
        sign: "¥".to_owned(),
        price: Some("268".to_owned()),
        old_price: Some("358".to_owned()),
        stock: Some(18),
        stock_of: Some(60),
        picture_key: Some("p3".to_owned()),
        picture: Some(std::fs::read(golden("picture.png")).expect("a product picture").into()),
    }
}

fn coupon() -> CouponRibbon {
    CouponRibbon { sign: "¥".to_owned(), discount: "30".to_owned(), threshold: Some("199".to_owned()), ends_at_ms: NOW + 156_000 }
}

fn drawn(canvas: Canvas, set: OverlaySet) -> Vec<u8> {
    let fonts = Fonts::bundled();
    let mut overlays = Overlays::new(canvas, fonts.clone()).expect("a thread");
    overlays.set(set, Pts(0));
    overlays.settle(Pts(0), NOW);
    let mut nothing = [];
    overlays.blend(&mut nothing, Pts(0), NOW);
    let mut picture = scene(canvas);
    overlays.blend(&mut picture, Pts::from_ms(1000), NOW);
    assert_eq!(overlays.counters().failed, 0);
    picture
}

fn to_pixmap(i420: &[u8], canvas: Canvas) -> Pixmap {
    let (w, h) = (canvas.width as usize, canvas.height as usize);
    let mut pixmap = Pixmap::new(canvas.width, canvas.height).expect("a canvas");
    for (i, pixel) in pixmap.pixels_mut().iter_mut().enumerate() {
        let at = i / w / 2 * (w / 2) + i % w / 2;
        let y = (f32::from(i420[i]) - 16.0) * 255.0 / 219.0;
        let u = (f32::from(i420[w * h + at]) - 128.0) * 255.0 / 224.0;
        let v = (f32::from(i420[w * h * 5 / 4 + at]) - 128.0) * 255.0 / 224.0;
        let [r, g, b] = [y + 1.5748 * v, y - 0.1873 * u - 0.4681 * v, y + 1.8556 * u].map(|c| c.round() as u8);
        *pixel = PremultipliedColorU8::from_rgba(r, g, b, 255).expect("opaque");
    }
    pixmap
}

/// The whole picture.
fn compare(name: &str, i420: &[u8], canvas: Canvas) {
    compare_part(name, i420, canvas, 0, canvas.height);
}

/// `rows` of the picture from `top`. A few pixels on edges may differ between machines, a figure may not: no block of
/// 4x4 may be off by more than a shade.
fn compare_part(name: &str, i420: &[u8], canvas: Canvas, top: u32, rows: u32) {
    let file = golden(&format!("{name}.png"));
    let whole = to_pixmap(i420, canvas);
    let (w, h) = (canvas.width as usize, rows as usize);
    let mut now = Pixmap::new(canvas.width, rows).expect("a part of the canvas");
    now.pixels_mut().copy_from_slice(&whole.pixels()[top as usize * w..(top + rows) as usize * w]);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        now.save_png(&file).expect("a written picture");
        return;
    }
    let before = Pixmap::load_png(&file).expect("a golden picture; UPDATE_GOLDEN=1 writes it");
    assert_eq!((before.width(), before.height()), (now.width(), now.height()), "{name}");
    let off = |x: usize, y: usize| {
        let block = (0..16).map(|i| (y + i / 4) * w + x + i % 4);
        let sum: u32 = block.map(|i| distance(before.pixels()[i], now.pixels()[i])).sum();
        sum / 16
    };
    let blocks = (0..h - 3).step_by(4).flat_map(|y| (0..w - 3).step_by(4).map(move |x| (x, y)));
    let (worst, (x, y)) = blocks.map(|(x, y)| (off(x, y), (x, y))).max().expect("a picture");
    if worst > 8 {
        let seen = std::env::temp_dir().join(format!("stallcast-{name}.png"));
        now.save_png(&seen).expect("a written picture");
        panic!("{name} is off by {worst} at {x},{y}; what is drawn now: {}", seen.display());
    }
}

fn distance(a: PremultipliedColorU8, b: PremultipliedColorU8) -> u32 {
    u32::from(a.red().abs_diff(b.red()).max(a.green().abs_diff(b.green())).max(a.blue().abs_diff(b.blue())))
}

fn card(change: impl FnOnce(&mut ProductCard)) -> OverlaySet {
    let mut card = gaiwan();
    change(&mut card);
    OverlaySet { card: Some(card), ..OverlaySet::default() }
}

fn ribbon(change: impl FnOnce(&mut CouponRibbon)) -> OverlaySet {
    let mut ribbon = coupon();
    change(&mut ribbon);
    OverlaySet { coupon: Some(ribbon), ..OverlaySet::default() }
}

fn in_english(set: OverlaySet) -> OverlaySet {
    OverlaySet { language: Language::En, ..set }
}

#[test]
fn card_and_ribbon() {
    let both = |language, title: &str| OverlaySet {
        card: Some(ProductCard { title: title.to_owned(), ..gaiwan() }),
        coupon: Some(coupon()),
        language,
    };
    for (name, canvas) in [("upright", UPRIGHT), ("wide", WIDE), ("square", SQUARE), ("small", SMALL)] {
        compare(&format!("both-{name}-zh"), &drawn(canvas, both(Language::ZhCn, "青瓷盖碗三件套")), canvas);
        compare(&format!("both-{name}-en"), &drawn(canvas, both(Language::En, "Celadon gaiwan set")), canvas);
    }
}

#[test]
fn cards() {
    let long = "【半山茶器】龙泉青瓷手工拉坯盖碗三件套礼盒装送父母送长辈功夫茶具家用高档中式复古整套";
    let english = "Hand-thrown Longquan celadon gaiwan set with lid, bowl and saucer, 150 ml, gift box and tea towel";
    let figures = |card: &mut ProductCard| {
        (card.price, card.old_price) = (Some("12,345,678.90".to_owned()), Some("23,456,789.00".to_owned()));
        (card.number, card.stock, card.stock_of) = (128, Some(1_234_567), Some(9_999_999));
    };
    for (name, set) in [
        ("long-zh", card(|card| card.title = long.to_owned())),
        ("long-en", in_english(card(|card| card.title = english.to_owned()))),
        ("no-figures-zh", card(|card| (card.title, card.price, card.stock) = (long.to_owned(), None, None))),
        ("no-stock-zh", card(|card| card.stock = None)),
        ("no-price-zh", card(|card| card.price = None)),
        ("sold-out-zh", card(|card| card.stock = Some(0))),
        ("sold-out-en", in_english(card(|card| (card.title, card.stock) = ("Celadon gaiwan set".to_owned(), Some(0))))),
        ("large-figures-zh", card(figures)),
        ("broken-picture-zh", card(|card| card.picture = Some(Bytes::from_static(b"\x89PNG\r\n\x1a\nand then nothing")))),
        ("no-title-zh", card(|card| (card.title, card.picture, card.picture_key) = (String::new(), None, None))),
    ] {
        compare_part(&format!("card-{name}"), &drawn(UPRIGHT, set), UPRIGHT, 630, 240);
    }
    compare_part("card-long-wide-zh", &drawn(WIDE, card(|card| card.title = long.to_owned())), WIDE, 330, 210);
}

#[test]
fn ribbons() {
    for (name, set) in [
        ("no-threshold-zh", ribbon(|coupon| coupon.threshold = None)),
        ("no-threshold-en", in_english(ribbon(|coupon| coupon.threshold = None))),
        ("hours-zh", ribbon(|coupon| coupon.ends_at_ms = NOW + 36 * 3_600_000)),
        (
            "large-zh",
            ribbon(|coupon| {
                (coupon.discount, coupon.threshold, coupon.ends_at_ms) =
                    ("1,234,567.50".to_owned(), Some("9,876,543.00".to_owned()), i64::MAX)
            }),
        ),
    ] {
        compare_part(&format!("ribbon-{name}"), &drawn(UPRIGHT, set), UPRIGHT, 60, 110);
    }
}

#[test]
fn slates() {
    for (name, canvas) in [("upright", UPRIGHT), ("wide", WIDE)] {
        for (tag, language) in [("zh", Language::ZhCn), ("en", Language::En)] {
            let picture = slate(canvas, Slate::CameraLost, language, &Fonts::bundled());
            compare(&format!("slate-{name}-{tag}"), &picture.bytes(), canvas);
        }
    }
}
