//! Comments that another tool reads elsewhere and brings here: for the seller only. This shop's viewers see those of their own
//! page; the others were written for somebody else.

use crate::change::Change;
use crate::comments::{self, SellerComment};
use crate::input::{self, invalid};
use crate::pace::{Pace, Shared};
use crate::refusal::Refusal;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use stallcast_model as model;
use utoipa::ToSchema;

/// Sixty at once, thirty a second: more than a host can read.
pub(crate) const PACE: Pace = Pace { every_ms: 33, burst: 60 };
/// Largest body, bytes.
pub(crate) const BODY_MOST: usize = 8 << 10;
/// Longest id and name as a tool gives them, characters; what is shown of a name is far less.
const ID_MOST: usize = 128;
const AUTHOR_MOST: usize = 200;
/// Longest text as a tool gives it, characters; it is cut to what is shown.
const TEXT_MOST: usize = 1_000;

/// What a tool brings.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ToolComment {
    /// Where it was written, as the seller shall see it: 1..=24 characters.
    pub source: String,
    /// The tool's own id of it, 1..=128 characters, unique within `source`. The same again is the same comment.
    pub id: String,
    /// Who wrote it, at most 200 characters; it is shown masked. Empty for nobody.
    #[serde(default)]
    pub author: String,
    /// What they wrote, 1..=1000 characters; shown are 200 of them, on one line.
    pub text: String,
}

/// A comment that can be stored.
#[derive(Debug)]
pub(crate) struct Brought {
    id: String,
    source: String,
    author: String,
    text: String,
}

impl Brought {
    /// What cannot be seen is taken out of name and text as out of those of any platform: the tool did not write them.
    pub(crate) fn new(form: &ToolComment) -> Result<Self, Refusal> {
        let ToolComment { source, id, author, text } = form;
        let source = model::Comment::typed_source(source).map_err(|e| input::invalid(e.field, e.rule))?;
        if id.trim().is_empty() || id.chars().any(char::is_control) {
            return Err(invalid("id", if id.is_empty() { "empty" } else { "format" }));
        }
        for (field, given, most) in [("id", id, ID_MOST), ("author", author, AUTHOR_MOST), ("text", text, TEXT_MOST)] {
            if given.chars().count() > most {
                return Err(invalid(field, "too_long"));
            }
        }
        let (author, text) = (model::shown_text(author), model::shown_text(text));
        if text.is_empty() {
            return Err(invalid("text", "empty"));
        }
        let author = if author.is_empty() { author } else { model::mask_name(&author) };
        Ok(Self { id: key(&source, id), source, author, text })
    }
}

/// One id for what `source` calls `id`, in the shop's own form.
fn key(source: &str, id: &str) -> String {
    let digest = Sha256::new().chain_update(source).chain_update([0]).chain_update(id).finalize();
    digest.iter().take(16).fold("t-".to_owned(), |key, byte| format!("{key}{byte:02x}"))
}

/// Stores it once. `true` when it is new.
pub(crate) async fn take(change: &mut Change<'_>, pace: &Shared, brought: Brought) -> Result<(SellerComment, bool), Refusal> {
    let Brought { id, source, author, text } = brought;
    match comments::one(change.db(), &id).await {
        Ok(known) if known.text == text && known.author == author => return Ok((known, false)),
        Ok(_) => return Err(Refusal::IdempotencyMismatch),
        Err(Refusal::NotFound(_)) => {}
        Err(other) => return Err(other),
    }
    let at_ms = change.now_ms;
    pace.take(at_ms).map_err(|retry_after_ms| Refusal::TooFast { retry_after_ms })?;
    let seq = change.next_seq();
    let version = seq.number();
    sqlx::query("INSERT INTO comment (id, viewer, source, author, text, at_ms, told, version) VALUES (?, '', ?, ?, ?, ?, ?, ?)")
        .bind(&id)
        .bind(&source)
        .bind(&author)
        .bind(&text)
        .bind(at_ms)
        .bind(version)
        .bind(version)
        .execute(change.db())
        .await?;
    let comment = SellerComment { id, version, source, author, text, at_ms, kind: "chat", hidden: false };
    change.tell(seq, "comment", false, &comment).await?;
    Ok((comment, true))
}
