//! The order of the bag, and what is in it. Numbers are frozen: a row is only ever added, moved, or marked as removed.

use crate::shows::open_show;
use crate::text::Query;
use crate::words::small;
use crate::{Store, StoreError, bag, products, timeline};
use sqlx::SqliteConnection;
use stallcast_model::{ConnectionId, Product, ProductId};

/// Most products in a bag: what the platforms with the smallest bags take.
pub(crate) const BAG_MOST: i64 = 100;

/// A product of a shop that is not in the bag.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Whose product it is.
    pub connection: ConnectionId,
    /// As confirmed.
    pub product: Product,
    /// The number it had and gets again; `None` if it was never in this bag.
    pub number: Option<u32>,
}

/// Products that can be put into the bag.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Candidates {
    /// The first of them.
    pub rows: Vec<Candidate>,
    /// There are more: another word finds them.
    pub more: bool,
}

/// Numbers of the bag in the order of the queue.
async fn queue(tx: &mut SqliteConnection, show: &str) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar("SELECT number FROM bag_item WHERE show = ? AND is_removed = 0 ORDER BY position, number")
        .bind(show)
        .fetch_all(tx)
        .await?)
}

pub(crate) async fn is_full(tx: &mut SqliteConnection, show: &str) -> Result<bool, StoreError> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM bag_item WHERE show = ? AND is_removed = 0").bind(show).fetch_one(tx).await?;
    Ok(count >= BAG_MOST)
}

/// Where a new number stands: before the first that is higher, else at the end. Makes room there.
pub(crate) async fn place_for(tx: &mut SqliteConnection, show: &str, number: i64) -> Result<i64, StoreError> {
    let before: Option<i64> = sqlx::query_scalar("SELECT min(position) FROM bag_item WHERE show = ? AND is_removed = 0 AND number > ?")
        .bind(show)
        .bind(number)
        .fetch_one(&mut *tx)
        .await?;
    let Some(place) = before else { return end_of(tx, show).await };
    sqlx::query("UPDATE bag_item SET position = position + 1 WHERE show = ? AND position >= ?").bind(show).bind(place).execute(tx).await?;
    Ok(place)
}

async fn end_of(tx: &mut SqliteConnection, show: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT coalesce(max(position), 0) + 1 FROM bag_item WHERE show = ?").bind(show).fetch_one(tx).await?)
}

