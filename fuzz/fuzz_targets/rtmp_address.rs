//! What somebody pastes as the address and the key of a destination.
#![no_main]

use stallcast_broadcast::Target;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (url, key) = text.split_once('\n').map_or((text, None), |(url, key)| (url, Some(key)));
    match Target::parse("id", url, key) {
        Ok(target) => assert!(!target.host().is_empty() && !target.host().contains(['@', '/', ' '])),
        Err(e) => assert!(!e.code().is_empty()),
    }
});
