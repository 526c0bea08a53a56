use crate::test_store::{local, open, open_with_bag, options, page, product};
use crate::{IntentState, Store};
use proptest::prelude::*;
use stallcast_model::ProductId;
use std::collections::BTreeMap;
use std::time::Duration;

async fn numbers(store: &Store) -> Vec<u32> {
    store.bag().await.expect("bag").iter().map(|row| row.item.number).collect()
}

#[tokio::test]
async fn a_removed_number_comes_back_with_its_product_and_with_no_other() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let show = store.begin_show(2_000).await.expect("begin");
    store.pin(2, 3_000, Some(1_000)).await.expect("pin").expect("there");
    assert!(store.remove_from_bag(2, 4_000, Some(2_000)).await.expect("remove"));
    assert!(!store.remove_from_bag(2, 4_001, None).await.expect("remove"), "it is gone already");
    assert!(!store.remove_from_bag(9, 4_001, None).await.expect("remove"), "there never was one");
    assert_eq!(numbers(&store).await, [1, 3]);
    assert!(store.pin(2, 4_500, None).await.expect("pin").is_none(), "nobody can explain what is not in the bag");
    let spans = store.spans(&show).await.expect("spans");
    assert_eq!(
        (spans.len(), spans[0].to_ms, spans[0].to_program_ms),
        (1, Some(4_000), Some(2_000)),
        "what was explained stays in the record"
    );

    // The shop goes on telling of it, and of a new product that wants its number.
    let mut wants = product(4, 11, 5);
    wants.number = Some(2);
    let rows = vec![product(2, 10, 7), wants];
    store.apply_products(&local(), Some("3"), page(rows, "11", false, 5_000), 5_000).await.expect("page");
    let bag = store.bag().await.expect("bag");
    let now: Vec<_> = bag.iter().map(|row| (row.item.number, row.product.id.as_str())).collect();
    assert_eq!(now, [(1, "p-1"), (3, "p-3"), (4, "p-4")]);

    let outside = store.bag_candidates("", 50).await.expect("list").rows;
    assert_eq!(outside.iter().map(|c| (c.number, c.product.id.as_str())).collect::<Vec<_>>(), [(Some(2), "p-2")]);
    let back = ProductId::new("p-2");
    assert_eq!(store.add_to_bag(&local(), &back, 6_000).await.expect("add"), Some(2));
    assert_eq!(store.add_to_bag(&local(), &back, 6_001).await.expect("add"), Some(2), "twice is once");
    assert_eq!(store.add_to_bag(&local(), &ProductId::new("p-99"), 6_002).await.expect("add"), None);
    assert_eq!(numbers(&store).await, [1, 3, 4, 2], "at the end of the queue");
    assert!(store.move_in_bag(2, -2, 7_000).await.expect("move") && !store.move_in_bag(8, 1, 7_000).await.expect("move"));
    assert_eq!(numbers(&store).await, [1, 2, 3, 4]);
    assert!(store.move_in_bag(1, i32::MAX, 7_001).await.expect("move"));
    assert!(store.move_in_bag(4, i32::MIN, 7_002).await.expect("move"));
    assert_eq!(numbers(&store).await, [4, 2, 3, 1]);
    let kinds: Vec<_> = store.timeline(&show).await.expect("timeline").into_iter().map(|t| t.kind).collect();
    assert_eq!(kinds, ["begun", "pin", "unpin", "bag_removed", "bag_added", "bag_moved", "bag_moved", "bag_moved"]);

    // The next show has the same queue.
    assert!(store.end_show(8_000, None).await.expect("end"));
    assert_eq!(numbers(&store).await, [4, 2, 3, 1]);
}

