use crate::intents::add_intent;
use crate::open::connect_read_only;
use crate::words::{Word, small};
use crate::{Store, StoreError, bag, connections, timeline};
use sqlx::SqliteConnection;
use stallcast_model::{Action, Currency, Effect, Money, RoomState, ShowId, ShowState};
use std::path::Path;

/// The show that is being prepared or runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowRow {
    /// Its id.
    pub id: ShowId,
    /// Title given by the host.
    pub title: Option<String>,
    /// Where it stands.
    pub state: ShowState,
    /// Asked to go live, ms UTC.
    pub begun_at_ms: Option<i64>,
    /// On air since, ms UTC.
    pub live_since_ms: Option<i64>,
    /// Orders placed since it began.
    pub orders: u32,
    /// Their sum per currency, without cancelled and refunded ones.
    pub turnover: Vec<Money>,
}

/// A show that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedShow {
    /// Its id.
    pub id: ShowId,
    /// Title given by the host.
    pub title: Option<String>,
    /// Asked to go live, ms UTC.
    pub begun_at_ms: Option<i64>,
    /// ms UTC.
    pub ended_at_ms: i64,
    /// What the studio wrote down at its end.
    pub summary: Option<serde_json::Value>,
}

#[derive(sqlx::FromRow)]
pub(crate) struct Open {
    pub(crate) id: String,
    title: Option<String>,
    pub(crate) state: String,
    begun_at_ms: Option<i64>,
    live_since_ms: Option<i64>,
}

/// The show that is not over. There is one from opening on.
pub(crate) async fn open_show(tx: &mut SqliteConnection) -> Result<Open, StoreError> {
    Ok(sqlx::query_as("SELECT id, title, state, begun_at_ms, live_since_ms FROM show WHERE state <> 'ended'").fetch_one(tx).await?)
}

async fn insert(tx: &mut SqliteConnection, now_ms: i64, title: Option<&str>) -> Result<String, StoreError> {
    let id = Store::new_id(now_ms);
    sqlx::query("INSERT INTO show (id, title, state, created_at_ms) VALUES (?, ?, 'ready', ?)")
        .bind(&id)
        .bind(title)
        .bind(now_ms)
        .execute(tx)
        .await?;
    Ok(id)
}

/// Every connection that can be told learns that the room is live or over.
async fn tell_room(tx: &mut SqliteConnection, show: &str, state: RoomState, since_ms: i64, now_ms: i64) -> Result<(), StoreError> {
    let all: Vec<String> =
        sqlx::query_scalar("SELECT id FROM connection WHERE removed_at_ms IS NULL ORDER BY id").fetch_all(&mut *tx).await?;
    for connection in all {
        if connections::is_native(tx, &connection, Action::GoLive).await? {
            let effect = Effect::GoLive { state, started_at_ms: since_ms, program_epoch_ms: since_ms };
            add_intent(tx, &connection, Some(show), &effect, now_ms).await?;
        }
    }
    Ok(())
}

async fn end(tx: &mut SqliteConnection, show: &Open, now_ms: i64, summary: Option<String>) -> Result<(), StoreError> {
    bag::close_span(tx, &show.id, now_ms, None).await?;
    sqlx::query("UPDATE show SET state = 'ended', ended_at_ms = ?, summary = ? WHERE id = ?")
        .bind(now_ms)
        .bind(summary)
        .bind(&show.id)
        .execute(&mut *tx)
        .await?;
    timeline::note(tx, &show.id, now_ms, "ended", &show.id, serde_json::json!({})).await?;
    if let Some(since) = show.live_since_ms {
        tell_room(tx, &show.id, RoomState::Ended, since, now_ms).await?;
    }
    let next = insert(tx, now_ms, show.title.as_deref()).await?;
    // Numbers go on meaning the same products.
    sqlx::query(
        "INSERT INTO bag_item (show, number, connection, product, stock_of, is_removed, position)
         SELECT ?, number, connection, product,
             (SELECT sum(stock) FROM sku WHERE sku.connection = bag_item.connection AND sku.product = bag_item.product), is_removed, position
         FROM bag_item WHERE show = ?",
    )
    .bind(&next)
    .bind(&show.id)
    .execute(tx)
    .await?;
    Ok(())
}

