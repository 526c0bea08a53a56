//! What another process says on the control socket, and what the form of a destination is given.
#![no_main]

use std::sync::LazyLock;
use std::sync::Mutex;
use stallcast_studio::fuzz::{self, Owner};

static OWNER: LazyLock<Mutex<Owner>> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("stallcast-fuzz-{}", std::process::id()));
    Mutex::new(Owner::open(&folder).expect("a studio over a shop"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    OWNER.lock().expect("one thread").control(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        fuzz::destination(text);
    }
});
