//! Who receives an order: sealed, found again by a whole name or phone number, and gone when purged.

use crate::text::fold;
use crate::words::Word;
use crate::{Sealer, Store, StoreError};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use stallcast_model::{AfterSale, ConnectionId, Contact, Order, OrderId, OrderStatus};
use std::collections::HashMap;

/// Shortest phone number that is worth a mark, digits.
const PHONE_LEAST: usize = 5;
/// Digits of a Chinese mobile number.
const MOBILE: usize = 11;

/// What is sealed into an order's row.
#[derive(Serialize, Deserialize)]
struct Sealed {
    contact: Contact,
    raw_json: String,
    /// By the id of the after-sale.
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    after_sales: HashMap<String, AfterSaleWords>,
}

/// What was written about an after-sale.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct AfterSaleWords {
    /// By the buyer.
    pub reason: String,
    /// By the seller.
    pub answer: String,
}

/// The columns of `buyer`.
#[derive(Debug, Clone)]
pub(crate) struct BuyerRow {
    pub sealed: Vec<u8>,
    pub name_mark: Option<i64>,
    pub phone_mark: Option<i64>,
}

fn row_name(connection: &str, id: &str) -> String {
    format!("order:{connection}:{id}")
}

impl BuyerRow {
    /// Takes what is personal out of an order.
    pub(crate) fn new(
        sealer: &dyn Sealer,
        connection: &str,
        order: &mut Order,
        contact: Contact,
        raw_json: String,
    ) -> Result<Self, StoreError> {
        let words = |asked: &mut AfterSale| {
            let words = AfterSaleWords { reason: std::mem::take(&mut asked.reason), answer: std::mem::take(&mut asked.answer) };
            (asked.id.as_str().to_owned(), words)
        };
        let after_sales = order.after_sales.iter_mut().map(words).collect();
        let (name_mark, phone_mark) = (name_mark(sealer, &contact.name)?, phone_mark(sealer, &contact.phone)?);
        let plain = serde_json::to_vec(&Sealed { contact, raw_json, after_sales }).map_err(|e| StoreError::broken("order", e))?;
        Ok(Self { sealed: sealer.seal(&row_name(connection, order.id.as_str()), &plain)?, name_mark, phone_mark })
    }
}

/// A whole name in one spelling; `None` for one that the platform masked.
fn name_of(text: &str) -> Option<String> {
    let name: String = fold(text).chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    (!name.is_empty() && !name.contains('*')).then_some(name)
}

/// A whole number as digits, without the country of Chinese mobiles and without a relay's extension; `None` for one that
/// the platform masked.
fn phone_of(text: &str) -> Option<String> {
    let folded = fold(text);
    let typed = |c: char| c.is_ascii_digit() || c.is_whitespace() || "+-()转,#".contains(c);
    if !folded.chars().all(typed) {
        return None;
    }
    let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
    let national = digits.strip_prefix("00").unwrap_or(&digits);
    let national = national.strip_prefix("86").filter(|rest| rest.len() >= MOBILE && rest.starts_with('1')).unwrap_or(national);
    let is_mobile = national.len() >= MOBILE && national.starts_with('1') && !national.starts_with("10");
    let number = if is_mobile { national.get(..MOBILE)? } else { national };
    (number.len() >= PHONE_LEAST).then(|| number.to_owned())
}

pub(crate) fn name_mark(sealer: &dyn Sealer, name: &str) -> Result<Option<i64>, StoreError> {
    Ok(name_of(name).map(|name| sealer.mark("buyer name", &name)).transpose()?)
}

pub(crate) fn phone_mark(sealer: &dyn Sealer, phone: &str) -> Result<Option<i64>, StoreError> {
    Ok(phone_of(phone).map(|phone| sealer.mark("buyer phone", &phone)).transpose()?)
}

/// What was written about the after-sales of an order.
pub(crate) fn words_of(
    sealer: &dyn Sealer,
    connection: &str,
    id: &str,
    sealed: &[u8],
) -> Result<HashMap<String, AfterSaleWords>, StoreError> {
    let plain = sealer.open(&row_name(connection, id), sealed)?;
    let full: Sealed = serde_json::from_slice(&plain).map_err(|e| StoreError::broken("sealed order", e))?;
    Ok(full.after_sales)
}

