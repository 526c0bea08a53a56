//! A sealer that hides nothing: what is sealed is `store`'s own affair.

use stallcast_store::{SealError, Sealer};

#[derive(Debug)]
pub struct PlainSealer;

impl Sealer for PlainSealer {
    fn seal(&self, _: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(plain.to_vec())
    }
    fn open(&self, _: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(sealed.to_vec())
    }

    fn mark(&self, field: &str, value: &str) -> Result<i64, SealError> {
        Ok(field.bytes().chain(value.bytes()).fold(7, |hash: i64, b| hash.wrapping_mul(31) ^ i64::from(b)))
    }
}
