use super::*;
use proptest::prelude::*;

fn parts(url: &str, key: Option<&str>) -> Result<(String, u16, bool, String, String, String), TargetError> {
    let t = Target::parse("1", url, key)?;
    Ok((t.host.clone(), t.port, t.tls, t.app().to_owned(), t.key().to_owned(), t.tc_url().to_owned()))
}

fn same(url: &str, key: Option<&str>, expected: (&str, u16, bool, &str, &str, &str)) {
    let (host, port, tls, app, key, tc) = parts(url, key).unwrap_or_else(|e| panic!("{url}: {e}"));
    assert_eq!((host.as_str(), port, tls, app.as_str(), key.as_str(), tc.as_str()), expected, "{url}");
}

#[test]
fn a_full_url_is_split_at_the_last_slash_of_its_path() {
    let signed = "s?txSecret=a/b%2Fc==&txTime=5F";
    same(
        &format!("rtmp://wxalivepush.weixin.qq.com/live/{signed}"),
        None,
        ("wxalivepush.weixin.qq.com", 1935, false, "live", signed, "rtmp://wxalivepush.weixin.qq.com/live"),
    );
    same("  RTMPS://a.example:4443/x/y/z\n", Some(" \n"), ("a.example", 4443, true, "x/y", "z", "rtmps://a.example:4443/x/y"));
    same("rtmp://[::1]:19350/live/k", None, ("::1", 19350, false, "live", "k", "rtmp://[::1]:19350/live"));
}

#[test]
fn two_fields_keep_the_key_whole_and_the_query_of_the_server() {
    same("rtmp://h/live/", Some("\tk/1?sign=a%2Fb&x=\n"), ("h", 1935, false, "live", "k/1?sign=a%2Fb&x=", "rtmp://h/live"));
    // As 哔哩哔哩 gives it: the key is all query, in two fields or in one.
    let node = (
        "live-push.bilivideo.com",
        1935,
        false,
        "live-bvc",
        "?streamname=live_1_2&key=ab&schedule=rtmp",
        "rtmp://live-push.bilivideo.com/live-bvc",
    );
    same("rtmp://live-push.bilivideo.com/live-bvc/", Some(node.4), node);
    same("rtmp://live-push.bilivideo.com/live-bvc/?streamname=live_1_2&key=ab&schedule=rtmp", None, node);
    same(
        "rtmps://b.rtmps.youtube.com:443/live2?backup=1",
        Some("abcd-efgh"),
        ("b.rtmps.youtube.com", 443, true, "live2?backup=1", "abcd-efgh", "rtmps://b.rtmps.youtube.com:443/live2?backup=1"),
    );
    same("rtmp://tx.push.yximgs.com/live", Some("k"), ("tx.push.yximgs.com", 1935, false, "live", "k", "rtmp://tx.push.yximgs.com/live"));
}

#[test]
fn what_cannot_be_used_is_named() {
    for (url, key, error) in [
        ("http://h/live/k", None, TargetError::Page),
        ("HTTPS://channels.weixin.qq.com/platform/live", Some("k"), TargetError::Page),
        ("https://h/live/k.m3u8?auth=1", None, TargetError::Play),
        ("http://h/live/k.FLV", None, TargetError::Play),
        ("srt://h:9000?streamid=k", None, TargetError::Srt),
        ("webrtc://h/live/k", None, TargetError::Scheme),
        ("h/live/k", None, TargetError::NoScheme),
        ("", None, TargetError::NoScheme),
        ("rtmp:///live/k", None, TargetError::Host),
        ("rtmp://user:secret@h/live/k", None, TargetError::User),
        ("rtmp://h:0/live/k", None, TargetError::Host),
        ("rtmp://h:70000/live/k", None, TargetError::Host),
        ("rtmp://h:/live/k", None, TargetError::Host),
        ("rtmp://h:+1/live/k", None, TargetError::Host),
        ("rtmp://[::1/live/k", None, TargetError::Host),
        ("rtmp://h", Some("k"), TargetError::App),
        ("rtmp://h/", None, TargetError::App),
        ("rtmp://h//k", None, TargetError::App),
        ("rtmp://h/live", None, TargetError::Key),
        ("rtmp://h/live/", None, TargetError::Key),
        ("rtmp://h/live/?", None, TargetError::Key),
        ("rtmp://h/live", Some("?"), TargetError::Key),
        ("rtmp://h/live", Some("a\nb"), TargetError::KeyBlank),
        ("rtmp://h/live", Some("a\u{200b}b"), TargetError::KeyBlank),
        ("rtmp://h/li ve/k", None, TargetError::Blank),
        ("rtmp://h/live", Some("RTMP://h/live/k"), TargetError::KeyIsAddress),
    ] {
        assert_eq!(parts(url, key).err(), Some(error), "{url:?} {key:?}");
    }
}

