use crate::masking::is_bidi_control;
use crate::{CommentId, Invalid, mask_name};

/// What a comment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommentKind {
    /// Somebody wrote it.
    Chat,
    /// Somebody gave a present; the text says which.
    Gift,
    /// Somebody pressed like.
    Like,
    /// Somebody follows the shop now.
    Follow,
    /// The platform says something.
    System,
    /// A word that this version does not know.
    Other,
}

/// Something said in the room. Its text is public and hostile: render it as text only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// As the platform names it.
    pub id: CommentId,
    /// Where it was written, if another tool brought it to the platform: at most [`Comment::SOURCE_MOST`] characters, without
    /// control characters. Empty for what was written on the platform itself.
    pub source: String,
    /// Masked name of who wrote it; empty for a guest without one.
    pub author: String,
    /// One line, 1..=[`Comment::TEXT_MOST`] characters, without control characters.
    pub text: String,
    /// When, by the platform's clock, ms UTC.
    pub at_ms: i64,
    /// What it is.
    pub kind: CommentKind,
    /// Somebody wants to know something, as [`asks`] sees it. Only what somebody wrote can be a question.
    pub is_question: bool,
    /// Taken off the viewers' page.
    pub is_hidden: bool,
    /// A higher one wins.
    pub version: i64,
}

impl Comment {
    /// Longest text, characters.
    pub const TEXT_MOST: usize = 200;
    /// Longest name, characters.
    pub const NAME_MOST: usize = 24;
    /// Longest name of where it was written, characters.
    pub const SOURCE_MOST: usize = 24;

    /// A comment as a platform tells it: the author masked, the text made fit to be shown (see [`shown_text`]). It was written
    /// on the platform itself.
    ///
    /// # Errors
    /// `text: empty` when nothing of it can be shown.
    pub fn told(id: CommentId, author: &str, text: &str, at_ms: i64, kind: CommentKind, version: i64) -> Result<Self, Invalid> {
        let text = shown_text(text);
        if text.is_empty() {
            return Err(Invalid::new("text", "empty"));
        }
        let author = if author.trim().is_empty() { String::new() } else { mask_name(author) };
        let is_question = kind == CommentKind::Chat && asks(&text);
        Ok(Self { id, source: String::new(), author, text, at_ms, kind, is_question, is_hidden: false, version })
    }

    /// What a viewer typed, on one line.
    ///
    /// # Errors
    /// `empty`, `too_long`, `control`, by the name of the field `text`.
    pub fn typed_text(text: &str) -> Result<String, Invalid> {
        typed("text", text, Self::TEXT_MOST)
    }

    /// The name of a place as a tool gives it.
    ///
    /// # Errors
    /// `empty`, `too_long`, `control`, by the name of the field `source`.
    pub fn typed_source(name: &str) -> Result<String, Invalid> {
        typed("source", name, Self::SOURCE_MOST)
    }

    /// The name that a viewer gave, masked; empty for none. The whole name is not needed by anybody.
    ///
    /// # Errors
    /// `too_long`, `control`, by the name of the field `name`.
    pub fn typed_author(name: &str) -> Result<String, Invalid> {
        if name.trim().is_empty() {
            return Ok(String::new());
        }
        typed("name", name, Self::NAME_MOST).map(|name| mask_name(&name))
    }
}

/// One line as typed: trimmed, line breaks become spaces. What cannot be seen is refused, so that nobody wonders where
/// it went.
fn typed(field: &'static str, text: &str, most: usize) -> Result<String, Invalid> {
    let line: String = text.trim().chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).collect();
    if line.chars().all(is_unseen) {
        return Err(Invalid::new(field, "empty"));
    }
    if line.chars().count() > most {
        return Err(Invalid::new(field, "too_long"));
    }
    if line.chars().any(|c| c.is_control() || is_bidi_control(c)) {
        return Err(Invalid::new(field, "control"));
    }
    Ok(line)
}

/// Takes up no room on the screen.
fn is_unseen(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}') || is_bidi_control(c)
}

/// What a platform let somebody write, made fit to be shown: one line, without control characters and without those that
/// turn the rest of a row around, cut at [`Comment::TEXT_MOST`] characters. Empty when nothing can be seen.
#[must_use]
pub fn shown_text(text: &str) -> String {
    let seen: String = text
        .chars()
        .map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_bidi_control(*c))
        .collect();
    let seen = seen.trim();
    if seen.chars().all(is_unseen) {
        return String::new();
    }
    match seen.char_indices().nth(Comment::TEXT_MOST) {
        None => seen.to_owned(),
        Some((most, _)) => {
            let mut cut: String = seen[..most].chars().take(Comment::TEXT_MOST - 1).collect();
            cut.push('…');
            cut
        }
    }
}

