//! Text as the search knows it: folded, and cut into tokens that an index of whole tokens can hold.
//!
//! Chinese has no spaces and its words are one or two characters: every character and every pair of neighbours is a token, so
//! that any run of characters is found. Latin words are found by their beginning, order and tracking numbers by their end.
//! Tokens are letters, digits and non-ASCII only (SQLite's `ascii` tokenizer takes them as they are); the first letter of an
//! ASCII token says what it is. Nobody's text reaches the query language.

use crate::words::Word;
use stallcast_model::OrderStatus;
use std::borrow::Cow;
use std::fmt::Write as _;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// Beginnings of a Latin word that are tokens, characters.
const HEADS: [usize; 8] = [1, 2, 3, 4, 6, 8, 12, 16];
/// Ends of a number that are tokens, characters.
const TAILS: [usize; 4] = [2, 3, 4, 8];
/// Words of a query that are looked at; what is behind is ignored.
const MOST_WORDS: usize = 8;
/// Characters of a query that are looked at.
const MOST_CHARS: usize = 100;

/// One spelling for what people see as the same: full width, case, compatibility forms.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if !text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Cow::Borrowed(text);
        }
        return Cow::Owned(text.to_ascii_lowercase());
    }
    if is_nfkc_quick(text.chars()) == IsNormalized::Yes && !text.chars().any(char::is_uppercase) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfkc().flat_map(char::to_lowercase).collect())
}

/// Letters and digits of a folded number: people type `SF-1000` and `SF1000`.
pub(crate) fn digits_and_letters(folded: &str) -> String {
    folded.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Neighbouring characters of one kind.
enum Run<'a> {
    /// ASCII letters and digits.
    Word(&'a str),
    /// Other letters, ideographs, emoji.
    Wide(&'a str),
}

/// Is it part of a wide run? Punctuation of any script is not.
fn is_wide(c: char) -> bool {
    !c.is_ascii() && (c.is_alphanumeric() || c >= '\u{1F000}')
}

fn runs(folded: &str) -> Vec<Run<'_>> {
    let kind = |c: char| if c.is_ascii_alphanumeric() { 1 } else { 2 * u8::from(is_wide(c)) };
    let mut found = Vec::new();
    let mut rest = folded;
    while let Some(first) = rest.chars().next() {
        let this = kind(first);
        let (run, behind) = rest.split_at(rest.find(|c| kind(c) != this).unwrap_or(rest.len()));
        match this {
            1 => found.push(Run::Word(run)),
            2 => found.push(Run::Wide(run)),
            _ => {}
        }
        rest = behind;
    }
    found
}

fn head(word: &str, length: usize) -> &str {
    word.get(..length).unwrap_or(word)
}

fn tail(word: &str, length: usize) -> &str {
    word.get(word.len().saturating_sub(length)..).unwrap_or(word)
}

/// The longest of `lengths` that is not longer than `most`.
fn longest(lengths: &[usize], most: usize) -> Option<usize> {
    lengths.iter().rev().find(|n| **n <= most).copied()
}

/// What one row is found by: tokens, each once.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    text: String,
    /// Ends of the tokens in `text`.
    ends: Vec<usize>,
}

impl Tokens {
    fn end(&mut self) {
        self.ends.push(self.text.len());
    }

    fn push(&mut self, kind: &str, token: &str) {
        self.text.push_str(kind);
        self.text.push_str(token);
        self.end();
    }

    /// A title, a comment: found by any of its words.
    pub(crate) fn title(&mut self, text: &str) {
        let folded = fold(text);
        for run in runs(&folded) {
            match run {
                Run::Word(word) => {
                    for length in HEADS.iter().take_while(|n| **n <= word.len()) {
                        self.push("w", head(word, *length));
                    }
                }
                Run::Wide(run) => {
                    let mut before = None;
                    for (at, c) in run.char_indices() {
                        let end = at + c.len_utf8();
                        self.push("", &run[at..end]);
                        if let Some(before) = before {
                            self.push("", &run[before..end]);
                        }
                        before = Some(at);
                    }
                }
            }
        }
    }

    /// An order or tracking number: found by its end.
    pub(crate) fn number(&mut self, text: &str) {
        let number = digits_and_letters(&fold(text));
        for length in TAILS.iter().take_while(|n| **n <= number.len()) {
            self.push("n", tail(&number, *length));
        }
    }

