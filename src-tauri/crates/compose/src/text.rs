//! Making foreign text safe to draw, and cutting it into lines by measured width.

use unicode_segmentation::UnicodeSegmentation;

/// Code points one drawn character may be made of; more are stacked marks that paint over their neighbours.
const MOST_PER_GRAPHEME: usize = 8;
/// Marks on one letter: Vietnamese needs two.
const MOST_MARKS: usize = 2;

/// Part of the column that two lines may differ by for a break between words.
const UNEVEN: f32 = 0.5;

/// One line of text without control, direction and invisible characters, at most `most` graphemes.
pub(crate) fn sanitise(text: &str, most: usize) -> String {
    // A hostile title may be megabytes; nothing that can be shown needs more than this.
    let kept: String = text.chars().take(most.saturating_mul(MOST_PER_GRAPHEME)).filter_map(visible).collect();
    let mut out = String::with_capacity(kept.len());
    for grapheme in kept.graphemes(true).take(most) {
        if grapheme.trim().is_empty() {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
            continue;
        }
        let mut marks = 0;
        for c in grapheme.chars().take(MOST_PER_GRAPHEME) {
            if is_mark(c) {
                marks += 1;
                if marks > MOST_MARKS {
                    continue;
                }
            }
            out.push(c);
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn visible(c: char) -> Option<char> {
    match c {
        '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_control() => None,
        // Direction marks and overrides, zero-width characters, soft hyphen, fillers, interlinear marks, byte order mark.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200c}'
        | '\u{200e}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{fffe}'
        | '\u{ffff}'
        | '\u{e0000}'..='\u{e0fff}' => None,
        // Private use looks different on every machine.
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' => None,
        c => Some(c),
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Lines of text, and whether some of it had to be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) lines: Vec<String>,
    pub(crate) cut: bool,
}

/// Breaks sanitised text into at most `most` lines no wider than `column`; the last one ends in an ellipsis if text is
/// left over. `width` measures a piece of text in the unit of `column`.
pub(crate) fn wrap(text: &str, column: f32, most: usize, width: &dyn Fn(&str) -> f32) -> Lines {
    let pieces = pieces(text);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut at = 0;
    while at < pieces.len() {
        let piece = &pieces[at];
        let longer = format!("{line}{piece}");
        if width(longer.trim_end()) <= column {
            line = longer;
            at += 1;
            continue;
        }
        let last = lines.len() + 1 >= most;
        if last {
            let rest: String = pieces[at..].concat();
            lines.push(ellipsise(&format!("{line}{rest}"), column, width));
            return Lines { lines, cut: true };
        }
        if line.trim_end().is_empty() {
            // A single word wider than the column: broken where it must.
            let fit = longest_start(piece, column, width);
            lines.push(piece[..fit].to_owned());
            let mut rest = pieces.clone();
            rest[at] = piece[fit..].to_owned();
            let after = wrap(&rest[at..].concat(), column, most - lines.len(), width);
            lines.extend(after.lines);
            return Lines { lines, cut: after.cut };
        }
        lines.push(line.trim_end().to_owned());
        line = String::new();
    }
    if !line.trim_end().is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    Lines { lines, cut: false }
}

/// Like [`wrap`], but lines that hold everything are made about equally long, so that no single character is left on the
/// last; two lines part at a space or a mark where that is hardly less even.
pub(crate) fn wrap_balanced(text: &str, column: f32, most: usize, width: &dyn Fn(&str) -> f32) -> Lines {
    let mut best = wrap(text, column, most, width);
    if best.cut || best.lines.len() < 2 {
        return best;
    }
    if best.lines.len() == 2 {
        let pieces = pieces(text);
        let halves = (1..pieces.len()).filter_map(|at| {
            let (first, second) = (pieces[..at].concat().trim_end().to_owned(), pieces[at..].concat());
            let (w1, w2) = (width(&first), width(&second));
            let words = pieces[at - 1].ends_with(|c: char| c == ' ' || is_closing(c)) || pieces[at].starts_with(is_opening);
            (w1 <= column && w2 <= column).then(|| ((w1 - w2).abs() + if words { 0.0 } else { column * UNEVEN }, vec![first, second]))
        });
        if let Some((_, lines)) = halves.min_by(|a, b| a.0.total_cmp(&b.0)) {
            best.lines = lines;
        }
        return best;
    }
    for step in 1..=20_u8 {
        let narrower = wrap(text, column * (1.0 - f32::from(step) * 0.025), most, width);
        if narrower.cut || narrower.lines.len() != best.lines.len() {
            break;
        }
        best = narrower;
    }
    best
}

/// `text` shortened by whole graphemes until it fits `column` with an ellipsis.
fn ellipsise(text: &str, column: f32, width: &dyn Fn(&str) -> f32) -> String {
    let graphemes: Vec<&str> = text.trim_end().graphemes(true).collect();
    let (mut low, mut high) = (0, graphemes.len());
    while low < high {
        let middle = (low + high).div_ceil(2);
        if width(&with_ellipsis(&graphemes[..middle])) <= column {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    with_ellipsis(&graphemes[..low])
}

/// The Chinese ellipsis is a full square; after Latin text three full stops look right.
fn with_ellipsis(graphemes: &[&str]) -> String {
    let kept = graphemes.concat();
    let kept = kept.trim_end_matches([' ', ',', '，', '、', '（', '(', '·']);
    let wide = kept.chars().next_back().is_some_and(is_wide);
    format!("{kept}{}", if wide { "…" } else { "..." })
}

fn longest_start(piece: &str, column: f32, width: &dyn Fn(&str) -> f32) -> usize {
    let mut end = 0;
    for (start, grapheme) in piece.grapheme_indices(true) {
        let next = start + grapheme.len();
        // At least one grapheme a line, or nothing would ever end.
        if end > 0 && width(&piece[..next]) > column {
            break;
        }
        end = next;
    }
    end
}

/// Text cut at every place where a line may end: after spaces, around Han, never before closing or after opening marks.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for grapheme in text.graphemes(true) {
        let c = grapheme.chars().next().unwrap_or(' ');
        let join = pieces.last().is_some_and(|last: &String| {
            let before = last.chars().next_back().unwrap_or(' ');
            grapheme == " " || is_closing(c) || is_opening(before) || (before != ' ' && !is_wide(before) && !is_wide(c))
        });
        match pieces.last_mut() {
            Some(last) if join => last.push_str(grapheme),
            _ => pieces.push(grapheme.to_owned()),
        }
    }
    pieces
}

fn is_closing(c: char) -> bool {
    "，。、；：！？）》〉」』】〕…—·％,.;:!?)]}%”’".contains(c)
}

fn is_opening(c: char) -> bool {
    "（《〈「『【〔([{“‘¥￥$€£".contains(c)
}

/// Does it open something and fill a square?
pub(crate) fn is_wide_opening(c: char) -> bool {
    "（《〈「『【〔".contains(c)
}

/// Does it fill a square, so that a line may break beside it?
pub(crate) fn is_wide(c: char) -> bool {
    matches!(u32::from(c), 0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE4F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Wide characters 2, others 1.
    fn cells(text: &str) -> f32 {
        text.chars().map(|c| if is_wide(c) || c == '…' { 2.0 } else { 1.0 }).sum()
    }

    #[test]
    fn hostile_characters_do_not_survive() {
        let text = "\u{202e}青\u{200b}瓷\0\u{7}\u{2066}盖\u{feff}碗\n\r\t 三件\u{e000}套\u{fffe}  ";
        assert_eq!(sanitise(text, 80), "青瓷盖碗 三件套");
        let stacked = format!("a{}b", "\u{301}".repeat(50));
        assert_eq!(sanitise(&stacked, 80), "a\u{301}\u{301}b");
        assert_eq!(sanitise(&"长".repeat(1000), 80).chars().count(), 80);
        assert_eq!(sanitise("\u{202e}\u{200b}", 80), "");
    }

    #[test]
    fn lines_break_where_a_reader_expects_it() {
        let lines = |text: &str, column, most| wrap(text, column, most, &cells).lines;
        assert_eq!(lines("Hand-thrown celadon bowl", 12.0, 3), ["Hand-thrown", "celadon bowl"]);
        assert_eq!(lines("青瓷盖碗，三件套", 8.0, 2), ["青瓷盖", "碗，三…"]);
        assert_eq!(lines("青瓷盖碗（大号）", 10.0, 3), ["青瓷盖碗", "（大号）"], "an opening bracket goes with what it opens");
        assert_eq!(lines("Pneumonoultramicroscopic", 10.0, 3), ["Pneumonoul", "tramicrosc", "opic"]);
        assert_eq!(lines("Celadon gaiwan set of three", 12.0, 1), ["Celadon g..."]);
        assert_eq!(wrap("短", 12.0, 2, &cells), Lines { lines: vec!["短".to_owned()], cut: false });
        assert!(wrap("", 12.0, 2, &cells).lines.is_empty());
    }

    #[test]
    fn two_lines_are_balanced() {
        assert_eq!(wrap("一二三四五六七八九十甲", 20.0, 2, &cells).lines[1], "甲");
        assert_eq!(wrap_balanced("一二三四五六七八九十甲", 20.0, 2, &cells).lines, ["一二三四五", "六七八九十甲"]);
        assert_eq!(wrap_balanced("桑蚕丝茶染方巾 手工扎染九十厘米", 20.0, 2, &cells).lines, ["桑蚕丝茶染方巾", "手工扎染九十厘米"]);
        assert_eq!(
            wrap_balanced("茶 桑蚕丝染方巾手工扎染大号", 20.0, 2, &cells).lines,
            ["茶 桑蚕丝染方", "巾手工扎染大号"],
            "not at any price"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn no_line_is_wider_than_its_column(text in "\\PC{0,60}", column in 6.0_f32..40.0, most in 1_usize..4) {
            let clean = sanitise(&text, 40);
            let wrapped = wrap(&clean, column, most, &cells);
            prop_assert!(wrapped.lines.len() <= most);
            for line in &wrapped.lines {
                prop_assert!(cells(line) <= column || line.graphemes(true).count() <= 1, "{line:?} is wider than {column}");
            }
            if !wrapped.cut {
                let all: String = wrapped.lines.concat().split(' ').collect();
                prop_assert_eq!(all, clean.split(' ').collect::<String>(), "nothing may be lost");
            }
        }
    }
}
