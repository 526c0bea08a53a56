//! Comments of the shop as values of the domain.

use super::read::{is_id, unread};
use super::wire;
use serde::Deserialize;
use serde_json::value::RawValue;
use stallcast_model::{Comment, CommentId, CommentKind, UnreadRow};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    id: String,
    version: i64,
    #[serde(default)]
    source: String,
    #[serde(default)]
    author: String,
    text: String,
    at_ms: i64,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    hidden: bool,
}

pub(super) fn read(raw: &RawValue) -> Result<Comment, UnreadRow> {
    let wire: Wire = serde_json::from_str(raw.get()).map_err(|e| unread(raw, "version", wire::fault(&e)))?;
    checked(wire).map_err(|reason| unread(raw, "version", reason))
}

fn checked(wire: Wire) -> Result<Comment, &'static str> {
    if !is_id(&wire.id) {
        return Err("id");
    }
    if wire.version <= 0 {
        return Err("version");
    }
    let kind = match wire.kind.as_str() {
        // A shop that says nothing of it has one kind only.
        "chat" | "" => CommentKind::Chat,
        "gift" => CommentKind::Gift,
        "like" => CommentKind::Like,
        "follow" => CommentKind::Follow,
        "system" => CommentKind::System,
        _ => CommentKind::Other,
    };
    let told = Comment::told(CommentId::new(wire.id), &wire.author, &wire.text, wire.at_ms, kind, wire.version).map_err(|e| e.field)?;
    // What cannot be a name is none: the comment itself is good.
    let source = Comment::typed_source(&wire.source).unwrap_or_default();
    Ok(Comment { source, is_hidden: wire.hidden, ..told })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(json: &Value) -> Result<Comment, UnreadRow> {
        read(&RawValue::from_string(json.to_string()).expect("raw"))
    }

    #[test]
    fn a_comment_is_read_masked_and_fit_to_be_shown_or_kept_unread() {
        let json = json!({ "id": "c", "version": 4, "author": "Martin", "text": "多少\u{202e}钱", "atMs": 7, "kind": "chat", "new": {} });
        let comment = told(&json).expect("read");
        assert_eq!((comment.author.as_str(), comment.text.as_str(), comment.at_ms), ("M***n", "多少钱", 7));
        assert!(comment.is_question && !comment.is_hidden && comment.version == 4);
        let with = |name: &str, value: Value| {
            let mut other = json.clone();
            other[name] = value;
            told(&other)
        };
        assert!(with("hidden", json!(true)).expect("hidden").is_hidden);
        assert_eq!(with("kind", json!("poem")).expect("other").kind, CommentKind::Other);
        assert_eq!(with("author", json!("")).expect("guest").author, "");
        assert_eq!((comment.source.as_str(), with("source", json!("抖音")).expect("brought").source.as_str()), ("", "抖音"));
        assert_eq!(with("source", json!("长".repeat(25))).expect("still read").source, "");
        assert_eq!(with("author", json!("M***n")).expect("masked").author, "M***n", "a masked name stays as it is");
        for (name, value) in [("id", json!("")), ("version", json!(0)), ("text", json!(" ")), ("text", json!(7)), ("atMs", json!(null))] {
            assert!(!with(name, value.clone()).expect_err(name).id.is_empty(), "{name} {value}");
        }
    }
}
