use super::*;
use secrecy::ExposeSecret;

fn live(words: &[&str]) -> LiveArgs {
    let all = ["stallcast", "live"].iter().chain(words);
    match CommandLine::try_parse_from(all).expect("clap takes it").command {
        Some(Subcommands::Live(args)) => *args,
        other => panic!("not live: {other:?}"),
    }
}

fn refused(words: &[&str]) -> (String, u8) {
    let e = LivePlan::new(&live(words), "en").expect_err("must be refused");
    (e.code().to_owned(), e.exit_code())
}

#[test]
fn defaults_are_those_of_the_contract() {
    let plan = LivePlan::new(&live(&["--to", "rtmp://h/live/key"]), "en").expect("plan");
    let c = &plan.configuration;
    assert_eq!((&c.camera, &c.mic), (&CameraChoice::Demo, &MicChoice::Demo));
    assert_eq!((c.canvas.width, c.canvas.height, c.canvas.fps), (720, 1280, 30));
    assert_eq!((c.video_kbps, c.audio_kbps, c.low_latency), (2500, 128, false));
    assert_eq!(plan.for_s, None);
    assert!(plan.shop.is_none() && plan.recording.is_none() && !plan.attach);
}

#[test]
fn data_folder_stands_before_or_after_the_subcommand() {
    for words in [["stallcast", "--data", "/x", "status"], ["stallcast", "status", "--data", "/x"]] {
        let line = CommandLine::try_parse_from(words).expect("parse");
        assert_eq!(line.data, Some(PathBuf::from("/x")));
    }
    assert!(CommandLine::try_parse_from(["stallcast", "--data", "/x"]).expect("window").command.is_none());
}

#[test]
fn every_option_has_a_real_help_text() {
    use clap::CommandFactory;
    let mut root = CommandLine::command();
    root.build();
    let mut queue = vec![&root];
    let mut names = Vec::new();
    while let Some(command) = queue.pop() {
        for arg in command.get_arguments().filter(|a| !matches!(a.get_id().as_str(), "help" | "version")) {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.len() > 12, "{} of {} has no help", arg.get_id(), command.get_name());
            names.push(arg.get_long().unwrap_or_default().to_owned());
        }
        queue.extend(command.get_subcommands().filter(|c| c.get_name() != "help"));
    }
    for wanted in [
        "data",
        "camera",
        "mic",
        "canvas",
        "fps",
        "video-kbps",
        "audio-kbps",
        "low-latency",
        "to",
        "key-file",
        "record",
        "clean-feed",
        "overwrite",
        "shop",
        "listen",
        "pin",
        "for",
        "attach",
        "json",
        "passphrase-file",
    ] {
        assert!(names.iter().any(|n| n == wanted), "--{wanted} is missing");
    }
}

#[test]
fn wrong_values_are_usage_errors_with_a_code() {
    let to = ["--to", "rtmp://h/a"];
    let with = |more: &[&'static str]| {
        let words: Vec<&str> = to.iter().chain(more).copied().collect();
        refused(&words)
    };
    for (words, code) in [
        (vec!["--camera", "webcam"], "bad_source"),
        (vec!["--camera", "file:"], "bad_source"),
        (vec!["--camera", "none"], "bad_source"),
        (vec!["--mic", "demo:1"], "bad_source"),
        (vec!["--canvas", "721x1280"], "bad_canvas"),
        (vec!["--canvas", "720x1922"], "bad_canvas"),
        (vec!["--canvas", "158x720"], "bad_canvas"),
        (vec!["--canvas", "720"], "bad_canvas"),
        (vec!["--canvas", "+720x1280"], "bad_canvas"),
        (vec!["--fps", "0"], "bad_value"),
        (vec!["--fps", "121"], "bad_value"),
        (vec!["--video-kbps", "fast"], "bad_value"),
        (vec!["--audio-kbps", "8"], "bad_value"),
        (vec!["--for", "soon"], "bad_duration"),
        (vec!["--listen", "127.0.0.1:0"], "needs_option"),
        (vec!["--pin", "first"], "needs_option"),
        (vec!["--overwrite"], "needs_option"),
        (vec!["--shop", "--listen", "nonsense"], "bad_address"),
        (vec!["--record", "show.mkv"], "bad_record"),
        (vec!["--clean-feed"], "needs_option"),
        (vec!["--clean-feed", "clean.mkv"], "bad_record"),
        (vec!["--record", "show.mp4", "--clean-feed", "./show.mp4"], "clean_feed_same"),
        (vec!["--to", "rtmp://h/a", "--to", "rtmp://h/a", "--to", "rtmp://h/a", "--to", "rtmp://h/a"], "too_many_destinations"),
    ] {
        assert_eq!(with(&words), (code.to_owned(), 2), "{words:?}");
    }
    assert_eq!(refused(&[]), ("no_output".to_owned(), 2));
    assert_eq!(refused(&["--for", "5s"]), ("no_output".to_owned(), 2));
    assert_eq!(refused(&["--key-file", "k", "--shop"]), ("needs_option".to_owned(), 2));
}

