use bytes::Bytes;

/// Language of the words inside overlays and slates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// Simplified Chinese.
    #[default]
    ZhCn,
    /// English.
    En,
}

impl From<&str> for Language {
    /// From a language tag; everything that is not English is Chinese.
    fn from(tag: &str) -> Self {
        if tag.get(..2).is_some_and(|two| two.eq_ignore_ascii_case("en")) { Self::En } else { Self::ZhCn }
    }
}

/// The product being explained. Texts are drawn as given, amounts are already formatted; a figure that is `None` is
/// left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductCard {
    /// Spoken number.
    pub number: u32,
    /// Confirmed title.
    pub title: String,
    /// Currency sign, for example `¥`.
    pub sign: String,
    /// Confirmed price in major units, without sign.
    pub price: Option<String>,
    /// Struck through, without sign. Not drawn without a price.
    pub old_price: Option<String>,
    /// Confirmed pieces left.
    pub stock: Option<i64>,
    /// Pieces at the start of the show, for the bar.
    pub stock_of: Option<i64>,
    /// Changes when the picture changes.
    pub picture_key: Option<String>,
    /// PNG, JPEG or SVG. `None` with the `picture_key` of the last set keeps the picture given then.
    pub picture: Option<Bytes>,
}

/// The coupon that can be claimed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CouponRibbon {
    /// Currency sign.
    pub sign: String,
    /// Discount in major units.
    pub discount: String,
    /// Threshold in major units; `None` for none.
    pub threshold: Option<String>,
    /// When it ends, ms UTC.
    pub ends_at_ms: i64,
}

/// Everything that shall be drawn over the camera. Only confirmed values may be put here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverlaySet {
    /// The product being explained.
    pub card: Option<ProductCard>,
    /// The coupon that can be claimed.
    pub coupon: Option<CouponRibbon>,
    /// Language of the words around the figures.
    pub language: Language,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_any_region_names_its_language() {
        assert_eq!(Language::from("en-GB"), Language::En);
        assert_eq!(Language::from("EN"), Language::En);
        assert_eq!(Language::from("zh-CN"), Language::ZhCn);
        assert_eq!(Language::from("中"), Language::ZhCn);
        assert_eq!(Language::from(""), Language::ZhCn);
    }
}