#[tokio::test]
async fn no_statement_gives_a_number_to_another_product() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    for statement in [
        "UPDATE bag_item SET product = 'p-1' WHERE number = 3",
        "UPDATE bag_item SET number = 9 WHERE number = 3",
        "UPDATE bag_item SET number = number + 1",
        "DELETE FROM bag_item WHERE number = 3",
    ] {
        assert!(sqlx::query(statement).execute(store.writer()).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn what_failed_with_a_removed_product_needs_nobody() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let id = store.pin(2, 3_000, None).await.expect("pin").expect("there").intent.expect("native");
    store.lease_intent(&local(), Duration::from_secs(9)).await.expect("lease").expect("due");
    store.intent_failed(&id, "refused").await.expect("failed");
    store.unpin(3_500, None).await.expect("unpin");
    // The un-pin replaced it; another one fails and its product leaves while nothing is explained.
    let unpin = store.lease_intent(&local(), Duration::from_secs(9)).await.expect("lease").expect("due").intent.id;
    store.intent_failed(&unpin, "refused").await.expect("failed");
    assert_eq!(store.failed_intents().await.expect("list").len(), 1);
    assert!(store.remove_from_bag(2, 4_000, None).await.expect("remove"));
    assert!(store.failed_intents().await.expect("list").is_empty());
    assert_eq!(store.intent(&unpin).await.expect("read").expect("row").state, IntentState::Discarded);
}

#[tokio::test]
async fn a_bag_has_an_end_and_the_rest_of_the_shop_waits_outside() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let rows = (1..=103).rev().map(|n| product(n, i64::from(200 - n), 5)).collect();
    store.apply_products(&local(), None, page(rows, "200", false, 1), 1).await.expect("page");
    let bag = numbers(&store).await;
    assert_eq!(bag, (4..=103).collect::<Vec<_>>(), "by number, in whatever order they were told");
    let outside = store.bag_candidates("", 50).await.expect("list").rows;
    assert_eq!(outside.len(), 3);
    let ids = |text: &'static str, limit| {
        let store = store.clone();
        async move {
            let found = store.bag_candidates(text, limit).await.expect("list");
            (found.rows.iter().map(|c| (c.number, c.product.id.as_str().to_owned())).collect::<Vec<_>>(), found.more)
        }
    };
    let never = |id: &str| (None, id.to_owned());
    assert_eq!(ids("", 2).await, (vec![never("p-1"), never("p-2")], true), "by title, and there is one more");
    assert_eq!(ids("盖碗 3", 50).await, (vec![never("p-3")], false), "30 to 39 are in the bag");
    assert_eq!(ids("盖碗 30", 50).await, (vec![], false));
    assert_eq!(ids("碗", 2).await, (vec![never("p-1"), never("p-2")], true), "the newest are first");
    let first = &outside[0].product.id;
    assert_eq!(store.add_to_bag(&local(), first, 2).await.expect_err("full").state(), Some("bag_full"));
    // A change of its stock is no reason to come in by itself once there is room.
    assert!(store.remove_from_bag(50, 3, None).await.expect("remove"));
    let fifty = (Some(50), "p-50".to_owned());
    assert_eq!(ids("50", 50).await, (vec![fifty.clone()], false), "by the number it had, and once");
    assert_eq!(ids("盖碗 50", 50).await, (vec![fifty], false));
    store.apply_products(&local(), Some("200"), page(vec![product(1, 300, 4)], "300", false, 4), 4).await.expect("page");
    assert_eq!(numbers(&store).await.len(), 99);
    assert_eq!(store.add_to_bag(&local(), first, 5).await.expect("room"), Some(104));
}

#[tokio::test]
async fn an_explanation_whose_picture_died_ends_where_it_was_last_seen() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let show = store.begin_show(2_000).await.expect("begin");
    store.show_live(2_000).await.expect("live");
    store.pin(1, 3_000, Some(1_000)).await.expect("pin");
    store.span_seen(8_000, Some(6_000)).await.expect("seen");
    // Killed; looked at again hours later.
    std::mem::forget(store);
    let store = Store::open(options(&dir)).await.expect("open");
    let lost = store.close_lost_span(90_000_000).await.expect("close").expect("open span");
    assert_eq!((lost.number, lost.to_ms, lost.to_program_ms), (1, Some(8_000), Some(6_000)));
    assert_eq!(store.close_lost_span(90_000_001).await.expect("close"), None);
    assert_eq!(store.bag().await.expect("bag")[0].item.explained_ms, 5_000, "not the hours in which nobody saw it");
    let last = store.timeline(&show).await.expect("timeline").pop().expect("row");
    assert_eq!((last.kind.as_str(), last.at_ms, last.detail["lost"].as_bool()), ("unpin", 8_000, Some(true)));
    let told = store.lease_intent(&local(), Duration::from_secs(9)).await.expect("lease").expect("live").intent;
    assert_eq!(told.effect.word(), "live");
    let told = store.lease_intent(&local(), Duration::from_secs(9)).await.expect("lease").expect("due").intent;
    assert_eq!(told.effect.word(), "unpin", "the platform lets go as well");

    // Killed before it was seen once: it has no length, and certainly not a negative one.
    store.pin(2, 91_000_000, None).await.expect("pin");
    store.span_seen(1, None).await.expect("a clock set back");
    assert_eq!(store.close_lost_span(95_000_000).await.expect("close").expect("span").to_ms, Some(91_000_000));
}

