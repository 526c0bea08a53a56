use super::*;
use crate::messages::Language;

#[cfg(unix)]
const LIMIT: Duration = Duration::from_secs(30);

fn at(text: &str) -> SocketAddr {
    text.parse().expect("address")
}

#[test]
fn the_network_is_let_in_only_when_it_is_asked_for() {
    let (open, last) = (at("192.168.1.20:8080"), Some(at("192.168.1.20:8080")));
    assert_eq!(first_wish(None, last), at("127.0.0.1:8080"), "the port is kept, the network is not");
    assert_eq!(first_wish(None, None), at("127.0.0.1:0"));
    assert_eq!(first_wish(Some(open), None), open);
    assert_eq!(first_wish(Some(at("0.0.0.0:0")), last), at("0.0.0.0:8080"), "any port: the one that viewers know");
    assert_eq!(first_wish(Some(at("0.0.0.0:81")), last), at("0.0.0.0:81"));
}

#[test]
fn a_shop_that_comes_back_lets_in_whom_it_let_in_before() {
    let shop = |bound: Option<&str>| ShopAddress { url: "http://127.0.0.1:8080".to_owned(), bound: bound.map(at), pid: 1 };
    let start = |listen: Option<&str>| ShopStart { data: PathBuf::new(), exe: PathBuf::new(), listen: listen.map(at) };
    for (asked, bound, next) in [
        (None, Some("0.0.0.0:8080"), "0.0.0.0:8080"),
        (Some("0.0.0.0:0"), Some("0.0.0.0:8080"), "0.0.0.0:8080"),
        (Some("127.0.0.1:0"), Some("127.0.0.1:8080"), "127.0.0.1:8080"),
        // Shops of earlier versions do not say.
        (Some("0.0.0.0:8080"), None, "0.0.0.0:8080"),
        (Some("0.0.0.0:0"), None, "0.0.0.0:8080"),
        (None, None, "127.0.0.1:8080"),
    ] {
        assert_eq!(start(asked).after(&shop(bound)), at(next), "{asked:?} {bound:?}");
    }
    for (asked, bound, is_met) in [
        (None, Some("0.0.0.0:8080"), true),
        (Some("0.0.0.0:0"), Some("0.0.0.0:8080"), true),
        (Some("0.0.0.0:8080"), Some("0.0.0.0:8080"), true),
        (Some("0.0.0.0:8081"), Some("0.0.0.0:8080"), false),
        (Some("0.0.0.0:8080"), Some("127.0.0.1:8080"), false),
        (Some("127.0.0.1:8080"), Some("0.0.0.0:8080"), false),
        (Some("0.0.0.0:8080"), None, false),
    ] {
        assert_eq!(start(asked).is_met_by(&shop(bound)), is_met, "{asked:?} {bound:?}");
    }
}

