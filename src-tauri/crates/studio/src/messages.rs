//! Every sentence of the command line, in both languages. A sentence says what happened and what to do next.

mod errors;
mod health;
mod texts;

pub(crate) use errors::ERRORS;
use health::{HEALTH, NOTES};
use std::collections::BTreeMap;
use texts::TEXTS;

/// Language of sentences for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// 简体中文
    Zh,
    /// English
    En,
}

impl Language {
    /// `zh-CN` or `en`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// Reads `zh…` (any spelling) as Chinese, everything else as English.
    #[must_use]
    pub fn from_tag(tag: &str) -> Self {
        if tag.trim().to_ascii_lowercase().starts_with("zh") { Self::Zh } else { Self::En }
    }

    /// From `STALLCAST_LANG`, else `LC_ALL`, `LC_MESSAGES`, `LANG`; the first that is set decides.
    #[must_use]
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|v| !v.is_empty());
        ["STALLCAST_LANG", "LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).map_or(Self::En, |tag| Self::from_tag(&tag))
    }
}

fn find(table: &'static [(&str, &str, &str)], code: &str, language: Language) -> Option<&'static str> {
    table.iter().find(|(c, ..)| *c == code).map(|(_, zh, en)| match language {
        Language::Zh => *zh,
        Language::En => *en,
    })
}

/// A broken rule of an address, or the reason of a refusal, has a sentence of its own.
fn find_special(
    table: &'static [(&str, &str, &str)],
    code: &str,
    params: &BTreeMap<String, String>,
    language: Language,
) -> Option<&'static str> {
    let special = |name: &str| params.get(name).and_then(|word| find(table, &format!("{code}_{word}"), language));
    special("rule").or_else(|| special("reason")).or_else(|| find(table, code, language))
}

