//! One client, limits of time and size, and what an answer means.

use super::{AddressError, Reach, wire};
use crate::limits::{Gate, Rate, http_date_ms, retry_after};
use crate::{ClockOffset, PlatformError, Sent};
use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use stallcast_clock::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use url::{Host, Url};

/// A shop on this machine answers the door at once.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// From asking to the last byte of the answer. A little more than the shop gives a request.
const ANSWER_LIMIT: Duration = Duration::from_secs(12);
/// How long to stay away from a shop that does not say how long.
const RATE_PAUSE: Duration = Duration::from_secs(5);
/// A shop on this machine is not spared, only protected from a fault of ours.
const RATE: Rate = Rate { burst: 200, per_second: 200 };

#[derive(Debug, Clone)]
struct Target {
    base: Url,
    token: HeaderValue,
}

impl Target {
    fn new(url: &str, token: &SecretString, reach: Reach) -> Result<Self, AddressError> {
        let wrong = || AddressError::NotAnAddress(url.to_owned());
        let base = Url::parse(url).map_err(|_| wrong())?;
        let plain = base.path() == "/" && base.query().is_none() && base.fragment().is_none() && base.username().is_empty();
        if !plain || base.scheme() != "http" {
            return Err(wrong());
        }
        let (here, near) = match base.host().ok_or_else(wrong)? {
            Host::Ipv4(ip) => (ip.is_loopback(), ip.is_private() || ip.is_link_local()),
            Host::Ipv6(ip) => (ip.is_loopback(), ip.is_unique_local()),
            // The shop answers to no other name: anybody could give it one.
            Host::Domain(name) => (name == "localhost", false),
        };
        let host = || base.host_str().unwrap_or_default().to_owned();
        match reach {
            _ if here => {}
            Reach::TrustedNetwork if near => {}
            Reach::ThisMachine if near => return Err(AddressError::NotTrusted(host())),
            _ => return Err(AddressError::NotPrivate(host())),
        }
        if token.expose_secret().is_empty() {
            return Err(AddressError::NotAToken);
        }
        let mut token = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(|_| AddressError::NotAToken)?;
        token.set_sensitive(true);
        Ok(Self { base, token })
    }
}

/// The client of one shop.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    target: RwLock<Target>,
    reach: Reach,
    clock: Arc<dyn Clock>,
    gate: Gate,
    /// By the `Date` of answers, whole seconds.
    date: ClockOffset,
    /// By the milliseconds that some answers tell.
    precise: ClockOffset,
}

/// A whole answer with status 2xx.
#[derive(Debug)]
pub(super) struct Answer {
    pub headers: HeaderMap,
    pub body: Bytes,
    /// ms UTC, ours.
    pub sent_ms: i64,
    received_ms: i64,
}

impl Answer {
    /// Reads the body. What is wrong with it is told without its values: they may be a buyer's.
    pub(super) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, PlatformError> {
        serde_json::from_slice(&self.body).map_err(|e| PlatformError::unread(format!("{what}: {}", wire::fault(&e))))
    }
}

impl Http {
    pub(super) fn new(url: &str, token: SecretString, reach: Reach, clock: Arc<dyn Clock>) -> Result<Self, AddressError> {
        let target = Target::new(url, &token, reach)?;
        // A proxy of the environment or a redirect would carry the token elsewhere.
        let client = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .build()
            .map_err(|e| AddressError::NoClient(e.to_string()))?;
        let gate = Gate::new(RATE, Arc::clone(&clock));
        Ok(Self { client, target: RwLock::new(target), reach, clock, gate, date: ClockOffset::default(), precise: ClockOffset::default() })
    }

    pub(super) fn moved(&self, url: &str, token: SecretString) -> Result<(), AddressError> {
        let target = Target::new(url, &token, self.reach)?;
        *self.target.write().unwrap_or_else(PoisonError::into_inner) = target;
        Ok(())
    }

    fn target(&self) -> Target {
        self.target.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn ahead_ms(&self) -> Option<i64> {
        self.precise.ahead_ms().or_else(|| self.date.ahead_ms())
    }

    /// The shop's clock at this answer, told to the millisecond.
    pub(super) fn precise(&self, answer: &Answer, now_ms: i64) {
        self.precise.sample(answer.sent_ms, answer.received_ms, now_ms..=now_ms);
    }

    /// A request with the token. Every segment is one segment, whatever is in it.
    pub(super) fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let Target { mut base, token } = self.target();
        // An `http` address always has segments.
        if let Ok(mut segments) = base.path_segments_mut() {
            segments.clear().extend(path);
        }
        self.client.request(method, base).header(AUTHORIZATION, token)
    }

