//! The live picture over real HTTP: answers held back until there is more, a limit on who waits, and buyers who do not
//! notice. The folder is written to as the media process does it: another name first, then a rename.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use stallcast_clock::SystemClock;
use stallcast_shop::{RunningShop, ShopOptions};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Far more than anything here takes, far less than the three target durations that a request is held.
const SOON: Duration = Duration::from_secs(4);

struct Fixture {
    shop: RunningShop,
    client: Client,
    data: TempDir,
}

impl Fixture {
    async fn open() -> Self {
        let data = tempfile::tempdir().unwrap();
        let options = ShopOptions { data: data.path().to_owned(), listen: "127.0.0.1:0".parse().unwrap() };
        let shop = stallcast_shop::start(options, Arc::new(SystemClock)).await.unwrap();
        Self { shop, client: Client::new(), data }
    }

    fn live(&self) -> PathBuf {
        self.data.path().join("live")
    }

    fn put(&self, name: &str, bytes: &str) {
        let hidden = self.live().join(format!(".{name}.tmp"));
        fs::write(&hidden, bytes).unwrap();
        fs::rename(hidden, self.live().join(name)).unwrap();
    }

    /// Writes the next part and lists it, as after `whole` segments and `parts` of the next.
    fn grow(&self, whole: u64, parts: u64) {
        self.put(&format!("part-{whole}-{}.m4s", parts.max(1) - 1), "part");
        self.put("stream.m3u8", &list(whole, parts));
    }

    async fn get(&self, path: &str) -> (StatusCode, String, String) {
        let answer = self.client.get(format!("{}/live/{path}", self.shop.url())).send().await.unwrap();
        let caching = answer.headers()["cache-control"].to_str().unwrap().to_owned();
        (answer.status(), caching, answer.text().await.unwrap())
    }

    async fn text(&self, path: &str) -> String {
        let (status, _, text) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        text
    }

