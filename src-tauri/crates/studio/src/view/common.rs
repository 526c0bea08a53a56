//! What several sections are made of: money, how a pressed button stands, how far a list is whole, problems, errors.

use serde::{Deserialize, Serialize};
use specta::Type;
use std::collections::BTreeMap;

/// An exact amount and how to show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct MoneyView {
    /// Minor units as text: exact beyond 2^53.
    pub amount: String,
    /// ISO code.
    pub currency: String,
    /// `¥268.00`.
    pub text: String,
    /// `268` or `68.50`, without sign.
    pub short: String,
}

/// How an action stands, once pressed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ActionView {
    /// Written down, on its way.
    Sending,
    /// Answer lost; being looked up, never sent twice.
    Checking,
    /// Read back.
    Confirmed {
        /// ms UTC.
        #[serde(rename = "atMs")]
        at_ms: f64,
    },
    /// Refused or not delivered.
    Failed {
        /// Error code for the sentence.
        code: String,
        /// Values for the sentence: number and title of the product, limits that the platform told.
        params: BTreeMap<String, String>,
        /// Give this to `retry_intent`.
        #[serde(rename = "intentId")]
        intent_id: String,
    },
}

/// Completeness of a list that all shops fill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum SealView {
    /// Every order up to this instant is in the list: proven by the cursor.
    Complete {
        /// ms UTC.
        #[serde(rename = "upToMs")]
        up_to_ms: f64,
    },
    /// Proven only up to an earlier instant; some shop is behind.
    Behind {
        /// ms UTC; `None` where of one shop nothing is proven yet.
        #[serde(rename = "upToMs")]
        up_to_ms: Option<f64>,
        /// Names of the shops that are behind.
        connections: Vec<String>,
    },
    /// Nothing proven yet.
    Unknown,
}

/// One open problem or piece of news.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct HealthView {
    /// What it is about: no two entries of the list are about the same.
    pub subject: String,
    /// Code for the sentence (`health.<code>` in the UI's texts).
    pub code: String,
    /// Values for the sentence.
    pub params: BTreeMap<String, String>,
    /// ms UTC.
    pub at_ms: f64,
    /// `good` (came back), `warn`, `bad`.
    pub level: String,
}

/// An error as the UI gets it: a code to translate, never a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type, thiserror::Error)]
#[error("{code}")]
#[serde(rename_all = "camelCase")]
pub struct UiError {
    /// `error.<code>` in the UI's texts.
    pub code: String,
    /// Values for the sentence.
    pub params: BTreeMap<String, String>,
    /// Would the same call succeed later?
    pub retryable: bool,
}
