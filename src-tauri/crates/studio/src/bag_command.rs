//! `bag` and `explain`: the host's keys from outside, asked of the studio that owns the folder.

use crate::args::{BagArgs, ExplainArgs};
use crate::control::{Answer, BagChange, Question};
use crate::error::StudioError;
use crate::messages::{Language, text};
use crate::output::Terminal;
use crate::report::ask_owner;
use crate::view::{BagItemView, CandidateView};
use serde_json::json;
use std::path::Path;

/// Products outside the bag that a person is shown; a script gets all.
const MOST_SHOWN: usize = 200;

pub(crate) fn number(text: &str) -> Result<u32, StudioError> {
    let read = text.parse().ok().filter(|n| (1..=9_999).contains(n));
    read.ok_or_else(|| StudioError::new("bad_value").with("name", "NUMBER").with("detail", format!("{text} (1–9999)")))
}

fn bag_question(args: &BagArgs) -> Result<Question, StudioError> {
    let (Some(action), Some(what)) = (&args.action, &args.what) else { return Ok(Question::Bag) };
    let change = match action.as_str() {
        "add" => BagChange::Add { product: what.clone() },
        "remove" => BagChange::Remove { number: number(what)? },
        "up" => BagChange::Move { number: number(what)?, by: -1 },
        "down" => BagChange::Move { number: number(what)?, by: 1 },
        other => {
            let detail = format!("{other} (add / remove / up / down)");
            return Err(StudioError::new("bad_value").with("name", "ACTION").with("detail", detail));
        }
    };
    Ok(Question::ChangeBag { change })
}

fn explain_question(args: &ExplainArgs) -> Result<Question, StudioError> {
    Ok(match args.what.as_str() {
        "next" => Question::Explain { number: None },
        "end" => Question::EndExplanation,
        text => Question::Explain { number: Some(number(text)?) },
    })
}

pub(crate) async fn bag(data: &Path, args: &BagArgs, terminal: Terminal) -> u8 {
    tell(ask(data, bag_question(args)).await, "bag_done", terminal)
}

pub(crate) async fn explain(data: &Path, args: &ExplainArgs, terminal: Terminal) -> u8 {
    tell(ask(data, explain_question(args)).await, "explain_done", terminal)
}

pub(crate) async fn ask(data: &Path, question: Result<Question, StudioError>) -> Result<Answer, StudioError> {
    ask_owner(data, &question?).await?.ok_or_else(|| StudioError::new("not_open"))
}

fn tell(answer: Result<Answer, StudioError>, done: &str, terminal: Terminal) -> u8 {
    match answer {
        Ok(Answer::Bag { bag, outside }) if terminal.json => terminal.line(&json!({ "bag": bag, "outside": outside })),
        Ok(Answer::Bag { bag, outside }) => print(&bag, &outside, terminal),
        Ok(Answer::Done { number }) if terminal.json => terminal.line(&json!({ "number": number })),
        Ok(Answer::Done { number: Some(number) }) => terminal.print(done, &[("number", &number.to_string())]),
        Ok(Answer::Done { number: None }) => terminal.print("explain_ended", &[]),
        Ok(_) => return refuse(terminal, &StudioError::internal("answer")),
        Err(error) => return refuse(terminal, &error),
    }
    0
}

pub(crate) fn refuse(terminal: Terminal, error: &StudioError) -> u8 {
    terminal.error(error);
    error.exit_code()
}

fn print(bag: &[BagItemView], outside: &[CandidateView], terminal: Terminal) {
    if bag.is_empty() {
        terminal.print("bag_empty", &[]);
    }
    for item in bag {
        let mark = match item {
            BagItemView { explaining_since_ms: Some(_), .. } => "mark_now",
            BagItemView { stock: Some(0), .. } => "mark_sold_out",
            BagItemView { is_next: true, .. } => "mark_next",
            BagItemView { explained_ms, .. } if *explained_ms > 0.0 => "mark_explained",
            _ => "mark_waiting",
        };
        let mark = text(mark, &[], terminal.language);
        let left = item.stock.map_or_else(|| "–".to_owned(), |n| n.to_string());
        let params = [
            ("number", item.number.to_string()),
            ("title", plain(&item.title)),
            ("price", item.price.text.clone()),
            ("left", left),
            ("mark", mark),
        ];
        terminal.print("bag_line", &params.each_ref().map(|(name, value)| (*name, value.as_str())));
    }
    for line in outside_lines(outside, terminal.language) {
        terminal.print_raw(&line);
    }
}