    /// A masked name: found by its first character.
    pub(crate) fn masked(&mut self, name: &str) {
        if let Some(first) = fold(name).chars().next().filter(|c| c.is_ascii_alphanumeric() || is_wide(*c)) {
            self.push("b", first.encode_utf8(&mut [0; 4]));
        }
    }

    /// A product, whatever its id is made of.
    pub(crate) fn product(&mut self, connection: &str, id: &str) {
        self.text.push_str(&product_token(connection, id));
        self.end();
    }

    /// A status: only ever asked for by the program itself.
    pub(crate) fn status(&mut self, word: &str) {
        self.text.push_str(&status_token(word));
        self.end();
        // Whoever looks for what is to ship finds what is left of an order as well.
        if word == OrderStatus::PartlyShipped.word() {
            self.text.push_str(&status_token(OrderStatus::ToShip.word()));
            self.end();
        }
    }

    /// As the index takes them, and a digest that changes when they do.
    pub(crate) fn finish(&self) -> (String, i64) {
        let mut start = 0;
        let mut all: Vec<&str> = Vec::with_capacity(self.ends.len());
        for end in &self.ends {
            all.push(&self.text[start..*end]);
            start = *end;
        }
        all.sort_unstable();
        all.dedup();
        let text = all.join(" ");
        let digest = fnv(text.as_bytes()).cast_signed();
        (text, digest)
    }
}

