//! Checks of what comes from outside. Each refusal names the field and the rule.

use crate::refusal::Refusal;
use crate::wire::{BuyerForm, LineForm};
use stallcast_model::{Currency, Money};

/// Most lines of an order or a cart.
pub(crate) const LINES_MOST: usize = 50;
/// Most pieces of one line.
pub(crate) const QUANTITY_MOST: u32 = 99;
/// Highest price of one piece, minor units. With the limits above no total comes near the end of `i64`.
pub(crate) const PRICE_MOST: i64 = 100_000_000_000;
/// Most pieces on hand.
pub(crate) const STOCK_MOST: i64 = 1_000_000_000;

pub(crate) const fn invalid(field: &'static str, rule: &'static str) -> Refusal {
    Refusal::Invalid { field, rule }
}

/// One line of free text: trimmed, not empty, at most `most` characters, no control characters. Anything else stays as it
/// is: markup is text, and whoever shows it shows it as text.
pub(crate) fn text(field: &'static str, value: &str, most: usize) -> Result<String, Refusal> {
    let line: String = value.trim().chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).collect();
    if line.is_empty() {
        return Err(invalid(field, "empty"));
    }
    if line.chars().count() > most {
        return Err(invalid(field, "too_long"));
    }
    // Bidi overrides could turn the rest of a row around.
    if line.chars().any(|c| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')) {
        return Err(invalid(field, "control"));
    }
    Ok(line)
}

/// An id chosen by a client.
pub(crate) fn id(field: &'static str, value: &str) -> Result<String, Refusal> {
    let good = (1..=64).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
    if good { Ok(value.to_owned()) } else { Err(invalid(field, "format")) }
}

pub(crate) fn buyer(form: &BuyerForm) -> Result<BuyerForm, Refusal> {
    let phone = form.phone.trim();
    let digits = phone.bytes().filter(u8::is_ascii_digit).count();
    let loose = phone.len() <= 24 && phone.bytes().all(|b| b.is_ascii_digit() || b" +-()".contains(&b));
    if !loose || !(5..=15).contains(&digits) {
        return Err(invalid("phone", if phone.is_empty() { "empty" } else { "format" }));
    }
    Ok(BuyerForm { name: text("name", &form.name, 64)?, phone: phone.to_owned(), address: text("address", &form.address, 200)? })
}

/// Lines of a cart or an order: the same SKU twice is one line with the sum.
pub(crate) fn lines(lines: &[LineForm]) -> Result<Vec<LineForm>, Refusal> {
    let mut merged: Vec<LineForm> = Vec::new();
    for line in lines {
        let quantity = match merged.iter_mut().find(|m| m.sku_id == line.sku_id) {
            Some(known) => {
                known.quantity = known.quantity.saturating_add(line.quantity);
                known.quantity
            }
            None => {
                merged.push(LineForm { sku_id: id("skuId", &line.sku_id)?, quantity: line.quantity });
                line.quantity
            }
        };
        if line.quantity == 0 || quantity > QUANTITY_MOST {
            return Err(invalid("quantity", "range"));
        }
    }
    if merged.len() > LINES_MOST {
        return Err(invalid("lines", "too_long"));
    }
    Ok(merged)
}

/// An amount in the shop's currency within `least..=PRICE_MOST`.
pub(crate) fn money(field: &'static str, money: Money, currency: Currency, least: i64) -> Result<i64, Refusal> {
    if money.currency != currency {
        return Err(invalid(field, "currency"));
    }
    if !(least..=PRICE_MOST).contains(&money.amount) {
        return Err(invalid(field, if money.amount < 0 { "negative" } else { "range" }));
    }
    Ok(money.amount)
}

pub(crate) fn stock(pieces: i64) -> Result<i64, Refusal> {
    if (0..=STOCK_MOST).contains(&pieces) { Ok(pieces) } else { Err(invalid("stock", "range")) }
}

/// A moment, ms UTC, of a client's clock.
pub(crate) fn moment(field: &'static str, ms: i64) -> Result<i64, Refusal> {
    // Year 3000: beyond it somebody sent microseconds.
    if (0..=32_503_680_000_000).contains(&ms) { Ok(ms) } else { Err(invalid(field, "range")) }
}

/// The kind of a picture by its first bytes. No SVG: it could carry script.
pub(crate) fn picture_mime(bytes: &[u8]) -> Result<&'static str, Refusal> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Ok("image/png"),
        [0xFF, 0xD8, 0xFF, ..] => Ok("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok("image/webp"),
        _ => Err(invalid("picture", "format")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn rule<T: std::fmt::Debug>(result: Result<T, Refusal>) -> (&'static str, &'static str) {
        match result {
            Err(Refusal::Invalid { field, rule }) => (field, rule),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn text_is_kept_as_written_within_its_limits() {
        assert_eq!(text("name", "  <b>林</b>\n小姐 ", 64).unwrap(), "<b>林</b> 小姐");
        assert_eq!(rule(text("name", " \t", 64)), ("name", "empty"));
        assert_eq!(rule(text("name", &"林".repeat(65), 64)), ("name", "too_long"));
        assert!(text("name", &"林".repeat(64), 64).is_ok());
        assert_eq!(rule(text("name", "a\u{202E}b", 64)), ("name", "control"));
        assert_eq!(rule(text("name", "a\0b", 64)), ("name", "control"));
    }

    #[test]
    fn phones_are_checked_loosely() {
        let with = |phone: &str| buyer(&BuyerForm { name: "a".into(), phone: phone.into(), address: "b".into() });
        for good in ["13800138000", "+86 138-0013-8000", "(030) 123456"] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in ["1234", "call me", "12345678901234567", "１３８００１３８０００"] {
            assert_eq!(rule(with(bad)), ("phone", "format"), "{bad}");
        }
        assert_eq!(rule(with("")), ("phone", "empty"));
    }

    #[test]
    fn lines_are_merged_and_bounded() {
        let line = |sku: &str, quantity| LineForm { sku_id: sku.into(), quantity };
        let merged = lines(&[line("a", 1), line("b", 2), line("a", 3)]).unwrap();
        assert_eq!(merged.iter().map(|l| (l.sku_id.as_str(), l.quantity)).collect::<Vec<_>>(), [("a", 4), ("b", 2)]);
        assert_eq!(rule(lines(&[line("a", 0)])), ("quantity", "range"));
        assert_eq!(rule(lines(&[line("a", 60), line("a", 60)])), ("quantity", "range"));
        assert_eq!(rule(lines(&[line("a", u32::MAX), line("a", 60)])), ("quantity", "range"));
        assert_eq!(rule(lines(&[line("../x", 1)])), ("skuId", "format"));
        let many: Vec<_> = (0..51).map(|n| line(&n.to_string(), 1)).collect();
        assert_eq!(rule(lines(&many)), ("lines", "too_long"));
    }

    #[test]
    fn pictures_are_known_by_their_bytes() {
        assert_eq!(picture_mime(b"\x89PNG\r\n\x1a\nrest").unwrap(), "image/png");
        assert_eq!(rule(picture_mime(b"<svg onload=alert(1)>")), ("picture", "format"));
        assert_eq!(rule(picture_mime(b"")), ("picture", "format"));
    }
}