fn outside_lines(outside: &[CandidateView], language: Language) -> Vec<String> {
    let Some(first) = (!outside.is_empty()).then(|| text("bag_outside", &[], language)) else { return vec![] };
    let line = |one: &CandidateView| {
        let number = one.number.map_or_else(|| "–".to_owned(), |n| n.to_string());
        format!("  {number}  {}  {}", plain(&one.title), plain(&one.product_id))
    };
    let more = outside.len().saturating_sub(MOST_SHOWN);
    let rest = (more > 0).then(|| text("bag_outside_more", &[("count", &more.to_string())], language));
    std::iter::once(first).chain(outside.iter().take(MOST_SHOWN).map(line)).chain(rest).collect()
}

/// Text of a shop on a terminal: nothing in it may move the cursor or turn the line around.
pub(crate) fn plain(text: &str) -> String {
    let hostile = |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if hostile(c) { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(action: &str, what: &str) -> Result<Question, String> {
        let args = BagArgs { action: Some(action.to_owned()), what: Some(what.to_owned()), json: false };
        bag_question(&args).map_err(|e| e.code().to_owned())
    }

    #[test]
    fn words_become_questions_or_one_clear_refusal() {
        assert_eq!(bag_question(&BagArgs { action: None, what: None, json: true }), Ok(Question::Bag));
        assert_eq!(asked("down", "3"), Ok(Question::ChangeBag { change: BagChange::Move { number: 3, by: 1 } }));
        assert_eq!(asked("add", "p-1"), Ok(Question::ChangeBag { change: BagChange::Add { product: "p-1".to_owned() } }));
        for (action, what) in [("sell", "3"), ("remove", "0"), ("remove", "-1"), ("up", "p-1"), ("up", "99999999999")] {
            assert_eq!(asked(action, what), Err("bad_value".to_owned()), "{action} {what}");
        }
        let explain = |what: &str| explain_question(&ExplainArgs { what: what.to_owned(), json: false });
        assert_eq!(explain("next"), Ok(Question::Explain { number: None }));
        assert_eq!(explain("12"), Ok(Question::Explain { number: Some(12) }));
        assert_eq!(explain("end"), Ok(Question::EndExplanation));
        assert!(explain("now").is_err());
    }

    #[test]
    fn of_a_large_catalogue_a_person_is_shown_some_and_told_how_many_more() {
        let candidate = |n: usize| CandidateView {
            connection_id: "local".to_owned(),
            product_id: format!("p-{n}"),
            number: None,
            title: "盖碗".to_owned(),
            picture: None,
            price: crate::present::money(stallcast_model::Money::new(9_900, stallcast_model::Currency::Cny)),
            stock: None,
        };
        let catalogue: Vec<_> = (0..4_321).map(candidate).collect();
        for language in [Language::Zh, Language::En] {
            let lines = outside_lines(&catalogue, language);
            assert_eq!(lines.len(), MOST_SHOWN + 2);
            assert!(lines.last().is_some_and(|last| last.contains("4121") && last.contains("bag --json")), "{lines:?}");
            assert_eq!(outside_lines(&catalogue[..MOST_SHOWN], language).len(), MOST_SHOWN + 1, "nothing is left to tell");
            assert!(outside_lines(&[], language).is_empty());
        }
    }

    #[test]
    fn a_hostile_title_stays_on_its_line() {
        assert_eq!(plain("a\u{1b}[2J\n\u{202E}b茶"), "a\u{FFFD}[2J\u{FFFD}\u{FFFD}b茶");
    }
}