#[test]
fn debug_shows_no_secret() {
    for (url, key) in [("rtmp://h/live-canary/canary?s=canary", None), ("rtmps://h/a?t=canary", Some("canary"))] {
        let shown = format!("{:?} {:#?}", Target::parse("1", url, key), Target::parse("1", url, key));
        assert!(!shown.contains("canary") && shown.contains("****"), "{shown}");
    }
}

#[test]
fn only_certificates_can_be_trusted() {
    let target = |pem: &[u8]| Target::parse("1", "rtmps://h/live/k", None).and_then(|t| t.trusting(pem)).err();
    assert_eq!(target(b""), Some(TargetError::Certificate));
    assert_eq!(target(b"-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n"), Some(TargetError::Certificate));
}

#[test]
fn a_long_paste_is_no_address() {
    assert_eq!(parts(&format!("rtmp://h/live/{}", "k".repeat(3000)), None).err(), Some(TargetError::TooLong));
}

/// What browsers and chats put around copied text.
fn around() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(vec![" ", "\n", "\r\n", "\t", "\u{200b}", "\u{feff}", "\u{3000}"]), 0..4)
        .prop_map(|all| all.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_arrives_where_it_belongs(
        tls in any::<bool>(),
        port in proptest::option::of(1_u16..),
        host in "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\\.[a-z]{2,5}){0,2}",
        app in "[A-Za-z0-9_.~%:-]{1,9}(/[A-Za-z0-9_.~%-]{1,9}){0,2}",
        name in "[A-Za-z0-9_.~%:=+-]{1,16}",
        // Everything printable but a blank, `/` and a second `?` among it.
        query in proptest::option::of("[!-~]{0,40}"),
        before in around(),
        after in around(),
    ) {
        let scheme = if tls { "rtmps" } else { "rtmp" };
        let authority = port.map_or_else(|| host.clone(), |p| format!("{host}:{p}"));
        let key = query.map_or_else(|| name.clone(), |q| format!("{name}?{q}"));
        let server = format!("{scheme}://{authority}/{app}");
        let usual = if tls { 443 } else { 1935 };
        let expected = Ok((host, port.unwrap_or(usual), tls, app, key.clone(), server.clone()));
        prop_assert_eq!(&parts(&format!("{before}{server}/{key}{after}"), None), &expected);
        prop_assert_eq!(&parts(&format!("{after}{server}/{before}"), Some(&format!("{before}{key}{after}"))), &expected);
        prop_assert_eq!(&parts(&server, Some(&key)), &expected);
    }

    #[test]
    fn anything_typed_is_an_address_or_a_named_error(url in "\\PC{0,60}", key in proptest::option::of("\\PC{0,30}"), scheme in "(rtmps?://)?") {
        let url = scheme + &url;
        if let Ok((host, _, tls, app, key, server)) = parts(&url, key.as_deref()) {
            prop_assert!(!host.is_empty() && !app.is_empty() && !key.is_empty());
            let scheme = if tls { "rtmps://" } else { "rtmp://" };
            prop_assert!(server.starts_with(scheme) && server.ends_with(&app));
            // What is stored in two fields is what was given in one.
            prop_assert_eq!(parts(&server, Some(&key)).map(|p| p.4), Ok(key));
        }
    }
}
