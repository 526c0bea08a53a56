//! HTTP/1.1 by hand, so that an answer can end anywhere.

use crate::Outcome;
use std::collections::HashMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest head and longest body of a question, bytes.
const MOST: usize = 1 << 20;

pub struct Question {
    pub method: String,
    pub path: String,
    pub query: HashMap<String, String>,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Question {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn number(&self, name: &str) -> i64 {
        self.query.get(name).and_then(|v| v.parse().ok()).unwrap_or(0)
    }
}

pub struct Connection {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Connection {
    pub const fn new(stream: TcpStream) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// The next question; `None` when the other side is gone.
    pub async fn question(&mut self) -> Outcome<Option<Question>> {
        let head_end = loop {
            if let Some(at) = self.rest.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            if !self.fill().await? {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&self.rest[..head_end]).into_owned();
        self.rest.drain(..head_end + 4);
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (first.next().unwrap_or_default().to_owned(), first.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pair = |(k, v): (&str, &str)| (k.to_owned(), v.to_owned());
        let query = query.split('&').filter_map(|p| p.split_once('=')).map(pair).collect();
        let header = |line: &str| line.split_once(':').map(|(k, v)| (k.to_ascii_lowercase(), v.trim().to_owned()));
        let headers: HashMap<String, String> = lines.filter_map(header).collect();
        let length: usize = headers.get("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        while self.rest.len() < length {
            if !self.fill().await? {
                return Ok(None);
            }
        }
        let body = self.rest.drain(..length).collect();
        Ok(Some(Question { method, path: path.to_owned(), query, headers, body }))
    }

    async fn fill(&mut self) -> Outcome<bool> {
        let read = self.stream.read_buf(&mut self.rest).await?;
        if self.rest.len() > MOST {
            return Err("a question that is too long".into());
        }
        Ok(read > 0)
    }

    /// Answers; with `cut`, only so many bytes of the body, and then nothing more.
    pub async fn answer(&mut self, status: u16, headers: &str, body: &[u8], cut: Option<usize>) -> Outcome {
        let date = httpdate::fmt_http_date(std::time::SystemTime::now());
        let head = format!("HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(&body[..cut.unwrap_or(body.len()).min(body.len())]).await?;
        Ok(self.stream.flush().await?)
    }

    /// Bytes as they are, for an event stream.
    pub async fn write(&mut self, text: &str) -> Outcome {
        self.stream.write_all(text.as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    /// Until the other side goes away.
    pub async fn silence(&mut self) {
        while self.fill().await.unwrap_or(false) {
            self.rest.clear();
        }
    }
}
