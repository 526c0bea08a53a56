//! stallcast
fn main() {}
