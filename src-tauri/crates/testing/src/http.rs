//! One HTTP request on one connection: all that a buyer in a test needs.

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(20);

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, `Null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as JSON if the status is 2xx.
    ///
    /// # Errors
    /// Status and body of a refusal.
    pub fn ok(self) -> anyhow::Result<Value> {
        ensure!((200..300).contains(&self.status), "{}: {}", self.status, self.text());
        Ok(self.json())
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// GET.
///
/// # Errors
/// No connection, no answer.
pub fn get(url: &str) -> anyhow::Result<Answer> {
    request("GET", url, &[], None)
}

/// Sends one request and reads the whole answer.
///
/// # Errors
/// No connection, no answer, or something that is not HTTP.
pub fn request(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) -> anyhow::Result<Answer> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is not http://"))?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let mut stream = TcpStream::connect(host).with_context(|| format!("nobody at {host}"))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let body = body.map(Value::to_string);
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = &body {
        head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.unwrap_or_default().as_bytes())?;
    read(BufReader::new(stream))
}

fn read(mut from: BufReader<TcpStream>) -> anyhow::Result<Answer> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).with_context(|| format!("not HTTP: {line:?}"))?;
    let mut headers = vec![];
    loop {
        line.clear();
        ensure!(from.read_line(&mut line)? > 0, "the head of the answer is cut off");
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned())),
            None if line.trim_end().is_empty() => break,
            None => bail!("not a header: {line:?}"),
        }
    }
    let value = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let mut body = vec![];
    if value("transfer-encoding") == Some("chunked") {
        loop {
            line.clear();
            from.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim().split(';').next().unwrap_or_default(), 16).context("not a chunk")?;
            from.by_ref().take(size).read_to_end(&mut body)?;
            from.read_line(&mut line)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = value("content-length") {
        let length: u64 = length.parse()?;
        from.by_ref().take(length).read_to_end(&mut body)?;
        ensure!(body.len() as u64 == length, "the body is cut off");
    } else {
        from.read_to_end(&mut body)?;
    }
    Ok(Answer { status, headers, body })
}
