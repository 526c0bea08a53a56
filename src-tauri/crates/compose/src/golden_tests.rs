//! How overlays and slates look: pictures in `golden/`, compared with a tolerance. `UPDATE_GOLDEN=1` accepts what is
//! drawn now; look at every one of them before committing.

use crate::{CouponRibbon, Fonts, Language, OverlaySet, Overlays, ProductCard, Slate, fill_black, slate};
use bytes::Bytes;
use resvg::tiny_skia::{Pixmap, PremultipliedColorU8};
use stallcast_media::{Canvas, Pts};
use std::path::PathBuf;

const UPRIGHT: Canvas = Canvas { width: 540, height: 960, fps: 30 };
const WIDE: Canvas = Canvas { width: 960, height: 540, fps: 30 };
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

fn sample(name: &str) -> Bytes {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shop/sample").join(name);
    std::fs::read(file).expect("a sample picture of the local shop").into()
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
        picture: Some(sample("p3.png")),
    }
}

fn coupon() -> CouponRibbon {
    CouponRibbon { sign: "¥".to_owned(), discount: "30".to_owned(), threshold: Some("199".to_owned()), ends_at_ms: NOW + 156_000 }
}

fn drawn(canvas: Canvas, set: OverlaySet) -> Vec<u8> {
    let fonts = Fonts::bundled();
    let mut overlays = Overlays::new(canvas, fonts.clone()).expect("a thread");
    overlays.set(set, Pts(0));
    overlays.settle(NOW);
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

/// A few pixels on edges may differ between machines, a figure may not: no block of 4x4 may be off by more than a
/// shade.
fn compare(name: &str, i420: &[u8], canvas: Canvas) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.png"));
    let now = to_pixmap(i420, canvas);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        now.save_png(&file).expect("a written picture");
        return;
    }
    let golden = Pixmap::load_png(&file).expect("a golden picture; UPDATE_GOLDEN=1 writes it");
    assert_eq!((golden.width(), golden.height()), (now.width(), now.height()), "{name}");
    let (w, h) = (canvas.width as usize, canvas.height as usize);
    let mut worst = (0, 0, 0);
    for y in (0..h - 3).step_by(4) {
        for x in (0..w - 3).step_by(4) {
            let at = (0..16).map(|i| (y + i / 4) * w + x + i % 4);
            let off: u32 = at.map(|i| {
                let (a, b) = (golden.pixels()[i], now.pixels()[i]);
                u32::from(a.red().abs_diff(b.red()).max(a.green().abs_diff(b.green())).max(a.blue().abs_diff(b.blue())))
            }).sum();
            worst = worst.max((off / 16, x, y));
        }
    }
    if worst.0 > 8 {
        let seen = std::env::temp_dir().join(format!("stallcast-{name}.png"));
        now.save_png(&seen).expect("a written picture");
        panic!("{name} is off by {} at {},{}; what is drawn now: {}", worst.0, worst.1, worst.2, seen.display());
    }
}

#[test]
fn card_and_ribbon() {
    let both = |language, title: &str| OverlaySet { card: Some(ProductCard { title: title.to_owned(), ..gaiwan() }), coupon: Some(coupon()), language };
    compare("both-upright-zh", &drawn(UPRIGHT, both(Language::ZhCn, "青瓷盖碗三件套")), UPRIGHT);
    compare("both-upright-en", &drawn(UPRIGHT, both(Language::En, "Celadon gaiwan set")), UPRIGHT);
    compare("both-wide-zh", &drawn(WIDE, both(Language::ZhCn, "青瓷盖碗三件套")), WIDE);
    compare("both-wide-en", &drawn(WIDE, both(Language::En, "Celadon gaiwan set")), WIDE);
}
#[test]
fn slates() {
    for (name, canvas) in [("upright", UPRIGHT), ("wide", WIDE)] {
        for (tag, language) in [("zh", Language::ZhCn), ("en", Language::En)] {
            let picture = slate(canvas, Slate::CameraLost, language, &Fonts::bundled());
            compare(&format!("slate-{name}-{tag}"), picture.bytes(), canvas);
        }
    }
}