    /// The list that is served is the one that was written.
    async fn settled(&self, text: &str) {
        let begun = Instant::now();
        loop {
            let (_, _, now) = self.get("stream.m3u8").await;
            if now == text {
                return;
            }
            assert!(begun.elapsed() < SOON, "still {now}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Segments 0.. before `whole` (the last six of them), then `parts` of the next.
fn list(whole: u64, parts: u64) -> String {
    let first = whole.saturating_sub(6);
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.500000\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
    for n in first..whole {
        let _ = write!(text, "#EXTINF:2.000000,\nseg-{n}.m4s\n");
    }
    for n in 0..parts {
        let _ = writeln!(text, "#EXT-X-PART:DURATION=0.500000,URI=\"part-{whole}-{n}.m4s\"");
    }
    let _ = writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-{whole}-{parts}.m4s\"");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_held_back_until_the_part_is_there() {
    let fixture = Arc::new(Fixture::open().await);
    assert_eq!(fixture.get("stream.m3u8?_HLS_msn=0").await.0, StatusCode::NOT_FOUND, "no show is no reason to wait");
    fixture.grow(3, 1);
    fixture.settled(&list(3, 1)).await;

    // What is there is given at once, whatever the number of the part.
    for there in ["stream.m3u8", "stream.m3u8?_HLS_msn=2", "stream.m3u8?_HLS_msn=3&_HLS_part=0", "stream.m3u8?_HLS_msn=1&_HLS_part=9"] {
        assert_eq!(fixture.text(there).await, list(3, 1));
    }
    let ask = |path: &'static str| {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move { (fixture.get(path).await, Instant::now()) })
    };
    let (part, hinted, whole) = (ask("stream.m3u8?_HLS_msn=3&_HLS_part=1"), ask("part-3-1.m4s"), ask("stream.m3u8?_HLS_msn=3"));
    // Other files and other lists wake nobody too early.
    fixture.put("seg-2.m4s", "segment");
    assert_eq!(fixture.text("seg-2.m4s").await, "segment");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!part.is_finished() && !hinted.is_finished() && !whole.is_finished());

    let grown = Instant::now();
    fixture.grow(3, 2);
    let ((status, caching, text), at) = part.await.unwrap();
    assert_eq!((status, &*caching, text), (StatusCode::OK, "public, max-age=12", list(3, 2)));
    let woken = at - grown;
    eprintln!("woken after {woken:?}");
    assert!(woken < Duration::from_millis(400), "an event, not a look each quarter of a second: {woken:?}");
    let ((status, caching, text), _) = hinted.await.unwrap();
    assert_eq!((status, &*caching, &*text), (StatusCode::OK, "public, max-age=60, immutable", "part"));
    assert!(!whole.is_finished(), "the segment is not whole yet");
    fixture.grow(4, 0);
    assert_eq!(whole.await.unwrap().0.2, list(4, 0));
    assert_eq!(fixture.get("stream.m3u8").await.1, "public, max-age=1");
    assert_eq!(fixture.get("part-9-9.m4s").await.0, StatusCode::NOT_FOUND, "never announced: no wait");
    assert_eq!(fixture.shop.counters(), stallcast_shop::Counters::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_wishes_are_refused_and_what_never_comes_is_given_up() {
    let fixture = Arc::new(Fixture::open().await);
    fixture.grow(3, 1);
    fixture.settled(&list(3, 1)).await;
    for (wish, status) in [
        ("_HLS_part=1", 400),
        ("_HLS_msn=soon", 400),
        ("_HLS_msn=-1", 400),
        ("_HLS_msn=3&_HLS_part=x", 400),
        ("_HLS_msn=18446744073709551616", 400),
        ("_HLS_msn=5", 400),
        ("_HLS_msn=3&_HLS_part=7", 400),
        ("_HLS_msn=2&_HLS_skip=YES", 200),
    ] {
        let (got, _, text) = fixture.get(&format!("stream.m3u8?{wish}")).await;
        assert_eq!(got.as_u16(), status, "{wish}: {text}");
    }
    // The media process died: what waits is told so after three target durations.
    let begun = Instant::now();
    let (list_answer, part_answer) = tokio::join!(fixture.get("stream.m3u8?_HLS_msn=3&_HLS_part=1"), fixture.get("part-3-1.m4s"));
    assert_eq!((list_answer.0, part_answer.0), (StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE));
    assert!((5.5..9.0).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    assert_eq!(fixture.shop.counters().live_late, 2);

    // It is back with another segment: whoever waited for a part of the old one has it.
    let waiting = Arc::clone(&fixture);
    let waiting = tokio::spawn(async move { waiting.get("stream.m3u8?_HLS_msn=3&_HLS_part=1").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    fixture.grow(4, 1);
    assert_eq!(waiting.await.unwrap().2, list(4, 1));

    // The end of the show frees everybody.
    let waiting = Arc::clone(&fixture);
    let waiting = tokio::spawn(async move { waiting.get("stream.m3u8?_HLS_msn=4&_HLS_part=1").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let last = format!("{}#EXT-X-ENDLIST\n", list(4, 1));
    fixture.put("stream.m3u8", &last);
    assert_eq!(tokio::time::timeout(SOON, waiting).await.unwrap().unwrap().2, last);
    assert_eq!(fixture.text("stream.m3u8?_HLS_msn=99").await, last, "nothing more will come: nothing to wait for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_replaced_is_watched_again() {
    let fixture = Fixture::open().await;
    fixture.grow(3, 1);
    fixture.settled(&list(3, 1)).await;
    fs::remove_dir_all(fixture.live()).unwrap();
    let begun = Instant::now();
    while fixture.get("stream.m3u8").await.0 != StatusCode::NOT_FOUND || !fixture.live().is_dir() {
        assert!(begun.elapsed() < SOON, "a list that is gone is still served");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fixture.grow(3, 2);
    fixture.settled(&list(3, 2)).await;
    // Not a playlist, a folder of that name, an endless one: no list, and nothing breaks.
    fixture.put("stream.m3u8", "<html>");
    fixture.gone().await;
    fs::remove_file(fixture.live().join("stream.m3u8")).unwrap();
    fs::create_dir(fixture.live().join("stream.m3u8")).unwrap();
    fixture.gone().await;
    fs::remove_dir(fixture.live().join("stream.m3u8")).unwrap();
    fixture.grow(3, 3);
    fixture.settled(&list(3, 3)).await;
}

impl Fixture {
    async fn gone(&self) {
        let begun = Instant::now();
        while self.get("stream.m3u8").await.0 != StatusCode::NOT_FOUND {
            assert!(begun.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A connection from an address of its own that asks and does not read the answer.
    async fn hang(&self, from: &str, path: &str) -> Option<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(from.parse().unwrap()).unwrap();
        let mut stream = socket.connect(self.shop.address()).await.ok()?;
        let request = format!("GET /live/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        Some(stream)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_with_a_thousand_connections_does_not_keep_a_buyer_from_paying() {
    let fixture = Arc::new(Fixture::open().await);
    fixture.grow(3, 1);
    fixture.settled(&list(3, 1)).await;
    // All of them wait for the same part, from one address that is not the buyer's.
    let mut hanging = vec![];
    for _ in 0..1000 {
        hanging.extend(fixture.hang("127.0.0.9:0", "stream.m3u8?_HLS_msn=3&_HLS_part=1").await);
    }
    let begun = Instant::now();
    while fixture.shop.counters().live_refused == 0 || fixture.shop.counters().connections_refused == 0 {
        assert!(begun.elapsed() < SOON, "{:?}", fixture.shop.counters());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // While the show goes on and every part wakes six hundred.
    let growing = {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move {
            for n in 2..400 {
                fixture.grow(3, n);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let mut longest = Duration::ZERO;
    for n in 0..20 {
        let begun = Instant::now();
        let form = json!({
            "lines": [{ "skuId": "BS-03", "quantity": 1 }],
            "buyer": { "name": "林小姐", "phone": "13800138000", "address": "杭州市西湖区 1 号" },
        });
        let request = fixture.client.post(format!("{}/api/orders", fixture.shop.url())).json(&form);
        let answer = request.header("X-Viewer", format!("viewer-{n:02}")).header("Idempotency-Key", "once").send().await.unwrap();
        assert!([StatusCode::CREATED, StatusCode::CONFLICT].contains(&answer.status()), "{}", answer.status());
        let _: Value = answer.json().await.unwrap();
        longest = longest.max(begun.elapsed());
    }
    growing.abort();
    eprintln!("longest checkout {longest:?}, {:?}", fixture.shop.counters());
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    // A viewer elsewhere still gets the picture as it comes.
    let mut other = fixture.hang("127.0.0.10:0", "stream.m3u8").await.unwrap();
    let mut head = [0; 15];
    tokio::time::timeout(SOON, other.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    drop(hanging);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_ends_at_once_although_players_wait() {
    let fixture = Fixture::open().await;
    fixture.grow(3, 1);
    fixture.settled(&list(3, 1)).await;
    let mut waiting = fixture.hang("127.0.0.9:0", "stream.m3u8?_HLS_msn=3&_HLS_part=1").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    fixture.shop.stop().await;
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    let mut answer = String::new();
    let _ = waiting.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}
