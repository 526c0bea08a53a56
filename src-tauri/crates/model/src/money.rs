use crate::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;

/// ISO 4217 code. Only what the connected platforms use; each knows its number of decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Chinese yuan, 2 decimals.
    Cny,
    /// US dollar, 2 decimals.
    Usd,
    /// Euro, 2 decimals.
    Eur,
    /// Japanese yen, no decimals.
    Jpy,
}

impl Currency {
    /// Digits after the decimal point in the major unit.
    #[must_use]
    pub const fn decimals(self) -> u32 {
        match self {
            Self::Jpy => 0,
            Self::Cny | Self::Usd | Self::Eur => 2,
        }
    }

    /// Sign put before an amount.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Cny | Self::Jpy => "¥",
            Self::Usd => "$",
            Self::Eur => "€",
        }
    }

    /// The three letters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cny => "CNY",
            Self::Usd => "USD",
            Self::Eur => "EUR",
            Self::Jpy => "JPY",
        }
    }

    /// Reads the three letters, upper case.
    ///
    /// # Errors
    /// [`Invalid`] with rule `currency` for a code not in the list.
    pub fn parse(code: &str) -> Result<Self, Invalid> {
        match code {
            "CNY" => Ok(Self::Cny),
            "USD" => Ok(Self::Usd),
            "EUR" => Ok(Self::Eur),
            "JPY" => Ok(Self::Jpy),
            _ => Err(Invalid::new("currency", "currency")),
        }
    }
}

/// An exact amount: whole minor units (fen, cents) of one currency. Never a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units; may be negative in differences.
    pub amount: i64,
    /// What the units are.
    pub currency: Currency,
}

impl Money {
    /// `amount` minor units.
    #[must_use]
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Sum, or `None` on overflow or differing currencies.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        (self.currency == other.currency)
            .then(|| self.amount.checked_add(other.amount))
            .flatten()
            .map(|amount| Self::new(amount, self.currency))
    }

    /// Difference, or `None` on overflow or differing currencies.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        (self.currency == other.currency)
            .then(|| self.amount.checked_sub(other.amount))
            .flatten()
            .map(|amount| Self::new(amount, self.currency))
    }

    /// `quantity` times the amount, or `None` on overflow.
    #[must_use]
    pub fn checked_mul(self, quantity: u32) -> Option<Self> {
        self.amount.checked_mul(i64::from(quantity)).map(|amount| Self::new(amount, self.currency))
    }

    /// Reads what a person types: `268`, `268.5`, `268.50`. No sign, no grouping.
    ///
    /// # Errors
    /// [`Invalid`] with rule `format` for anything else or more decimals than the currency has.
    pub fn parse_major(text: &str, currency: Currency) -> Result<Self, Invalid> {
        let bad = Invalid::new("amount", "format");
        let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let decimals = currency.decimals() as usize;
        if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > decimals {
            return Err(bad);
        }
        let scale = 10_i64.pow(currency.decimals());
        let fraction: i64 = format!("{part:0<decimals$}").parse().or_else(|_| if decimals == 0 { Ok(0) } else { Err(bad.clone()) })?;
        let whole: i64 = whole.parse().map_err(|_| bad.clone())?;
        whole.checked_mul(scale).and_then(|w| w.checked_add(fraction)).map(|amount| Self::new(amount, currency)).ok_or(bad)
    }

    /// Amount in major units without trailing zeros: `268`, `68.50`. What the picture shows.
    #[must_use]
    pub fn short(self) -> String {
        let scale = 10_i64.pow(self.currency.decimals());
        let (whole, part) = (self.amount / scale, (self.amount % scale).abs());
        let minus = if self.amount < 0 && whole == 0 { "-" } else { "" };
        if part == 0 {
            format!("{minus}{whole}")
        } else {
            format!("{minus}{whole}.{part:0width$}", width = self.currency.decimals() as usize)
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.currency.decimals() as usize;
        let scale = 10_u64.pow(self.currency.decimals());
        let units = self.amount.unsigned_abs();
        let minus = if self.amount < 0 { "-" } else { "" };
        write!(f, "{minus}{}{}", self.currency.sign(), units / scale)?;
        if decimals > 0 { write!(f, ".{:0decimals$}", units % scale) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_amounts_are_exact() {
        let yuan = |t| Money::parse_major(t, Currency::Cny).map(|m| m.amount);
        assert_eq!(yuan("268"), Ok(26_800));
        assert_eq!(yuan("0.1"), Ok(10), "one decimal means ten fen, not one");
        assert_eq!(yuan("68.05"), Ok(6_805));
        for bad in ["", ".5", "-1", "1.234", "1,000", "1e3", "９"] {
            assert!(yuan(bad).is_err(), "{bad:?} must be refused, not guessed at");
        }
        assert_eq!(Money::parse_major("300", Currency::Jpy).map(|m| m.amount), Ok(300));
        assert!(Money::parse_major("300.5", Currency::Jpy).is_err());
    }

    #[test]
    fn shown_amounts() {
        assert_eq!(Money::new(26_800, Currency::Cny).to_string(), "¥268.00");
        assert_eq!(Money::new(26_800, Currency::Cny).short(), "268");
        assert_eq!(Money::new(6_850, Currency::Cny).short(), "68.50");
        assert_eq!(Money::new(-50, Currency::Cny).to_string(), "-¥0.50");
        assert_eq!(Money::new(-50, Currency::Cny).short(), "-0.50");
    }

    #[test]
    fn arithmetic_refuses_mixtures_and_overflow() {
        let one = Money::new(1, Currency::Cny);
        assert_eq!(one.checked_add(Money::new(1, Currency::Usd)), None);
        assert_eq!(Money::new(i64::MAX, Currency::Cny).checked_add(one), None);
        assert_eq!(Money::new(i64::MAX, Currency::Cny).checked_mul(2), None);
    }
}