#[test]
fn the_clean_feed_goes_beside_the_recording_or_where_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (show, clean, other) = (at("show.mp4"), at("show.clean.mp4"), at("b.mp4"));
    let path = |words: &[&str]| LivePlan::new(&live(words), "en").map(|plan| plan.clean_feed.map(|r| r.path.display().to_string()));
    assert_eq!(path(&["--record", &show]).expect("plan"), None, "only when it is asked for");
    assert_eq!(path(&["--record", &show, "--clean-feed", "--shop"]).expect("plan"), Some(clean.clone()));
    assert_eq!(path(&["--record", &show, "--clean-feed", &other]).expect("plan"), Some(other.clone()));
    assert_eq!(path(&["--shop", "--clean-feed", &other]).expect("no recording is needed"), Some(other.clone()));
    assert_eq!(path(&["--clean-feed", &other]).expect_err("a show needs somewhere to go").code(), "no_output");
    std::fs::write(&clean, "x").expect("written");
    assert_eq!(path(&["--record", &show, "--clean-feed"]).expect_err("what exists is not touched").code(), "file_exists");
    assert_eq!(path(&["--record", &show, "--clean-feed", "--overwrite"]).expect("plan"), Some(clean));
}

#[test]
fn addresses_must_be_rtmp_and_their_path_is_never_repeated() {
    for url in ["http://h/app", "rtmp:/h/app", "h/app", "rtmp://", "rtmp:///app", "rtmp://h", "rtmp://h/", "rtmp://h/a b", "srt://h/a"] {
        assert_eq!(refused(&["--to", url]), ("bad_url".to_owned(), 2), "{url}");
    }
    for url in ["https://live.example/app/canary-key", "rtmp://h/canary", "rtmp://u:canary@h/app/k", "canary"] {
        let e = LivePlan::new(&live(&["--to", url]), "en").expect_err(url);
        assert!(!format!("{e} {}", e.sentence(crate::Language::En)).contains("canary"), "{url}");
    }
    for url in ["rtmp://h/app/key", "rtmps://h:443/app/key?a=b", "rtmp://[::1]:1935/live/k"] {
        assert!(LivePlan::new(&live(&["--to", url]), "en").is_ok(), "{url}");
    }
}

#[test]
fn every_broken_rule_of_an_address_has_its_own_sentence() {
    let mut said = std::collections::BTreeSet::new();
    for (url, rule) in [
        ("http://www.douyin.example/live", "page"),
        ("https://pull.example/live/a.m3u8", "play"),
        ("srt://h:9000", "srt"),
        ("webrtc://h/live/k", "scheme"),
        ("h/live/k", "no_scheme"),
        ("rtmp://h:99999/live/k", "host"),
        ("rtmp://u:p@h/live/k", "user"),
        ("rtmp://h", "app"),
        ("rtmp://h/live", "key"),
        ("rtmp://h/li ve/k", "blank"),
    ] {
        let e = LivePlan::new(&live(&["--to", url]), "en").expect_err(url);
        assert_eq!((e.code(), e.params()["rule"].as_str()), ("bad_url", rule), "{url}");
        for language in [crate::Language::Zh, crate::Language::En] {
            assert!(said.insert(e.sentence(language)), "{rule} says what another one says");
        }
    }
}

