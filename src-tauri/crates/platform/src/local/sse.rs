//! The shop's event stream.

use super::wire;
use crate::{About, Hint, HintStream, PlatformError, Sent};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use reqwest::Response;
use stallcast_model::CouponId;
use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

/// The shop says every ten seconds that it is there.
const SILENCE_MOST: Duration = Duration::from_secs(30);
/// Longest line and longest event, bytes.
const LINE_MOST: usize = 256 << 10;

struct Event {
    id: Option<String>,
    kind: String,
    data: String,
}

/// Splits bytes into events, as the standard on server-sent events says.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    after_return: bool,
    kind: String,
    data: String,
    id: Option<String>,
    done: VecDeque<Event>,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), PlatformError> {
        for &byte in bytes {
            match byte {
                b'\n' if std::mem::take(&mut self.after_return) => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    self.take_line(&String::from_utf8_lossy(&line))?;
                }
                _ => {
                    self.after_return = false;
                    if self.line.len() >= LINE_MOST {
                        return Err(PlatformError::unread("a line of the stream is too long"));
                    }
                    self.line.push(byte);
                }
            }
        }
        Ok(())
    }

    fn take_line(&mut self, line: &str) -> Result<(), PlatformError> {
        if line.is_empty() {
            let (kind, data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
            if !data.is_empty() {
                self.done.push_back(Event { id: self.id.clone(), kind, data });
            }
            return Ok(());
        }
        let (field, value) = line.split_once(':').map_or((line, ""), |(f, v)| (f, v.strip_prefix(' ').unwrap_or(v)));
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                if self.data.len() + value.len() > LINE_MOST {
                    return Err(PlatformError::unread("an event of the stream is too long"));
                }
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // Comments and what a newer shop may add.
            _ => {}
        }
        Ok(())
    }
}

fn hint(event: Event) -> Hint {
    let about = match event.kind.as_str() {
        "order" => About::Orders,
        "product" => About::Products,
        "coupon" => match serde_json::from_str::<wire::CouponEvent>(&event.data) {
            Ok(told) => About::Coupon(CouponId::new(told.coupon.id)),
            Err(_) => About::Everything,
        },
        "comment" | "comment_hidden" => About::Comments,
        "pin" | "unpin" | "live" => About::Room,
        "reset" => About::Everything,
        _ => About::Nothing,
    };
    Hint { id: event.id, kind: event.kind, about }
}

type Chunks = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

struct Reading {
    chunks: Chunks,
    parser: Parser,
    over: bool,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<Hint, PlatformError>> {
        while !self.over {
            if let Some(event) = self.parser.done.pop_front() {
                return Some(Ok(hint(event)));
            }
            let gone = |detail: &str| PlatformError::Unreachable { sent: Sent::Maybe, detail: detail.to_owned() };
            let fault = match tokio::time::timeout(SILENCE_MOST, self.chunks.next()).await {
                Ok(Some(Ok(bytes))) => match self.parser.feed(&bytes) {
                    Ok(()) => continue,
                    Err(e) => e,
                },
                Ok(Some(Err(e))) => gone(&e.without_url().to_string()),
                Ok(None) => gone("the stream ended"),
                Err(_) => gone("the stream is silent"),
            };
            self.over = true;
            return Some(Err(fault));
        }
        None
    }
}

/// The hints of an opened stream.
pub(super) fn hints(response: Response) -> HintStream {
    let reading = Reading { chunks: Box::pin(response.bytes_stream()), parser: Parser::default(), over: false };
    stream::unfold(reading, |mut reading| async move {
        let hint = reading.next().await?;
        Some((hint, reading))
    })
    .boxed()
}

/// Reads bytes as a stream, whole and in two halves, for the fuzzer: both say the same.
#[cfg(any(test, fuzzing))]
pub(super) fn read_all(bytes: &[u8]) {
    let read = |parts: &[&[u8]]| {
        let mut parser = Parser::default();
        let fed: Result<Vec<()>, _> = parts.iter().map(|part| parser.feed(part)).collect();
        fed.map(|_| parser.done.into_iter().map(hint).collect::<Vec<_>>())
    };
    let (first, second) = bytes.split_at(bytes.len() / 2);
    assert_eq!(read(&[bytes]), read(&[first, second]));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&str]) -> Vec<Hint> {
        let mut parser = Parser::default();
        for part in parts {
            parser.feed(part.as_bytes()).expect("short");
        }
        parser.done.into_iter().map(hint).collect()
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = "retry: 1000\n\n: keep-alive\n\nid: 7\nevent: order\ndata: {\"id\":\"o\",\r\ndata: \"version\":7}\r\n\r\n\
                    event:viewers\ndata: {\"count\":2}\n\nid: 8\nevent: coupon\ndata: {\"coupon\":{\"id\":\"c-1\"}}\n\n";
        let expected = [
            Hint { id: Some("7".to_owned()), kind: "order".to_owned(), about: About::Orders },
            Hint { id: Some("7".to_owned()), kind: "viewers".to_owned(), about: About::Nothing },
            Hint { id: Some("8".to_owned()), kind: "coupon".to_owned(), about: About::Coupon(CouponId::new("c-1")) },
        ];
        assert_eq!(read(&[text]), expected);
        for cut in 1..text.len() {
            assert_eq!(read(&[&text[..cut], &text[cut..]]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn half_an_event_is_none_and_nonsense_is_a_reason_to_read_everything() {
        assert!(read(&["id: 1\nevent: order\ndata: {}"]).is_empty());
        assert_eq!(read(&["event: coupon\ndata: {\n\n"])[0].about, About::Everything);
        assert_eq!(read(&["event: reset\ndata: {}\n\n"])[0].about, About::Everything);
        assert_eq!(read(&["event: from-the-future\ndata: {}\n\n"])[0].about, About::Nothing);
    }

    #[test]
    fn endless_lines_end_the_stream() {
        let mut parser = Parser::default();
        assert!(parser.feed(&vec![b'x'; LINE_MOST + 1]).is_err());
        let mut parser = Parser::default();
        let line = format!("data: {}\n", "x".repeat(1_000));
        assert!((0..1_000).any(|_| parser.feed(line.as_bytes()).is_err()), "many lines of one event are bounded too");
    }
}