#[derive(Debug, Clone)]
enum Step {
    Add(u8),
    Remove(u8),
    Move(u8, i8),
    Pin(u8),
    Unpin,
    /// The shop tells of a product that wants this number.
    Told(u8, u8),
    /// The process dies and begins again.
    Reopen,
    /// The show ends and the next one is prepared.
    NextShow,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..8).prop_map(Step::Add),
        4 => (0_u8..7).prop_map(Step::Remove),
        5 => (0_u8..7, -6_i8..6).prop_map(|(n, by)| Step::Move(n, by)),
        4 => (0_u8..7).prop_map(Step::Pin),
        1 => Just(Step::Unpin),
        3 => (0_u8..8, 0_u8..7).prop_map(|(p, n)| Step::Told(p, n)),
        1 => Just(Step::Reopen),
        1 => Just(Step::NextShow),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done to the bag, a number that was said once means its product for ever, and the queue is what the host made it.
    #[test]
    fn numbers_are_frozen(steps in proptest::collection::vec(step(), 8..48)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(frozen_through(steps));
    }
}

async fn frozen_through(steps: Vec<Step>) {
    let dir = tempfile::tempdir().expect("dir");
    let mut store = open_with_bag(&dir).await;
    let mut version = 100;
    let mut now = 2_000;
    // The model: what every number means, and the queue.
    let mut means: BTreeMap<u32, String> = (1..=3).map(|n| (n, format!("p-{n}"))).collect();
    let mut queue: Vec<u32> = vec![1, 2, 3];
    let mut explained: Option<u32> = None;
    for step in steps {
        now += 1_000;
        match step {
            Step::Add(p) => {
                let id = format!("p-{p}");
                let number = store.add_to_bag(&local(), &ProductId::new(&id), now).await.expect("add");
                assert_eq!(number.is_some(), means.values().any(|m| *m == id), "only what a shop told of");
                if let Some(number) = number {
                    assert_eq!(means[&number], id);
                    if !queue.contains(&number) {
                        queue.push(number);
                    }
                }
            }
            Step::Remove(n) => {
                let number = u32::from(n);
                let removed = store.remove_from_bag(number, now, None).await.expect("remove");
                assert_eq!(removed, queue.contains(&number));
                queue.retain(|q| *q != number);
                explained = explained.filter(|e| *e != number);
            }
            Step::Move(n, by) => {
                let number = u32::from(n);
                let moved = store.move_in_bag(number, i32::from(by), now).await.expect("move");
                let at = queue.iter().position(|q| *q == number);
                assert_eq!(moved, at.is_some());
                if let Some(at) = at {
                    let to = at.saturating_add_signed(isize::from(by)).min(queue.len() - 1);
                    queue.remove(at);
                    queue.insert(to, number);
                }
            }
            Step::Pin(n) => {
                let number = u32::from(n);
                let pinned = store.pin(number, now, None).await.expect("pin");
                assert_eq!(pinned.as_ref().map(|p| p.product.as_str()), queue.contains(&number).then(|| means[&number].as_str()));
                if pinned.is_some() {
                    explained = Some(number);
                }
            }
            Step::Unpin => {
                store.unpin(now, None).await.expect("unpin");
                explained = None;
            }
            Step::Told(p, wanted) => {
                version += 1;
                let mut received = product(u32::from(p), version, 5);
                received.number = Some(u32::from(wanted));
                let cursor = store.seal(&local(), crate::Resource::Products).await.expect("seal").and_then(|s| s.cursor);
                let told = page(vec![received], &version.to_string(), false, now);
                store.apply_products(&local(), cursor.as_deref(), told, now).await.expect("page");
                let id = format!("p-{p}");
                if !means.values().any(|m| *m == id) {
                    let last = means.keys().last().copied().unwrap_or(0);
                    let number = if wanted > 0 && !means.contains_key(&u32::from(wanted)) { u32::from(wanted) } else { last + 1 };
                    means.insert(number, id);
                    let at = queue.iter().position(|q| *q > number).unwrap_or(queue.len());
                    queue.insert(at, number);
                }
            }
            Step::Reopen => {
                std::mem::forget(store);
                store = Store::open(options(&dir)).await.expect("open");
            }
            Step::NextShow => {
                store.begin_show(now).await.expect("begin");
                assert!(store.end_show(now, None).await.expect("end"));
                explained = None;
            }
        }
        let bag = store.bag().await.expect("bag");
        assert_eq!(bag.iter().map(|row| row.item.number).collect::<Vec<_>>(), queue);
        for row in &bag {
            assert_eq!(means[&row.item.number], row.product.id.as_str(), "number {}", row.item.number);
        }
        let open: Vec<u32> = bag.iter().filter(|row| row.item.explaining_since_ms.is_some()).map(|row| row.item.number).collect();
        assert_eq!(open, explained.into_iter().collect::<Vec<_>>());
        let kept: Vec<(i64, String)> = sqlx::query_as(
            "SELECT number, product FROM bag_item WHERE show = (SELECT id FROM show WHERE state <> 'ended') ORDER BY number",
        )
        .fetch_all(store.writer())
        .await
        .expect("rows");
        assert_eq!(kept, means.iter().map(|(n, p)| (i64::from(*n), p.clone())).collect::<Vec<_>>());
    }
    store.close().await;
}