impl Store {
    pub(crate) async fn ensure_show(&self) -> Result<(), StoreError> {
        let now_ms = self.inner.clock.utc_ms();
        self.write(move |tx| {
            Box::pin(async move {
                let open: bool =
                    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM show WHERE state <> 'ended')").fetch_one(&mut *tx).await?;
                if !open {
                    insert(tx, now_ms, None).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// The show that is being prepared or runs, with the figures of its orders.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn current_show(&self) -> Result<ShowRow, StoreError> {
        let mut tx = self.snapshot().await?;
        let show = open_show(&mut tx).await?;
        let tally: Vec<(String, String, i64, i64)> =
            sqlx::query_as("SELECT status, currency, orders, amount FROM order_tally WHERE show = ? ORDER BY currency")
                .bind(&show.id)
                .fetch_all(&mut *tx)
                .await?;
        let mut turnover: Vec<Money> = Vec::new();
        for (status, currency, orders, amount) in &tally {
            if *orders == 0 || matches!(status.as_str(), "cancelled" | "refunded") {
                continue;
            }
            let money = Money::new(*amount, Currency::from_word(currency)?);
            match turnover.iter_mut().find(|m| m.currency == money.currency) {
                Some(sum) => sum.amount = sum.amount.saturating_add(money.amount),
                None => turnover.push(money),
            }
        }
        Ok(ShowRow {
            state: ShowState::from_word(&show.state)?,
            id: ShowId::new(show.id),
            title: show.title,
            begun_at_ms: show.begun_at_ms,
            live_since_ms: show.live_since_ms,
            orders: small(tally.iter().map(|t| t.2).sum()),
            turnover,
        })
    }

    /// Names the current show.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn set_show_title(&self, title: Option<&str>) -> Result<(), StoreError> {
        let title = title.map(str::to_owned);
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE show SET title = ? WHERE state <> 'ended'").bind(title).execute(tx).await?;
                Ok(())
            })
        })
        .await
    }

    /// Asked to go live. A show that was left running is ended first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn begin_show(&self, now_ms: i64) -> Result<ShowId, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let mut show = open_show(tx).await?;
                if show.state != ShowState::Ready.word() {
                    end(tx, &show, now_ms, None).await?;
                    show = open_show(tx).await?;
                }
                sqlx::query("UPDATE show SET state = 'starting', begun_at_ms = ? WHERE id = ?")
                    .bind(now_ms)
                    .bind(&show.id)
                    .execute(&mut *tx)
                    .await?;
                timeline::note(tx, &show.id, now_ms, "begun", &show.id, serde_json::json!({})).await?;
                Ok(ShowId::new(show.id))
            })
        })
        .await
    }

    /// Viewers can see it since `live_since_ms`. False when that was known or no show began.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn show_live(&self, live_since_ms: i64) -> Result<bool, StoreError> {
        let now_ms = self.inner.clock.utc_ms();
        self.write(move |tx| {
            Box::pin(async move {
                let show = open_show(tx).await?;
                if show.state != ShowState::Starting.word() {
                    return Ok(false);
                }
                sqlx::query("UPDATE show SET state = 'live', live_since_ms = ? WHERE id = ?")
                    .bind(live_since_ms)
                    .bind(&show.id)
                    .execute(&mut *tx)
                    .await?;
                timeline::note(tx, &show.id, live_since_ms, "live", &show.id, serde_json::json!({})).await?;
                tell_room(tx, &show.id, RoomState::Live, live_since_ms, now_ms).await?;
                Ok(true)
            })
        })
        .await
    }

    /// It never came on air: back to preparing it. False when none was starting.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn drop_show(&self) -> Result<bool, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query("UPDATE show SET state = 'ready', begun_at_ms = NULL WHERE state = 'starting'").execute(tx).await?;
                Ok(done.rows_affected() > 0)
            })
        })
        .await
    }

    /// The show is over: its open explanation ends, platforms are told, and the next one is prepared with the same bag.
    /// False when none had begun.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn end_show(&self, now_ms: i64, summary: Option<&serde_json::Value>) -> Result<bool, StoreError> {
        let summary = summary.map(ToString::to_string);
        self.write(move |tx| {
            Box::pin(async move {
                let show = open_show(tx).await?;
                if show.state == ShowState::Ready.word() {
                    return Ok(false);
                }
                end(tx, &show, now_ms, summary).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// The last show that ended, read without the folder's lock from a database that another process may own. `None` without
/// a database, or when none ended.
///
/// # Errors
/// The file is there and cannot be read.
pub async fn last_ended_show(path: &Path) -> Result<Option<EndedShow>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    type Row = (String, Option<String>, Option<i64>, i64, Option<String>);
    let mut conn = connect_read_only(path).await?;
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'show')").fetch_one(&mut conn).await?;
    if !known {
        return Ok(None);
    }
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, title, begun_at_ms, ended_at_ms, summary FROM show WHERE state = 'ended' ORDER BY ended_at_ms DESC, id DESC LIMIT 1",
    )
    .fetch_optional(&mut conn)
    .await?;
    row.map(|(id, title, begun_at_ms, ended_at_ms, summary)| {
        let summary = summary.map(|s| serde_json::from_str(&s)).transpose().map_err(|e| StoreError::broken("summary", e))?;
        Ok(EndedShow { id: ShowId::new(id), title, begun_at_ms, ended_at_ms, summary })
    })
    .transpose()
}