fn product_token(connection: &str, id: &str) -> String {
    let mut bytes = Vec::with_capacity(connection.len() + 1 + id.len());
    bytes.extend_from_slice(connection.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(id.as_bytes());
    format!("p{:016x}", fnv(&bytes))
}

fn status_token(word: &str) -> String {
    std::iter::once('s').chain(word.chars().filter(char::is_ascii_lowercase)).collect()
}

/// FNV-1a, 64 bit: small, and the same in every version of the program.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// What somebody typed: words that must all be there.
#[derive(Debug)]
pub(crate) struct Query {
    words: Vec<String>,
}

impl Query {
    pub(crate) fn new(text: &str) -> Self {
        let text: String = text.chars().filter(|c| !is_invisible(*c)).take(MOST_CHARS).collect();
        Self { words: fold(&text).split_whitespace().take(MOST_WORDS).map(str::to_owned).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// The condition in the index's language. It lets too much through rather than too little: [`Self::holds`] decides.
    /// `None` when nothing can match. `product` gives the products that a spoken number means.
    pub(crate) fn expression(&self, status: Option<&str>, product: impl Fn(&str) -> Option<(String, String)>) -> Option<String> {
        let mut all = String::new();
        for word in &self.words {
            let mut ways: Vec<String> = Vec::new();
            ways.extend(by_text(word));
            if let Some(number) = as_number(word)
                && let Some(length) = longest(&TAILS, number.len())
            {
                ways.push(format!("\"n{}\"", tail(&number, length)));
            }
            if let Some(first) = masked_first(word) {
                ways.push(format!("\"b{first}\""));
            }
            if let Some((connection, id)) = product(word) {
                ways.push(format!("\"{}\"", product_token(&connection, &id)));
            }
            if ways.is_empty() {
                return None;
            }
            let joint = if all.is_empty() { "" } else { " AND " };
            let _ = write!(all, "{joint}({})", ways.join(" OR "));
        }
        if let Some(status) = status {
            let _ = write!(all, " AND \"{}\"", status_token(status));
        }
        Some(all)
    }

    /// Is each word in one of the titles, the end of one of the numbers, or the beginning of the masked name?
    pub(crate) fn holds<'a>(
        &self,
        titles: impl Iterator<Item = &'a str> + Clone,
        numbers: &[&str],
        masked: &str,
        other: impl Fn(&str) -> bool,
    ) -> bool {
        self.words.iter().all(|word| {
            titles.clone().any(|title| fold(title).contains(word.as_str()))
                || as_number(word).is_some_and(|end| numbers.iter().any(|n| digits_and_letters(&fold(n)).ends_with(&end)))
                || (masked_first(word).is_some() && fold(masked).starts_with(word.as_str()))
                || other(word)
        })
    }
}

/// Characters that nobody sees and that come along when text is copied.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// The end of an order or tracking number, if the word may be one.
fn as_number(word: &str) -> Option<String> {
    let number = digits_and_letters(word);
    (number.len() >= TAILS[0] && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')).then_some(number)
}

/// The first character of what may be a masked name: one character, or something with the mask's own star.
fn masked_first(word: &str) -> Option<char> {
    let mut chars = word.chars();
    let first = chars.next().filter(|c| c.is_ascii_alphanumeric() || is_wide(*c))?;
    (chars.as_str().is_empty() || chars.as_str().contains('*')).then_some(first)
}

/// Every run of the word must be there.
fn by_text(word: &str) -> Option<String> {
    let mut tokens: Vec<String> = Vec::new();
    for run in runs(word) {
        match run {
            Run::Word(run) => tokens.extend(longest(&HEADS, run.len()).map(|length| format!("\"w{}\"", head(run, length)))),
            Run::Wide(run) => {
                let chars: Vec<char> = run.chars().collect();
                match chars.as_slice() {
                    [one] => tokens.push(format!("\"{one}\"")),
                    chars => tokens.extend(chars.windows(2).map(|pair| format!("\"{}\"", pair.iter().collect::<String>()))),
                }
            }
        }
    }
    tokens.sort_unstable();
    tokens.dedup();
    match tokens.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        all => Some(format!("({})", all.join(" AND "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(title: &str) -> String {
        let mut tokens = Tokens::default();
        tokens.title(title);
        tokens.finish().0
    }

    fn expression(text: &str) -> Option<String> {
        Query::new(text).expression(None, |_| None)
    }

    #[test]
    fn chinese_is_cut_into_characters_and_pairs() {
        assert_eq!(tokens("青瓷盖碗"), "瓷 瓷盖 盖 盖碗 碗 青 青瓷");
        assert_eq!(expression("盖").as_deref(), Some("(\"盖\" OR \"b盖\")"));
        assert_eq!(expression("盖碗").as_deref(), Some("(\"盖碗\")"));
        assert_eq!(expression("青瓷盖").as_deref(), Some("((\"瓷盖\" AND \"青瓷\"))"));
    }

    #[test]
    fn spellings_of_one_thing_are_one() {
        assert_eq!(tokens("ＰＲＯ　１００"), tokens("pro 100"));
        assert_eq!(tokens("桂花乌龙100G"), "w1 w10 w100 w100g 乌 乌龙 桂 桂花 花 花乌 龙");
        assert_eq!(expression("１００ｇ").as_deref(), Some("(\"w100g\" OR \"n100g\")"));
    }

    #[test]
    fn what_is_typed_never_becomes_a_command_of_the_index() {
        for text in ["\"", "%", "'", "* OR *", "NEAR(a b)", "a AND b", "tokens:a", "^a", "(((", "a\"b", "-a", "\\", "\0", "a*"] {
            if let Some(made) = expression(text) {
                let quotes = made.matches('"').count();
                assert_eq!(quotes % 2, 0, "{text} → {made}");
                for (i, part) in made.split('"').enumerate() {
                    let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || !c.is_ascii());
                    assert!(i % 2 == 0 || plain && !part.is_empty(), "{text} → {made}");
                }
            }
        }
        assert_eq!(expression("%"), None);
        assert_eq!(expression("%%% ..."), None);
        assert!(Query::new(" \u{200B}\u{3000} ").is_empty());
    }

    #[test]
    fn a_long_query_stays_small() {
        let made = expression(&"长".repeat(10_000)).expect("made");
        assert!(made.len() < 2_000, "{}", made.len());
        assert!(expression(&"a ".repeat(10_000)).expect("made").len() < 200);
    }

    #[test]
    fn what_the_index_lets_through_is_checked() {
        let query = Query::new("青瓷盖");
        let holds = |title: &str| query.holds([title].into_iter(), &[], "", |_| false);
        assert!(holds("新青瓷盖碗"));
        assert!(!holds("青瓷 瓷盖"), "all pairs are there, the run is not");
        let number = Query::new("4321");
        assert!(number.holds([].into_iter(), &["2026-004321"], "", |_| false));
        assert!(!number.holds([].into_iter(), &["4321-0"], "", |_| false));
        assert!(Query::new("林**").holds([].into_iter(), &[], "林**", |_| false));
        assert!(!Query::new("林小").holds([].into_iter(), &[], "林**", |_| false));
    }
}