/// Answers whatever it is asked as a shop would.
#[cfg(target_os = "linux")]
async fn answer_all(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_left_by_a_shop_that_was_cut_off_ends_no_other_process() {
    let dir = tempfile::tempdir().expect("dir");
    let data = dir.path();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    let answering = tokio::spawn(answer_all(listener));
    let mut other = std::process::Command::new("sleep").arg("600").spawn().expect("process");
    let left = serde_json::json!({ "url": url, "bound": url.trim_start_matches("http://"), "pid": other.id() });
    std::fs::write(data.join("shop.json"), left.to_string()).expect("file");
    let lock = std::fs::File::create(data.join("shop.lock")).expect("lock");

    let (running, ended) = (ShopAddress::running(data).await, end_orphan(data).await);
    let spared = other.try_wait().expect("wait").is_none();
    // A shop that lives holds the lock.
    lock.lock().expect("held");
    let (held, process) = ShopAddress::answering(data).await.expect("a shop that runs");
    assert_eq!(held.pid, other.id());
    process.kill();
    other.wait().expect("ended");
    assert!(Stranger::of(held.pid).is_none());
    assert!(running.is_none() && ended.is_none() && spared, "{running:?} {ended:?} {spared}");
    answering.abort();
}

#[cfg(unix)]
fn lives(pid: u32) -> bool {
    let process = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("number");
    rustix::process::test_kill_process(process).is_ok()
}

#[cfg(unix)]
#[tokio::test]
async fn a_shop_that_came_up_while_the_studio_closed_ends_with_it() {
    let dir = tempfile::tempdir().expect("dir");
    let data = dir.path();
    let ready = r#"{"type":"ready","url":"http://127.0.0.1:9"}"#;
    std::fs::write(data.join("shop"), format!("echo '{ready}'; exec sleep 600")).expect("script");
    let start = ShopStart { data: data.to_owned(), exe: PathBuf::from("/bin/sh"), listen: None };
    let (tasks, (told, _news)) = (Tasks::new(), mpsc::channel(1));
    let pid = ShopProcess::start(start, &tasks, told).await.expect("ready").address().pid;
    let ended = tasks.stop(LIMIT).await;
    let lived = lives(pid);
    if lived {
        process::terminate(pid);
    }
    assert!(ended && !lived, "nobody stops it any more: {ended} {lived}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_shop_that_nobody_waits_for_any_more_ends() {
    let dir = tempfile::tempdir().expect("dir");
    let data = dir.path();
    // The shell runs the file `shop` of the folder, which says nothing, like a shop that writes its first catalogue.
    std::fs::write(data.join("shop"), "echo $$ > pid.new; mv pid.new pid; exec sleep 600").expect("script");
    let start = ShopStart { data: data.to_owned(), exe: PathBuf::from("/bin/sh"), listen: None };
    let begun = async {
        loop {
            match std::fs::read_to_string(data.join("pid")) {
                Ok(text) => return text.trim().parse::<u32>().expect("number"),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let pid = tokio::select! {
        started = begin(&start) => panic!("it never says that it listens: {:?}", started.err()),
        pid = tokio::time::timeout(LIMIT, begun) => pid.expect("it begins"),
    };
    let ended = async {
        // Until somebody has collected what is left of it, too.
        while lives(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let ended = tokio::time::timeout(LIMIT, ended).await;
    if ended.is_err() {
        process::terminate(pid);
    }
    assert!(ended.is_ok(), "it lives on without anybody who knows of it");
}

#[test]
fn every_reason_has_a_sentence_with_its_values() {
    let dir = tempfile::tempdir().expect("dir");
    let listen = SocketAddr::from(([127, 0, 0, 1], 80));
    let io = |kind| std::io::Error::from(kind);
    let path = || PathBuf::from("/d/shop.db");
    for (error, code, exit) in [
        (ShopError::PortInUse { address: listen }, "port_in_use", 5),
        (ShopError::AddressUnusable { address: listen, source: io(std::io::ErrorKind::AddrNotAvailable) }, "bad_address", 2),
        (ShopError::DataUnwritable { path: path(), source: io(std::io::ErrorKind::PermissionDenied) }, "data_unwritable", 5),
        (ShopError::DataUnwritable { path: path(), source: io(std::io::ErrorKind::StorageFull) }, "disk_full", 5),
        (ShopError::AlreadyRunning { path: path() }, "folder_busy", 5),
        (ShopError::NewerDatabase { path: path(), found: 9, known: 2 }, "database_newer", 5),
        (ShopError::DatabaseBroken { path: path(), detail: "x".to_owned() }, "database_broken", 5),
        (ShopError::Internal { detail: "x".to_owned() }, "shop_down", 5),
    ] {
        let told = start_error(&error, listen, dir.path());
        assert_eq!((told.code(), told.exit_code()), (code, exit));
        for language in [Language::Zh, Language::En] {
            let sentence = told.sentence(language);
            assert!(!sentence.contains('{') && (code == "folder_busy" || !sentence.contains("?")), "{sentence}");
        }
    }
}