impl Store {
    /// Puts a product at the end of the queue: under its number if it was in this bag before, else under a new one that
    /// nothing ever had. In the bag already, it stays where it is. Its number; `None` for a product that no shop told of.
    ///
    /// # Errors
    /// [`StoreError::WrongState`] (`bag_full`).
    pub async fn add_to_bag(&self, connection: &ConnectionId, product: &ProductId, now_ms: i64) -> Result<Option<u32>, StoreError> {
        let (connection, product) = (connection.as_str().to_owned(), product.as_str().to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let show = open_show(tx).await?.id;
                let known: Option<(i64, bool)> =
                    sqlx::query_as("SELECT number, is_removed FROM bag_item WHERE show = ? AND connection = ? AND product = ?")
                        .bind(&show)
                        .bind(&connection)
                        .bind(&product)
                        .fetch_optional(&mut *tx)
                        .await?;
                if let Some((number, false)) = known {
                    return Ok(Some(small(number)));
                }
                let there: bool = sqlx::query_scalar(
                    "SELECT EXISTS (SELECT 1 FROM product AS p JOIN connection AS c ON c.id = p.connection AND c.removed_at_ms IS NULL
                     WHERE p.connection = ? AND p.id = ?)",
                )
                .bind(&connection)
                .bind(&product)
                .fetch_one(&mut *tx)
                .await?;
                if !there {
                    return Ok(None);
                }
                if is_full(tx, &show).await? {
                    return Err(StoreError::wrong_state("bag_full"));
                }
                let position = end_of(tx, &show).await?;
                let number = match known {
                    Some((number, _)) => {
                        sqlx::query("UPDATE bag_item SET is_removed = 0, position = ? WHERE show = ? AND number = ?")
                            .bind(position)
                            .bind(&show)
                            .bind(number)
                            .execute(&mut *tx)
                            .await?;
                        number
                    }
                    None => {
                        let number = bag::free_number(tx, &show, None).await?;
                        bag::insert_item(tx, &show, number, &connection, &product, position).await?;
                        number
                    }
                };
                timeline::note(tx, &show, now_ms, "bag_added", &number.to_string(), serde_json::json!({ "product": product })).await?;
                Ok(Some(small(number)))
            })
        })
        .await
    }

    /// Takes a number out of the bag; it stays its product's and is never given to another. An explanation of it ends, and
    /// what failed with it needs nobody any more. False for a number that is not in the bag.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn remove_from_bag(&self, number: u32, now_ms: i64, program_ms: Option<i64>) -> Result<bool, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let show = open_show(tx).await?.id;
                if bag::explained(tx, &show).await? == Some(i64::from(number)) {
                    bag::close_span(tx, &show, now_ms, program_ms).await?;
                }
                let done = sqlx::query("UPDATE bag_item SET is_removed = 1 WHERE show = ? AND number = ? AND is_removed = 0")
                    .bind(&show)
                    .bind(i64::from(number))
                    .execute(&mut *tx)
                    .await?;
                if done.rows_affected() == 0 {
                    return Ok(false);
                }
                sqlx::query(
                    "UPDATE outbox SET state = 'discarded', changed_at_ms = ?1 WHERE show = ?2 AND state = 'dead'
                     AND ((lane = 'pin' AND target = ?3) OR id IN (SELECT intent FROM offer_change WHERE show = ?2 AND number = ?4))",
                )
                .bind(now_ms)
                .bind(&show)
                .bind(number.to_string())
                .bind(i64::from(number))
                .execute(&mut *tx)
                .await?;
                timeline::note(tx, &show, now_ms, "bag_removed", &number.to_string(), serde_json::json!({})).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Moves a number `by` places in the queue, towards its end if positive, at most to either end. False for a number that
    /// is not in the bag.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn move_in_bag(&self, number: u32, by: i32, now_ms: i64) -> Result<bool, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let show = open_show(tx).await?.id;
                let mut numbers = queue(tx, &show).await?;
                let Some(from) = numbers.iter().position(|n| *n == i64::from(number)) else { return Ok(false) };
                let to = from.saturating_add_signed(isize::try_from(by).unwrap_or(0)).min(numbers.len() - 1);
                if from == to {
                    return Ok(true);
                }
                let moved = numbers.remove(from);
                numbers.insert(to, moved);
                for (position, number) in (1_i64..).zip(&numbers) {
                    sqlx::query("UPDATE bag_item SET position = ?1 WHERE show = ?2 AND number = ?3 AND position <> ?1")
                        .bind(position)
                        .bind(&show)
                        .bind(number)
                        .execute(&mut *tx)
                        .await?;
                }
                timeline::note(tx, &show, now_ms, "bag_moved", &number.to_string(), serde_json::json!({ "place": to + 1 })).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Products of all shops that are not in the bag, at most `limit`: those that had the number `text` or have all its
    /// words in their title or variants; for an empty text first those with a number, then by title.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn bag_candidates(&self, text: &str, limit: u32) -> Result<Candidates, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut tx = self.snapshot().await?;
        let show = open_show(&mut tx).await?.id;
        let bag: Vec<(String, String, i64, bool)> =
            sqlx::query_as("SELECT connection, product, number, is_removed FROM bag_item WHERE show = ? ORDER BY number")
                .bind(&show)
                .fetch_all(&mut *tx)
                .await?;
        let had = |connection: &str, product: &str| bag.iter().find(|(c, p, ..)| c == connection && p == product);
        let removed: Vec<String> =
            sqlx::query_scalar("SELECT id FROM connection WHERE removed_at_ms IS NOT NULL").fetch_all(&mut *tx).await?;
        let query = Query::new(text);
        let mut found: Vec<(String, Product)> = Vec::new();
        for (connection, product, number, _) in bag.iter().filter(|(shop, .., is_removed)| *is_removed && !removed.contains(shop)) {
            let asked = query.is_empty() || matches!(query.words(), [word] if *word == number.to_string());
            if asked && let Some((_, product)) = products::one(&mut tx, connection, product).await? {
                found.push((connection.clone(), product));
            }
        }
        if query.is_empty() {
            let others: Vec<(String, String)> = sqlx::query_as(
                "SELECT connection, id FROM product AS p
                 WHERE NOT EXISTS (SELECT 1 FROM bag_item AS b WHERE b.show = ? AND b.connection = p.connection AND b.product = p.id)
                     AND connection NOT IN (SELECT id FROM connection WHERE removed_at_ms IS NOT NULL)
                 ORDER BY title, id LIMIT ?",
            )
            .bind(&show)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)
            .fetch_all(&mut *tx)
            .await?;
            for (connection, id) in others {
                found.extend(products::one(&mut tx, &connection, &id).await?.map(|(_, product)| (connection, product)));
            }
        } else {
            let by_number: Vec<(String, String)> = found.iter().map(|(c, p)| (c.clone(), p.id.as_str().to_owned())).collect();
            let wanted = |connection: &str, product: &str| {
                !removed.iter().any(|shop| shop == connection)
                    && had(connection, product).is_none_or(|(.., is_removed)| *is_removed)
                    && !by_number.iter().any(|(c, p)| c == connection && p == product)
            };
            found.extend(products::search(&mut tx, &query, wanted, limit.saturating_add(1)).await?);
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let rows = found.into_iter().map(|(connection, product)| Candidate {
            number: had(&connection, product.id.as_str()).map(|(_, _, number, _)| small(*number)),
            connection: ConnectionId::new(connection),
            product,
        });
        Ok(Candidates { rows: rows.collect(), more })
    }
}
