//! Masks what must not stand in a log: live secrets, the path of RTMP addresses (the key is its last part), telephone
//! numbers.

use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

const MASK: &str = "••••";
/// Shorter texts would mask half of every line; no platform issues keys this short.
const SHORTEST: usize = 4;

/// The live secrets of this process. Clones share them.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<SecretString>>>);

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// From now on `secret` is masked in every line, also as it looks inside a quoted debug text.
    pub fn register(&self, secret: &str) {
        let quoted = format!("{secret:?}");
        let quoted = quoted.trim_matches('"');
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for text in [secret, quoted] {
            if text.chars().count() >= SHORTEST && !list.iter().any(|s| s.expose_secret() == text) {
                list.push(SecretString::from(text.to_owned()));
            }
        }
        // A secret that contains another must be masked first.
        list.sort_by_key(|s| std::cmp::Reverse(s.expose_secret().len()));
    }

    /// The same text without what must not be seen.
    #[must_use]
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if text.contains(secret.expose_secret()) {
                text = Cow::Owned(text.replace(secret.expose_secret(), MASK));
            }
        }
        if let Some(masked) = mask_addresses(&text) {
            text = Cow::Owned(masked);
        }
        if let Some(masked) = mask_telephones(&text) {
            text = Cow::Owned(masked);
        }
        text
    }
}

/// `rtmp://user:pass@host:1935/app/key?token` → `rtmp://host:1935/••••`.
fn mask_addresses(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = find_scheme(rest) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let length =
            from.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`' | '，' | '。')).unwrap_or(from.len());
        let (address, after) = from.split_at(length);
        let (scheme, body) = address.split_at(address.find("//").map_or(0, |i| i + 2));
        let (authority, path) = body.split_at(body.find('/').unwrap_or(body.len()));
        out.push_str(scheme);
        out.push_str(authority.rsplit('@').next().unwrap_or(authority));
        if path.len() > 1 {
            out.push('/');
            out.push_str(MASK);
        } else {
            out.push_str(path);
        }
        changed = true;
        rest = after;
    }
    out.push_str(rest);
    changed.then_some(out)
}

fn find_scheme(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    [lower.find("rtmp://"), lower.find("rtmps://")].into_iter().flatten().min()
}

/// Mainland mobile numbers (11 digits from 13 to 19) and international ones with `+`. Times in ms have 13 digits, ids more.
fn mask_telephones(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut kept = 0;
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let run = bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let plus = at > 0 && bytes[at - 1] == b'+';
        let before = if at == 0 { b' ' } else { bytes[at - 1] };
        let word = before.is_ascii_alphanumeric() || before == b'.' || before == b'_';
        let mobile = run == 11 && bytes[at] == b'1' && bytes[at + 1] >= b'3' && !word;
        if mobile || (plus && (8..=15).contains(&run)) {
            out.push_str(&text[kept..at]);
            out.push_str(MASK);
            kept = at + run;
        }
        at += run;
    }
    (kept > 0).then(|| {
        out.push_str(&text[kept..]);
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_secrets_are_masked_also_inside_debug_texts() {
        let r = Redactor::default();
        r.register("canary\"key");
        r.register("abc");
        assert_eq!(r.mask("key=canary\"key."), "key=••••.");
        assert_eq!(r.mask(r#"Some("canary\"key")"#), r#"Some("••••")"#);
        assert_eq!(r.mask("abc is too short to mask"), "abc is too short to mask");
        assert!(matches!(r.mask("nothing here"), Cow::Borrowed(_)), "clean lines must not be copied");
    }

    #[test]
    fn addresses_keep_their_host_only() {
        let r = Redactor::default();
        assert_eq!(r.mask("to rtmp://live.example/app/k3y?a=b, again"), "to rtmp://live.example/•••• again");
        assert_eq!(r.mask("RTMPS://u:p@h:443/a"), "RTMPS://h:443/••••");
        assert_eq!(r.mask("\"rtmp://h\" and rtmp://h/"), "\"rtmp://h\" and rtmp://h/");
        assert_eq!(r.mask("rtmp://"), "rtmp://");
    }

    #[test]
    fn telephones_go_and_times_stay() {
        let r = Redactor::default();
        assert_eq!(r.mask("phone=13812345678;"), "phone=••••;");
        assert_eq!(r.mask("电话13812345678"), "电话••••");
        assert_eq!(r.mask("+4915112345678"), "+••••");
        for kept in ["at_ms=1764000000000", "seq 12345678901", "0.13812345678", "a13812345678b", "port 1935"] {
            assert_eq!(r.mask(kept), kept);
        }
    }
}
