//! The protocol `preview:` that gives pages their pictures as bytes, never as JSON:
//! `/frame?after=SEQ&side=PIXELS` waits for the newest program picture other than number SEQ (204 when none came in time,
//! header `x-seq` = its number), of about the size it is shown at; `/picture/SHOP/ID?v=…` is a product's picture.

use crate::open::Desk;
use std::time::Duration;
use tauri::http::{Request, Response, StatusCode, header};
use tauri::{Manager, UriSchemeContext, UriSchemeResponder, Wry};

/// Longest wait of one long poll.
const WAIT: Duration = Duration::from_secs(2);
/// Kinds a page may be given; anything else a shop claims is not passed on.
const KINDS: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/gif"];

pub(crate) fn serve(context: UriSchemeContext<'_, Wry>, request: Request<Vec<u8>>, responder: UriSchemeResponder) {
    let app = context.app_handle().clone();
    tauri::async_runtime::spawn(async move {
        let desk = app.state::<Desk>();
        let path = request.uri().path().trim_start_matches('/');
        let answer = match (desk.studio(), path.split_once('/').unwrap_or((path, ""))) {
            (Ok(studio), ("frame", "")) => {
                let query = request.uri().query();
                let picture = studio.preview(number("after=", query), number("side=", query).try_into().unwrap_or(0), WAIT).await;
                match picture {
                    Some(p) => answer(StatusCode::OK, "image/jpeg", &p.seq.to_string(), p.jpeg.to_vec()),
                    None => answer(StatusCode::NO_CONTENT, "image/jpeg", "", Vec::new()),
                }
            }
            (Ok(studio), ("picture", of)) => {
                let (shop, id) = ids(of);
                match studio.product_picture(&shop, &id).await {
                    Some((kind, bytes)) if KINDS.contains(&kind.as_str()) => answer(StatusCode::OK, &kind, "", bytes.to_vec()),
                    _ => answer(StatusCode::NOT_FOUND, "image/png", "", Vec::new()),
                }
            }
            (Ok(_), _) => answer(StatusCode::NOT_FOUND, "text/plain", "", Vec::new()),
            (Err(_), _) => answer(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "", Vec::new()),
        };
        responder.respond(answer);
    });
}

/// Two ids as `SHOP/ID`, each escaped.
fn ids(of: &str) -> (String, String) {
    let (shop, id) = of.split_once('/').unwrap_or((of, ""));
    (unescaped(shop), unescaped(id))
}

fn answer(status: StatusCode, kind: &str, seq: &str, body: Vec<u8>) -> Response<Vec<u8>> {
    let caching = if seq.is_empty() && status == StatusCode::OK { "private, max-age=3600" } else { "no-store" };
    let built = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind)
        .header(header::CACHE_CONTROL, caching)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        // The pages have another scheme; nobody else can reach this one.
        .header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        .header(header::ACCESS_CONTROL_EXPOSE_HEADERS, "x-seq")
        .header("x-seq", seq)
        .body(body);
    built.unwrap_or_default()
}

fn number(name: &str, query: Option<&str>) -> u64 {
    let value = query.and_then(|q| q.split('&').find_map(|pair| pair.strip_prefix(name)));
    value.and_then(|v| v.parse().ok()).unwrap_or(0)
}

/// Percent signs undone; what is not UTF-8 then names nothing.
fn unescaped(text: &str) -> String {
    let (mut out, mut bytes) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits: Vec<u8> = bytes.by_ref().take(2).collect();
        match std::str::from_utf8(&digits).ok().filter(|d| d.len() == 2).and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(value) => out.push(value),
            None => return String::new(),
        }
    }
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_and_nonsense_is_nothing() {
        let after = |query| number("after=", query);
        assert_eq!((after(Some("after=17&side=640")), number("side=", Some("after=17&side=640"))), (17, 640));
        assert_eq!(after(Some("x=1&after=18446744073709551615")), u64::MAX);
        assert_eq!((after(None), after(Some("after=-1")), after(Some("after="))), (0, 0, 0));
        assert_eq!(ids("local/%E8%8C%B6%2F1"), ("local".to_owned(), "茶/1".to_owned()));
        assert_eq!(ids("p1"), ("p1".to_owned(), String::new()));
        assert_eq!(unescaped("%E8%8C%B6%2F1"), "茶/1");
        assert_eq!((unescaped("%zz").as_str(), unescaped("%E").as_str(), unescaped("%ff").as_str()), ("", "", ""));
    }
}