    /// A request for an address that the shop itself gave; `None` when it leads elsewhere.
    pub(super) fn request_at(&self, address: &str) -> Option<RequestBuilder> {
        let Target { base, token } = self.target();
        let url = base.join(address).ok()?;
        (url.origin() == base.origin() && url.username().is_empty()).then(|| self.client.get(url).header(AUTHORIZATION, token))
    }

    /// Sends a request and reads its whole answer.
    pub(super) async fn ask(&self, request: RequestBuilder, most: usize) -> Result<Answer, PlatformError> {
        self.gate.pass().await?;
        let sent_ms = self.clock.utc_ms();
        let exchange = async {
            let mut response = self.head(request, sent_ms).await?;
            let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
            // A failure's body is only asked for its code.
            let most = if status.is_success() { most } else { 64 << 10 };
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(|e| broken(&e))? {
                if body.len() + chunk.len() > most {
                    return Err(PlatformError::unread(format!("an answer over {most} bytes")));
                }
                body.extend_from_slice(&chunk);
            }
            Ok((status, headers, body.freeze()))
        };
        let (status, headers, body) = match tokio::time::timeout(ANSWER_LIMIT, exchange).await {
            Ok(done) => done?,
            Err(_) => return Err(PlatformError::Unreachable { sent: Sent::Maybe, detail: "no answer in time".to_owned() }),
        };
        if !status.is_success() {
            return Err(self.failed(status, &headers, &body));
        }
        Ok(Answer { headers, body, sent_ms, received_ms: self.clock.utc_ms() })
    }

    /// Sends a request whose answer goes on for ever.
    pub(super) async fn open(&self, request: RequestBuilder, mime: &str) -> Result<Response, PlatformError> {
        self.gate.pass().await?;
        let sent_ms = self.clock.utc_ms();
        let head = tokio::time::timeout(ANSWER_LIMIT, self.head(request, sent_ms)).await;
        let response = head.map_err(|_| PlatformError::Unreachable { sent: Sent::Maybe, detail: "no answer in time".to_owned() })??;
        if !response.status().is_success() {
            return Err(self.failed(response.status(), response.headers(), &[]));
        }
        let told = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !told.starts_with(mime) {
            return Err(PlatformError::unread("the type of the stream"));
        }
        Ok(response)
    }

