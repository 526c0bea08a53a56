//! Comments: stored once, found, paged, hidden, gone with their bytes.

use crate::test_store::{local, native, open, page};
use crate::{CommentRow, CommentSearch, Connection, IntentState, ReadBack, Resource, Store, StoreError};
use stallcast_model::{Action, Capability, Comment, CommentId, CommentKind, ConnectionId, Effect, UnreadRow};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn comment(id: &str, version: i64, at_ms: i64, text: &str) -> Comment {
    Comment::told(CommentId::new(id), "云朵朵", text, at_ms, CommentKind::Chat, version).expect("fit")
}

async fn found(store: &Store, text: &str) -> Vec<CommentRow> {
    store.search_comments(CommentSearch { text: text.to_owned(), before: None, limit: 50 }).await.expect("search").rows
}

fn ids(rows: &[CommentRow]) -> Vec<&str> {
    rows.iter().map(|row| row.comment.id.as_str()).collect()
}

#[tokio::test]
async fn a_comment_that_a_tool_brought_keeps_its_source() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let brought = |source: &str, version| Comment { source: source.to_owned(), ..comment("a", version, 1_000, "在吗") };
    store.apply_comments(&local(), None, page(vec![brought("抖音", 1)], "1", false, 50), 100).await.expect("page");
    let source = || async { store.comment(&local(), &CommentId::new("a")).await.expect("read").expect("there").comment.source };
    assert_eq!(source().await, "抖音");
    let again = store.apply_comments(&local(), Some("1"), page(vec![brought("抖音", 1)], "2", false, 60), 110).await.expect("page");
    assert!(again.changes.is_empty(), "a repeat is no change");
    let other = store.apply_comments(&local(), Some("2"), page(vec![brought("快手", 1)], "3", false, 70), 120).await.expect("page");
    assert_eq!((other.changes.len(), source().await.as_str()), (1, "快手"));
    store.close().await;
}

#[tokio::test]
async fn each_comment_is_stored_once_at_its_highest_version_with_its_cursor() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let rows = vec![comment("a", 1, 1_000, "在吗"), comment("b", 2, 1_000, "好看"), comment("a", 1, 1_000, "在吗")];
    let step = store.apply_comments(&local(), None, page(rows, "2", true, 2_000), 5_000).await.expect("page");
    assert_eq!(step.changes.iter().map(|c| (c.id.as_str(), c.is_new)).collect::<Vec<_>>(), [("a", true), ("b", true)]);
    assert_eq!(step.seal.complete_up_to_ms, None, "there is more");
    // Hidden meanwhile, then the old version once more, and a repeat of the other.
    let hidden = Comment { is_hidden: true, ..comment("a", 4, 1_000, "在吗") };
    let rows = vec![hidden, comment("a", 1, 1_000, "在吗"), comment("b", 2, 1_000, "好看"), comment("c", 3, 900, "早就写了")];
    let step = store.apply_comments(&local(), Some("2"), page(rows, "4", false, 3_000), 6_000).await.expect("page");
    assert_eq!(
        step.changes.iter().map(|c| (c.id.as_str(), c.is_new, c.is_hidden)).collect::<Vec<_>>(),
        [("a", false, true), ("c", true, false)]
    );
    assert_eq!((step.seal.cursor.as_deref(), step.seal.complete_up_to_ms), (Some("4"), Some(3_000)));
    let rows = found(&store, "").await;
    assert_eq!(ids(&rows), ["b", "a", "c"], "newest first; within a millisecond as they came");
    assert_eq!((rows[1].comment.is_hidden, rows[1].comment.is_question, rows[0].comment.is_question), (true, true, false));
    assert_eq!((rows[0].comment.author.as_str(), rows[0].connection_name.as_str()), ("云**", "半山茶器"));
    assert_eq!(store.comment_counts().await.expect("counts").0, 3);
    // A platform may hide one without a new version.
    let unstamped = Comment { is_hidden: true, ..comment("b", 2, 1_000, "好看") };
    let step = store.apply_comments(&local(), Some("4"), page(vec![unstamped], "5", false, 3_500), 6_500).await.expect("page");
    assert_eq!(step.changes.iter().map(|c| (c.id.as_str(), c.is_hidden)).collect::<Vec<_>>(), [("b", true)]);
    // A page that does not continue what is stored changes nothing.
    let late = store.apply_comments(&local(), Some("2"), page(vec![comment("d", 9, 1, "x")], "9", false, 9_000), 7_000).await;
    assert!(matches!(late, Err(StoreError::CursorMoved)), "{late:?}");
    assert_eq!(found(&store, "").await.len(), 3);
    // The other feeds know nothing of it.
    assert_eq!(store.seal(&local(), Resource::Orders).await.expect("seal"), None);
    store.close().await;
}