/// Marks of a row that was written before there were any.
pub(crate) fn marks_of(sealer: &dyn Sealer, connection: &str, id: &str, sealed: &[u8]) -> Result<(Option<i64>, Option<i64>), StoreError> {
    let plain = sealer.open(&row_name(connection, id), sealed)?;
    let full: Sealed = serde_json::from_slice(&plain).map_err(|e| StoreError::broken("sealed order", e))?;
    Ok((name_mark(sealer, &full.contact.name)?, phone_mark(sealer, &full.contact.phone)?))
}

/// Keys of orders older than `before` whose buyer has one of the marks, with one of the statuses unless there are none,
/// newest first.
pub(crate) async fn keys_by_mark(
    tx: &mut SqliteConnection,
    name: Option<i64>,
    phone: Option<i64>,
    statuses: &[OrderStatus],
    before: i64,
    most: i64,
) -> Result<Vec<i64>, StoreError> {
    let statuses = serde_json::to_string(&statuses.iter().map(|s| s.word()).collect::<Vec<_>>());
    let statuses = statuses.map_err(|e| StoreError::broken("order status", e))?;
    Ok(sqlx::query_scalar(
        "SELECT b.order_key FROM
             (SELECT order_key FROM buyer WHERE name_mark = ?1 UNION SELECT order_key FROM buyer WHERE phone_mark = ?2) AS b
             JOIN orders AS o ON o.key = b.order_key
         WHERE b.order_key < ?4 AND (?3 = '[]' OR o.status IN (SELECT value FROM json_each(?3))) ORDER BY b.order_key DESC LIMIT ?5",
    )
    .bind(name)
    .bind(phone)
    .bind(statuses)
    .bind(before)
    .bind(most)
    .fetch_all(tx)
    .await?)
}

impl Store {
    /// Who receives an order, unsealed. For the one screen that needs it. `None` also when it was purged.
    ///
    /// # Errors
    /// [`StoreError::Sealer`] when the key does not fit.
    pub async fn contact(&self, connection: &ConnectionId, id: &OrderId) -> Result<Option<Contact>, StoreError> {
        Ok(self.unseal(connection, id).await?.map(|s| s.contact))
    }

    /// The platform's own JSON of an order, unsealed. `None` also when it was purged.
    ///
    /// # Errors
    /// [`StoreError::Sealer`] when the key does not fit.
    pub async fn raw_order(&self, connection: &ConnectionId, id: &OrderId) -> Result<Option<String>, StoreError> {
        Ok(self.unseal(connection, id).await?.map(|s| s.raw_json))
    }

    async fn unseal(&self, connection: &ConnectionId, id: &OrderId) -> Result<Option<Sealed>, StoreError> {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(
            "SELECT b.sealed FROM buyer AS b JOIN orders AS o ON o.key = b.order_key WHERE o.id = ? AND o.connection = ?",
        )
        .bind(id.as_str())
        .bind(connection.as_str())
        .fetch_optional(self.readers())
        .await?;
        let Some(sealed) = sealed else { return Ok(None) };
        let plain = self.inner.sealer.open(&row_name(connection.as_str(), id.as_str()), &sealed)?;
        serde_json::from_slice(&plain).map(Some).map_err(|e| StoreError::broken("sealed order", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_in_many_spellings() {
        for text in [
            "13800138000",
            "138 0013 8000",
            "+86 138-0013-8000",
            "008613800138000",
            "１３８００１３８０００",
            "13800138000转1234",
            "13800138000-0042",
        ] {
            assert_eq!(phone_of(text).as_deref(), Some("13800138000"), "{text}");
        }
        assert_eq!(phone_of("010-1234 5678").as_deref(), Some("01012345678"));
        for text in ["", "138****8000", "8000", "盖碗 13800138000", "no"] {
            assert_eq!(phone_of(text), None, "{text}");
        }
    }

    #[test]
    fn one_name_in_many_spellings() {
        assert_eq!(name_of(" Ｍartin  Luo ").as_deref(), Some("martinluo"));
        assert_eq!(name_of("欧阳 娜"), name_of("欧阳娜"));
        assert_eq!(name_of("林**"), None);
        assert_eq!(name_of(" "), None);
    }
}