#[test]
fn a_known_host_changes_the_encoder_and_says_so() {
    let plan = |words: &[&str]| LivePlan::new(&live(words), "en").expect("plan");
    let strict = plan(&["--to", "rtmp://live.twitch.tv/app/k", "--video-kbps", "9000", "--canvas", "1280x720"]);
    assert_eq!(strict.limits.video(9000), 6000);
    assert_eq!(
        strict.notes.iter().map(|(host, n)| (host.as_str(), n.code.as_str())).collect::<Vec<_>>(),
        [("live.twitch.tv", "lowered_video")]
    );
    let own = plan(&["--to", "rtmp://127.0.0.1/app/k", "--video-kbps", "9000"]);
    assert_eq!((own.limits, own.notes.len()), (EncoderLimits::default(), 0));
}

#[test]
fn times() {
    for (text, seconds) in [("20s", 20), ("10m", 600), ("1h30m", 5400), ("90", 90), ("1h0m5s", 3605), ("2h", 7200)] {
        assert_eq!(duration_s(text).expect(text), seconds, "{text}");
    }
    for text in ["", "0", "0s", "s", "5x", "-5", "1m1h", "5s5s", "1h5", "1.5h", "９s", "999999999999999999999", "8000000000s"] {
        assert!(duration_s(text).is_err(), "{text:?} must be refused");
    }
}

#[test]
fn files_that_are_missing_or_in_the_way_have_their_own_status() {
    let dir = tempfile::tempdir().expect("dir");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let clip = at("clip.mp4");
    let camera = format!("file:{clip}");
    assert_eq!(refused(&["--shop", "--camera", &camera]), ("file_missing".to_owned(), 3));
    std::fs::write(&clip, "x").expect("write");
    assert_eq!(refused(&["--record", &clip]), ("file_exists".to_owned(), 3));
    assert!(LivePlan::new(&live(&["--record", &clip, "--overwrite"]), "en").is_ok());
    assert_eq!(refused(&["--record", &clip, "--overwrite", "--camera", &camera]), ("file_exists".to_owned(), 3));
    assert_eq!(refused(&["--record", &at("no/such/folder.mp4")]), ("path_unwritable".to_owned(), 3));
}

#[test]
fn key_files_match_destinations_line_by_line() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("keys");
    let keys = path.display().to_string();
    let two = ["--to", "rtmp://h/a/x", "--to", "rtmp://h/b/y", "--key-file", keys.as_str()];
    assert_eq!(refused(&two), ("key_file_missing".to_owned(), 3));
    let read = |text: &str| {
        std::fs::write(&path, text).expect("write");
        LivePlan::new(&live(&two), "en")
            .map(|p| p.destinations.iter().map(|d| d.key.as_ref().map(|k| k.expose_secret().to_owned())).collect::<Vec<_>>())
            .map_err(|e| (e.code().to_owned(), e.exit_code()))
    };
    assert_eq!(read("k1\nk2\n"), Ok(vec![Some("k1".to_owned()), Some("k2".to_owned())]));
    assert_eq!(read("\r\nk2"), Ok(vec![None, Some("k2".to_owned())]));
    assert_eq!(read("k1\n\n"), Ok(vec![Some("k1".to_owned()), None]));
    for text in ["", "k1", "k1\nk2\nk3\n"] {
        assert_eq!(read(text), Err(("key_file_count".to_owned(), 2)), "{text:?}");
    }
    std::fs::write(&path, "canary-key\nk2").expect("write");
    let plan = LivePlan::new(&live(&two), "en").expect("plan");
    assert!(!format!("{plan:?}").contains("canary"), "keys must not print");
}