#[tokio::test]
async fn a_comment_that_cannot_be_read_keeps_the_seal_and_a_feed_that_begins_anew_brings_nothing_twice() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let bad = UnreadRow { id: "x".to_owned(), version: 2, reason: "text".to_owned(), raw_json: "{}".to_owned() };
    let mut first = page(vec![comment("a", 1, 1_000, "一"), comment("b", 3, 1_001, "二")], "3", false, 2_000);
    first.unread.push(bad);
    let step = store.apply_comments(&local(), None, first, 5_000).await.expect("page");
    assert_eq!((step.unread, step.seal.complete_up_to_ms), (1, None), "not complete");
    let step = store.apply_comments(&local(), Some("3"), page(vec![comment("x", 4, 1_002, "三")], "4", false, 3_000), 6_000).await;
    assert_eq!(step.expect("page").seal.complete_up_to_ms, Some(3_000), "it could be read after all");
    let mut anew = page(vec![comment("a", 1, 1_000, "一")], "1", false, 4_000);
    anew.feed = Some("feed 2".to_owned());
    let step = store.apply_comments(&local(), Some("4"), anew.clone(), 7_000).await.expect("page");
    assert!(step.restarted && step.changes.is_empty());
    let step = store.apply_comments(&local(), None, anew, 8_000).await.expect("page");
    assert_eq!((step.changes.len(), step.changes[0].is_new), (1, false));
    assert_eq!(ids(&found(&store, "").await), ["x", "b", "a"]);
    store.close().await;
}

#[tokio::test]
async fn comments_are_found_in_chinese_by_name_and_page_by_page() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let texts = ["盖碗烫手吗", "1 号还有吗？多少钱", "青瓷 瓷盖", "HELLO Kettle", "SELECT * FROM comment; -- 100%", "新青瓷盖碗"];
    let rows: Vec<_> = (1..).zip(texts).map(|(n, text)| comment(&format!("c-{n}"), n, n, text)).collect();
    store.apply_comments(&local(), None, page(rows, "6", false, 1), 5_000).await.expect("page");
    for (text, expected) in [
        ("盖碗", vec!["c-6", "c-1"]),
        ("烫", vec!["c-1"]),
        ("青瓷盖", vec!["c-6"]),
        ("多少 1", vec!["c-2"]),
        ("kett", vec!["c-4"]),
        ("ＨＥＬＬＯ", vec!["c-4"]),
        ("100%", vec!["c-5"]),
        ("%", vec![]),
        ("建盏", vec![]),
        ("云**", vec!["c-6", "c-5", "c-4", "c-3", "c-2", "c-1"]),
        ("云朵朵", vec![]),
    ] {
        assert_eq!(ids(&found(&store, text).await), expected, "{text}");
    }
    let more: Vec<_> = (7..=260).map(|n| comment(&format!("c-{n}"), n, n / 4, "好看好看")).collect();
    store.apply_comments(&local(), Some("6"), page(more, "260", false, 2), 6_000).await.expect("page");
    for (text, total) in [("", 260), ("好看", 254)] {
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let got = store.search_comments(CommentSearch { text: text.to_owned(), before, limit: 60 }).await.expect("page");
            seen.extend(got.rows.iter().map(|row| row.key));
            before = got.next;
            if before.is_none() {
                break;
            }
            assert_eq!(got.rows.len(), 60);
        }
        assert!(seen.len() == total && seen.is_sorted_by(|a, b| a > b), "{text}: {}", seen.len());
    }
    store.close().await;
}

#[tokio::test]
async fn a_comment_belongs_to_the_show_it_was_written_in() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    store.begin_show(1_000).await.expect("begins");
    let show = store.current_show().await.expect("show").id;
    let rows = vec![comment("before", 1, 900, "早"), comment("in", 2, 1_500, "在")];
    store.apply_comments(&local(), None, page(rows, "2", false, 1), 2_000).await.expect("page");
    let rows = found(&store, "").await;
    assert_eq!(rows.iter().map(|r| r.show.as_ref()).collect::<Vec<_>>(), [Some(&show), None]);
    assert_eq!(store.comment_counts().await.expect("counts"), (2, 1));
    store.close().await;
}