/// Words that ask wherever they stand. None of them is part of a common word that does not ask.
const ASKING: &[&str] = &[
    "吗",
    "怎么",
    "怎样",
    "咋",
    "什么",
    "啥",
    "多少",
    "几号",
    "几天",
    "几点",
    "几个",
    "几件",
    "多大",
    "多长",
    "多重",
    "多久",
    "哪",
    "谁",
    "为何",
    "是不是",
    "有没有",
    "能不能",
    "可不可以",
    "会不会",
    "要不要",
    "好不好",
    "行不行",
];
/// Characters that make a question of what they end.
const ENDING: &[char] = &['嘛', '么', '呢'];
/// English words that ask at the beginning of a sentence.
const OPENING: &[&str] = &[
    "how", "what", "whats", "what's", "when", "where", "which", "who", "why", "is", "are", "do", "does", "can", "could", "will", "would",
    "any",
];
/// Said, not asked, although a word of the list is in it.
const SAID: &[&str] = &["不怎么", "没什么", "没啥", "无所谓", "怎么都行", "什么都", "哪里哪里", "谁都"];

/// Does somebody want to know something? A small rule for Chinese and English that rather asks too often: a question mark
/// of either width anywhere; a word that asks (怎么, 什么, 多少, 有没有 …) outside phrases that only sound like it (没什么,
/// 怎么都行 …); 吗, 嘛, 么, 呢 at the end of a sentence; an English sentence that begins like a question.
#[must_use]
pub fn asks(text: &str) -> bool {
    if text.contains(['?', '？', '⁇', '⁈', '⁉', '¿']) {
        return true;
    }
    text.split(['。', '！', '!', '，', ',', '；', ';', '~', '～', '…', '\u{3000}']).map(str::trim).any(|sentence| {
        let mut rest = sentence.to_lowercase();
        for said in SAID {
            rest = rest.replace(said, "");
        }
        let mut words = rest.split_whitespace().map(|word| word.trim_end_matches(['.', '啊', '呀', '哦']));
        ASKING.iter().any(|word| rest.contains(word))
            || words.clone().any(|word| word.ends_with(ENDING))
            || (words.next().is_some_and(|first| OPENING.contains(&first)) && words.next().is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_found() {
        for text in [
            "1 号还有吗？多少钱",
            "盖碗烫手吗",
            "3 号拍了，什么时候发货",
            "可以送礼盒吗",
            "1 号是今年的新茶嘛",
            "怎么拍",
            "多少钱一个",
            "有没有小一点的",
            "这个呢",
            "哪个号",
            "在吗?",
            "好看！能不能再便宜点",
            "how much is number 3",
            "Is it dishwasher safe",
            "any discount",
            "咋买啊",
            "包邮吗 谢谢",
            "包邮嘛 谢谢",
            "什么",
        ] {
            assert!(asks(text), "{text}");
        }
    }

    #[test]
    fn what_is_only_said_is_no_question() {
        for text in [
            "上次买的杯子很喜欢",
            "主播手好稳",
            "这个釉色太美了",
            "领到券了",
            "没什么",
            "怎么都行",
            "不怎么样",
            "谁都喜欢",
            "nice cup",
            "Island tea",
            "what",
            "👍👍👍",
            "",
        ] {
            assert!(!asks(text), "{text}");
        }
    }

    #[test]
    fn what_is_typed_is_kept_or_refused_with_the_rule() {
        assert_eq!(Comment::typed_text("  <b>好看</b>\n真的 "), Ok("<b>好看</b> 真的".to_owned()));
        let rule = |text: &str| Comment::typed_text(text).expect_err(text).rule;
        for (text, expected) in [(" \t", "empty"), ("\u{200B}\u{FEFF}", "empty"), ("a\u{202E}b", "control"), ("a\0b", "control")] {
            assert_eq!(rule(text), expected, "{text:?}");
        }
        assert_eq!(rule(&"长".repeat(201)), "too_long");
        assert!(Comment::typed_text(&"长".repeat(200)).is_ok());
        assert_eq!(Comment::typed_author(" "), Ok(String::new()));
        assert_eq!(Comment::typed_author("云朵朵"), Ok("云**".to_owned()));
        assert_eq!(Comment::typed_author("\u{2066}x").expect_err("control").field, "name");
        assert_eq!(Comment::typed_author(&"长".repeat(25)).expect_err("long").rule, "too_long");
        assert_eq!(Comment::typed_source(" 抖音 "), Ok("抖音".to_owned()), "a place is not masked");
        for (source, rule) in [("", "empty"), ("\u{202E}x", "control"), (&*"长".repeat(25), "too_long")] {
            let refused = Comment::typed_source(source).expect_err(source);
            assert_eq!((refused.field, refused.rule), ("source", rule));
        }
    }

    #[test]
    fn what_a_platform_let_through_is_made_fit() {
        let told = |author: &str, text: &str, kind| Comment::told(CommentId::new("c"), author, text, 7, kind, 1);
        let comment = told("Hello", "多少\u{202E}钱\u{7}\n", CommentKind::Chat).expect("told");
        assert_eq!((comment.author.as_str(), comment.text.as_str(), comment.is_question), ("H***o", "多少钱", true));
        assert_eq!(told("  ", "x", CommentKind::Chat).expect("guest").author, "");
        assert!(!told("a", "送出什么", CommentKind::Gift).expect("gift").is_question, "a present asks nothing");
        assert_eq!(told("a", "\u{200B}\u{202E}", CommentKind::Chat).expect_err("nothing").rule, "empty");
        let cut = shown_text(&"长".repeat(300));
        assert_eq!((cut.chars().count(), cut.ends_with('…')), (200, true));
        assert_eq!(shown_text(&"长".repeat(200)).chars().count(), 200);
    }
}