fn fill(template: &str, params: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        out.push_str(params.get(name).map_or("?", String::as_str));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The sentence for an error code. A code nobody wrote a sentence for is said to be internal and named.
#[must_use]
pub fn error_sentence(code: &str, params: &BTreeMap<String, String>, language: Language) -> String {
    match find_special(ERRORS, code, params, language) {
        Some(template) => fill(template, params),
        None => fill(find(ERRORS, "internal", language).unwrap_or("{detail}"), &BTreeMap::from([("detail".to_owned(), code.to_owned())])),
    }
}

/// The sentence for a health code.
#[must_use]
pub fn health_sentence(code: &str, params: &BTreeMap<String, String>, language: Language) -> String {
    find_special(HEALTH, code, params, language).map_or_else(|| code.to_owned(), |template| fill(template, params))
}

/// The sentence for a note about the platform at `host`.
#[must_use]
pub(crate) fn note_sentence(host: &str, note: &crate::view::NoteView, language: Language) -> String {
    let mut params = note.params.clone();
    params.insert("host".to_owned(), host.to_owned());
    find(NOTES, &note.code, language).map_or_else(|| note.code.clone(), |template| fill(template, &params))
}

/// A text of the command line with its values.
#[must_use]
pub(crate) fn text(code: &str, params: &[(&str, &str)], language: Language) -> String {
    let params = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    find(TEXTS, code, language).map_or_else(|| code.to_owned(), |template| fill(template, &params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names(template: &str) -> BTreeSet<&str> {
        template.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name)).collect()
    }

    #[test]
    fn every_code_speaks_both_languages_with_the_same_values() {
        for table in [ERRORS, HEALTH, NOTES, TEXTS] {
            let mut seen = BTreeSet::new();
            for (code, zh, en) in table {
                assert!(seen.insert(code), "{code} stands twice");
                assert!(zh.chars().any(|c| c > '\u{2E7F}') || *code == "cpu", "{code} has no Chinese");
                assert!(en.chars().all(|c| c < '\u{2E80}'), "{code}: Chinese in the English sentence");
                assert_eq!(names(zh), names(en), "{code}: the languages name different values");
                assert!(!zh.contains("请稍候") && !zh.contains('！') && !en.contains('!'), "{code} breaks the wording rules");
            }
        }
    }

    #[test]
    fn every_health_code_of_the_media_side_has_a_sentence() {
        use stallcast_media::HealthCode as H;
        for code in [
            H::CameraLost,
            H::CameraBack,
            H::MicLost,
            H::MicBack,
            H::MicLate,
            H::DestinationLost,
            H::DestinationBack,
            H::DestinationUnreachable,
            H::DestinationHeld,
            H::DestinationRefused,
            H::DestinationSlow,
            H::DestinationCaughtUp,
            H::PictureLowered,
            H::PictureRestored,
            H::RecordingStopped,
            H::RecordingFailed,
            H::RecordingBehind,
            H::RecordingCaughtUp,
            H::CleanFeedStopped,
            H::CleanFeedFailed,
            H::ViewersLost,
            H::DiskLow,
            H::DiskSaving,
            H::DiskEnough,
            H::RecordingRepaired,
            H::EncoderBehind,
            H::OnBattery,
            H::BatteryLow,
            H::PowerBack,
            H::NotKeptAwake,
            H::SourcesSpared,
            H::EncoderReplaced,
            H::EncoderHung,
            H::ProgramLate,
            H::PartRestarted,
            H::EngineRestarted,
            H::ShowLost,
            H::ShowEnded,
            H::ShopRestarted,
            H::MissingGlyphs,
        ] {
            let word = serde_json::to_value(code).expect("word");
            let word = word.as_str().expect("text");
            assert!(find(HEALTH, word, Language::Zh).is_some(), "{word}");
        }
    }

    /// What a person does next, or that there is nothing to do.
    const NEXT_ZH: &[&str] = &["请", "就降低", "不用操作", "会自动"];
    const NEXT_EN: &[&str] = &[
        "Check",
        "Close",
        "Change",
        "Copy",
        "Do not",
        "Enter",
        "Free",
        "Get",
        "Install",
        "Look",
        "Plug",
        "Restart",
        "Start",
        "Stop",
        "Choose",
        "use a smaller",
        "set the clock",
        "nothing to do",
    ];

    #[test]
    fn every_sentence_about_the_machinery_has_a_next_step_and_one_language() {
        for (code, zh, en) in HEALTH {
            assert!(NEXT_ZH.iter().any(|w| zh.contains(w)), "{code} leaves a seller alone: {zh}");
            assert!(NEXT_EN.iter().any(|w| en.contains(w)), "{code} leaves a seller alone: {en}");
            let mut plain = zh.to_string();
            for name in names(zh) {
                // What the system or a thread calls itself is English: for the log, not for a seller.
                assert!(!["status", "reason", "part", "action", "detail"].contains(&name), "{code} shows {name}");
                plain = plain.replace(&format!("{{{name}}}"), "");
            }
            assert!(!plain.chars().any(|c| c.is_ascii_alphabetic()), "{code}: English in {zh}");
            assert!(zh.ends_with('。') && en.ends_with('.'), "{code}");
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        let said = |reason: &str, language| {
            let params = BTreeMap::from([("host".to_owned(), "live.example".to_owned()), ("reason".to_owned(), reason.to_owned())]);
            health_sentence("destination_refused", &params, language)
        };
        for language in [Language::Zh, Language::En] {
            let all: BTreeSet<_> = ["key", "on_air", "address", "certificate", "closed"].map(|r| said(r, language)).into();
            assert_eq!(all.len(), 5);
            assert!(all.iter().all(|s| s.contains("live.example")));
            assert_eq!(said("from_the_future", language), said("key", language));
        }
    }

    #[test]
    fn values_appear_and_unknown_codes_are_named() {
        let params = BTreeMap::from([("pid".to_owned(), "4711".to_owned())]);
        for language in [Language::Zh, Language::En] {
            assert!(error_sentence("show_running", &params, language).contains("4711"));
            assert!(error_sentence("from_the_future", &BTreeMap::new(), language).contains("from_the_future"));
        }
    }

    #[test]
    fn the_environment_chooses_the_language() {
        let with = |pairs: &'static [(&str, &str)]| {
            Language::from_environment(move |name| pairs.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(with(&[("LANG", "zh_CN.UTF-8")]), Language::Zh);
        assert_eq!(with(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C.UTF-8")]), Language::En);
        assert_eq!(with(&[("LANG", "en_US.UTF-8"), ("STALLCAST_LANG", "zh-CN")]), Language::Zh);
        assert_eq!(with(&[("LC_ALL", ""), ("LANG", "zh_TW")]), Language::Zh);
        assert_eq!(with(&[]), Language::En);
    }
}
