//! Arguments, and dice.

use crate::Outcome;
use std::path::PathBuf;

/// The words of the command line.
pub struct Words(Vec<String>);

impl Words {
    pub fn of_this_process() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    pub fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// The word behind `name`.
    pub fn value(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().position(|w| w == name)?;
        self.0.get(at + 1).map(String::as_str)
    }

    pub fn need(&self, name: &str) -> Outcome<PathBuf> {
        Ok(PathBuf::from(self.value(name).ok_or_else(|| format!("{name} is missing"))?))
    }

    pub fn number(&self, name: &str) -> Outcome<Option<u64>> {
        Ok(self.value(name).map(str::parse).transpose().map_err(|e| format!("{name}: {e}"))?)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|w| w == name)
    }
}

/// `SplitMix64`: the same seed gives the same throws.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to `below`, without it.
    pub fn below(&mut self, below: u64) -> u64 {
        self.throw() % below.max(1)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        &of[at]
    }
}
