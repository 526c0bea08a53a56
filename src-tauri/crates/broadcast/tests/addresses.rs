//! Whatever somebody pastes as an address or a key is used or refused with a code, and never shown.

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};
use stallcast_broadcast::Target;

/// Nearly addresses.
fn nearly() -> impl Strategy<Value = String> {
    let scheme = prop::sample::select(vec!["rtmp://", "rtmps://", "RTMP://", "http://", "rtmp:/", "", "rtmp://u:p@"]);
    let host = prop_oneof![Just("a.example".to_owned()), Just("[::1]".to_owned()), Just("[::1".to_owned()), "\\PC{0,12}"];
    let port = prop_oneof![3 => Just(String::new()), 1 => any::<u32>().prop_map(|n| format!(":{n}")), 1 => "\\PC{0,6}"];
    let path = prop_oneof![Just("/live/".to_owned()), Just("/live".to_owned()), "(/|\\?|#|[a-z%=&.]|\\PC){0,24}", "[\\x00-\\x7f]{0,24}"];
    (scheme, host, port, path).prop_map(|(s, h, p, rest)| format!("{s}{h}{p}{rest}"))
}

proptest! {
    #![proptest_config(Config {
        cases: 1_500,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/addresses.txt"))),
        ..Config::default()
    })]

    #[test]
    fn an_address_is_used_or_refused(url in prop_oneof![nearly(), any::<String>()], key in prop::option::of(prop_oneof!["\\PC{0,24}", any::<String>()])) {
        match Target::parse("id", &url, key.as_deref()) {
            Ok(target) => {
                prop_assert!(!target.host().is_empty() && !target.host().contains(['@', '/', ' ']), "{:?}", target.host());
                let shown = format!("{target:?}");
                if let Some(key) = key.as_deref().map(str::trim).filter(|k| k.len() > 8 && !url.contains(*k)) {
                    prop_assert!(!shown.contains(key), "{}", shown);
                }
            }
            Err(e) => prop_assert!(!e.code().is_empty()),
        }
    }
}