#[tokio::test]
async fn hiding_is_one_intent_however_often_it_is_pressed_and_counts_once_it_was_read_back() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let id = CommentId::new("a");
    store.apply_comments(&local(), None, page(vec![comment("a", 1, 1_000, "骂人")], "1", false, 1), 2_000).await.expect("page");
    assert_eq!(store.request_hide(&local(), &CommentId::new("none"), 3_000).await.expect("asked"), None);
    let intent = store.request_hide(&local(), &id, 3_000).await.expect("asked").expect("there");
    assert_eq!(store.request_hide(&local(), &id, 3_001).await.expect("again"), Some(intent.clone()));
    let row = store.comment(&local(), &id).await.expect("read").expect("there");
    assert!(!row.comment.is_hidden && row.hide.is_some_and(|i| i.id == intent && i.state == IntentState::Sending));
    let leased = store.lease_intent(&local(), Duration::from_secs(30)).await.expect("lease").expect("due");
    assert_eq!(leased.intent.effect, Effect::HideComment { comment: id.clone() });
    let read = Comment { is_hidden: true, ..comment("a", 2, 1_000, "骂人") };
    store.intent_confirmed(&intent, ReadBack::Comment(read)).await.expect("stored").expect("ours");
    let row = store.comment(&local(), &id).await.expect("read").expect("there");
    assert!(row.comment.is_hidden && matches!(row.hide.map(|i| i.state), Some(IntentState::Confirmed { .. })));
    let again = store.request_hide(&local(), &id, 4_000).await;
    assert!(matches!(&again, Err(StoreError::WrongState { state }) if state == "hidden"), "{again:?}");

    // A shop that has no call for it.
    let far = ConnectionId::new("far");
    let mut capabilities = native();
    capabilities.hide_comment = Capability::Unavailable { reason: "no_call".to_owned() };
    assert_ne!(*capabilities.of(Action::HideComment), Capability::Native);
    let connection = Connection { id: far.clone(), kind: "far".to_owned(), name: "远".to_owned(), capabilities, currency: None };
    store.put_connection(&connection).await.expect("connection");
    store.apply_comments(&far, None, page(vec![comment("b", 1, 1_000, "远方")], "1", false, 1), 2_000).await.expect("page");
    let refused = store.request_hide(&far, &CommentId::new("b"), 5_000).await;
    assert!(matches!(&refused, Err(StoreError::WrongState { state }) if state == "unavailable"), "{refused:?}");
    // Two shops may give the same id: each comment is its own shop's.
    assert_eq!(store.comment(&far, &id).await.expect("read"), None);
    store.apply_comments(&far, Some("1"), page(vec![comment("a", 1, 1_000, "你好")], "2", false, 1), 2_000).await.expect("page");
    let refused = store.request_hide(&far, &id, 5_000).await;
    assert!(matches!(&refused, Err(StoreError::WrongState { state }) if state == "unavailable"), "{refused:?}");
    assert_eq!(
        store.comment(&far, &id).await.expect("read").map(|r| (r.comment.text, r.comment.is_hidden)),
        Some(("你好".to_owned(), false))
    );
    assert!(store.comment(&local(), &id).await.expect("read").expect("there").comment.is_hidden);
    store.close().await;
}

/// Files under `folder` that hold `needle`.
fn holding(folder: &Path, needle: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(holding(&path, needle));
        } else if std::fs::read(&path).expect("file").windows(needle.len()).any(|w| w == needle.as_bytes()) {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn purged_comments_are_in_no_file_and_do_not_come_back() {
    let dir = tempfile::tempdir().expect("dir");
    let (path, folder) = (dir.path().join("stallcast.db"), dir.path().join("backups"));
    std::fs::create_dir(&folder).expect("folder");
    let store = open(&dir).await;
    let mut rows: Vec<_> = (1..=600).map(|n| comment(&format!("c-{n}"), n, 1_000 + n, "很普通的话")).collect();
    // Two characters that stand nowhere else, alone and as a pair.
    rows.insert(300, comment("rare", 601, 1_300, "说了龘靐的事"));
    rows.push(comment("new", 602, 90_000, "很普通的话"));
    store.apply_comments(&local(), None, page(rows.clone(), "602", false, 1), 2_000).await.expect("page");
    store.back_up(&folder, 1).await.expect("copy");
    assert!(holding(dir.path(), "龘靐").len() >= 2, "the search can find it");
    assert_eq!(found(&store, "龘靐").await.len(), 1);

    assert_eq!(store.purge_comments(50_000).await.expect("purge"), 601);
    store.sweep(&path, &folder, i64::MAX, 3).await.expect("sweep");
    assert_eq!(holding(dir.path(), "龘"), Vec::<PathBuf>::new(), "neither the text nor its tokens");
    assert_eq!(found(&store, "龘靐").await.len(), 0);
    assert_eq!(ids(&found(&store, "普通").await), ["new"]);
    assert_eq!(store.comment_counts().await.expect("counts").0, 1);
    assert_eq!(store.purge_comments(50_000).await.expect("again"), 0);
    // The platform began anew and tells everything again.
    let mut anew = page(rows, "602", false, 4_000);
    anew.feed = Some("feed 2".to_owned());
    store.apply_comments(&local(), Some("602"), anew.clone(), 7_000).await.expect("page");
    store.apply_comments(&local(), None, anew, 8_000).await.expect("page");
    assert_eq!(ids(&found(&store, "").await), ["new"]);
    store.close().await;
}