    /// A shop that asks for a pause gets it from all workers, whatever else its answer means.
    fn failed(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> PlatformError {
        let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
        // By the shop's own clock, as far as it tells it.
        let now_ms = text(DATE).and_then(http_date_ms).unwrap_or_else(|| self.clock.utc_ms() + self.ahead_ms().unwrap_or(0));
        let asked = text(RETRY_AFTER).and_then(|v| retry_after(v, now_ms));
        let pause = match status {
            StatusCode::TOO_MANY_REQUESTS => Some(asked.unwrap_or(RATE_PAUSE)),
            StatusCode::SERVICE_UNAVAILABLE => asked,
            _ => None,
        };
        if let Some(pause) = pause {
            self.gate.close_for(pause);
        }
        failure(status, pause, body)
    }

    async fn head(&self, request: RequestBuilder, sent_ms: i64) -> Result<Response, PlatformError> {
        let response = request.send().await.map_err(|e| broken(&e))?;
        if let Some(told) = response.headers().get(DATE).and_then(|v| v.to_str().ok()).and_then(http_date_ms) {
            // The shop's server refreshes its date once a second.
            self.date.sample(sent_ms, self.clock.utc_ms(), told..=told + 1_999);
        }
        Ok(response)
    }
}

/// What a broken exchange means.
fn broken(e: &reqwest::Error) -> PlatformError {
    // The address holds nothing secret, but says nothing either.
    let detail = std::iter::successors(Some(e as &dyn std::error::Error), |e| e.source()).last().map(ToString::to_string);
    let sent = if e.is_connect() || e.is_builder() { Sent::No } else { Sent::Maybe };
    PlatformError::Unreachable { sent, detail: detail.unwrap_or_default() }
}

/// What an answer other than 2xx means.
fn failure(status: StatusCode, pause: Option<Duration>, body: &[u8]) -> PlatformError {
    let refused = || {
        let told: Option<wire::Refusal> = serde_json::from_slice(body).ok();
        let Some(told) = told.filter(|told| is_word(&told.code)) else { return PlatformError::refused("refused") };
        PlatformError::Refused { code: told.code, params: values(&told.params) }
    };
    match status {
        StatusCode::UNAUTHORIZED => PlatformError::Unauthenticated,
        StatusCode::TOO_MANY_REQUESTS => PlatformError::RateLimited { retry_after: pause.unwrap_or(RATE_PAUSE) },
        // It may have done it before it failed.
        s if s.is_server_error() || s == StatusCode::REQUEST_TIMEOUT => {
            PlatformError::Unreachable { sent: Sent::Maybe, detail: format!("status {}", s.as_u16()) }
        }
        s if s.is_client_error() => refused(),
        s => PlatformError::unread(format!("status {}", s.as_u16())),
    }
}

/// Most values of a refusal that are kept, and longest of them, characters.
const VALUES_MOST: usize = 8;
const VALUE_MOST: usize = 120;

/// A code is a word, nothing else.
fn is_word(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Values of a refusal, as text. What is no plain value is left out.
fn values(told: &serde_json::Map<String, serde_json::Value>) -> BTreeMap<String, String> {
    use serde_json::Value;
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.chars().take(VALUE_MOST).collect()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let named = |(name, value): (&String, &Value)| {
        let good = (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        good.then(|| plain(value)).flatten().map(|value| (name.clone(), value))
    };
    told.iter().filter_map(named).take(VALUES_MOST).collect()
}

/// The code of a failure, for the fuzzer.
#[cfg(any(test, fuzzing))]
pub(super) fn code_of(status: u16, body: &[u8]) -> String {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    failure(status, None, body).code().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        let token = SecretString::from("t");
        for good in ["http://127.0.0.1:80", "http://127.0.0.1:8080/", "http://[::1]:1", "http://localhost:9"] {
            for reach in [Reach::ThisMachine, Reach::TrustedNetwork] {
                assert!(Target::new(good, &token, reach).is_ok(), "{good}");
            }
        }
        for near in ["http://192.168.1.9:80", "http://10.0.0.1:8080/", "http://172.16.3.4", "http://169.254.1.1:1", "http://[fd00::1]:80"] {
            assert!(matches!(Target::new(near, &token, Reach::ThisMachine), Err(AddressError::NotTrusted(_))), "{near}");
            assert!(Target::new(near, &token, Reach::TrustedNetwork).is_ok(), "{near}");
        }
        for (bad, private) in [
            ("http://8.8.8.8", true),
            ("http://172.32.0.1", true),
            ("http://[2001:db8::1]", true),
            ("http://laptop.local:8080", true),
            ("http://192.168.1.9.evil.example", true),
            ("http://shop.example", true),
            ("http://localhost.evil.example", true),
            ("https://127.0.0.1", false),
            ("file:///etc/passwd", false),
            ("http://127.0.0.1/x", false),
            ("http://a@127.0.0.1", false),
            ("nonsense", false),
        ] {
            for reach in [Reach::ThisMachine, Reach::TrustedNetwork] {
                let error = Target::new(bad, &token, reach).expect_err(bad);
                assert_eq!(matches!(error, AddressError::NotPrivate(_)), private, "{bad}: {error}");
            }
        }
        for bad in ["", "a\nb"] {
            let error = Target::new("http://127.0.0.1:1", &SecretString::from(bad), Reach::ThisMachine).err();
            assert_eq!(error, Some(AddressError::NotAToken), "{bad:?}");
        }
        let shown =
            format!("{:?}", Target::new("http://127.0.0.1:1", &SecretString::from("canary-token"), Reach::ThisMachine).expect("target"));
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn answers_mean_what_may_be_done_next() {
        let with =
            |status: u16, body: &str| failure(StatusCode::from_u16(status).expect("status"), Some(Duration::from_secs(7)), body.as_bytes());
        assert_eq!(with(401, ""), PlatformError::Unauthenticated);
        assert_eq!(with(429, ""), PlatformError::RateLimited { retry_after: Duration::from_secs(7) });
        assert_eq!(with(409, r#"{"code":"wrong_state","params":{}}"#), PlatformError::refused("wrong_state"));
        let body = r#"{"code":"stock_promised","params":{"reserved":3,"of":"茶","deep":{"a":1},"<b>":"x"}}"#;
        let PlatformError::Refused { params, .. } = with(409, body) else { panic!("refused") };
        assert_eq!(params, BTreeMap::from([("reserved".to_owned(), "3".to_owned()), ("of".to_owned(), "茶".to_owned())]));
        let many: Vec<String> = (0..50).map(|n| format!(r#""p{n}":"{}""#, "x".repeat(500))).collect();
        let PlatformError::Refused { params, .. } = with(409, &format!(r#"{{"code":"a","params":{{{}}}}}"#, many.join(","))) else {
            panic!("refused")
        };
        assert!(params.len() == VALUES_MOST && params.values().all(|v| v.len() == VALUE_MOST));
        assert_eq!(with(400, "<html>").code(), "refused");
        assert_eq!(with(400, r#"{"code":"<script>"}"#).code(), "refused", "a code is a word, nothing else");
        for status in [500, 502, 503, 408] {
            assert!(with(status, "").may_have_happened(), "{status}");
        }
        assert!(with(302, "").may_have_happened());
        assert!(!with(409, "").may_have_happened());
    }
}
