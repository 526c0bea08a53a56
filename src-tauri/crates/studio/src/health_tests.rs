use super::*;
use stallcast_engine::protocol::LinkStatus;

#[test]
fn good_news_closes_its_problem_and_leaves() {
    let mut board = HealthBoard::default();
    board.take(&Health::new(HealthCode::DestinationLost).with("host", "a"), 0);
    board.take(&Health::new(HealthCode::DestinationLost).with("host", "b"), 1);
    board.take(&Health::new(HealthCode::DestinationBack).with("host", "a"), 2);
    let codes = |b: &HealthBoard| b.view().into_iter().map(|h| (h.code, h.level)).collect::<Vec<_>>();
    let pair = |c: &str, l: &str| (c.to_owned(), l.to_owned());
    assert_eq!(codes(&board), [pair("destination_back", "good"), pair("destination_lost", "bad")]);
    assert!(board.expire(GOOD_MS + 2));
    assert_eq!(codes(&board), [pair("destination_lost", "bad")], "an open problem stays until it is answered");
    board.show_over();
    assert!(board.view().is_empty());
}

fn state(links: &[(&str, LinkState)]) -> State {
    let link = |(id, state): &(&str, LinkState)| LinkStatus {
        id: (*id).to_owned(),
        host: "one".to_owned(),
        state: *state,
        bytes_sent: 0,
        reconnects: 0,
        dropped: 0,
        behind_ms: 0,
    };
    State { camera: "cam".to_owned(), mic: "mic".to_owned(), links: links.iter().map(link).collect(), ..crate::hub::silent_state() }
}

fn board(codes: &[HealthCode]) -> HealthBoard {
    let mut board = HealthBoard::default();
    for code in codes {
        board.take(&Health::new(*code).with("host", "one").with("id", "a"), 0);
    }
    board
}

fn codes(board: &HealthBoard) -> Vec<String> {
    board.view().into_iter().map(|h| h.code).collect()
}

#[test]
fn what_stands_well_again_in_another_way_closes_its_problem_alone() {
    use HealthCode as H;
    use LinkState::{Connecting, Publishing};
    let all = [H::CameraLost, H::MicLost, H::DestinationUnreachable, H::RecordingFailed, H::CleanFeedStopped, H::ViewersLost];
    let file = |name: &str| Some(PathBuf::from(name));
    let before = State { recording: file("a.mp4"), ..state(&[("a", Connecting)]) };
    let again = |change: fn(&mut State)| {
        let mut now = before.clone();
        change(&mut now);
        let mut board = board(&all);
        let went = board.follow(Some(&before), &now);
        let left = codes(&board);
        assert_eq!(went, left.len() < all.len());
        all.map(super::word).into_iter().filter(|code| !left.contains(code)).collect::<Vec<_>>()
    };
    assert!(again(|s| s.muted = true).is_empty());
    assert!(again(|s| (s.camera.clear(), s.mic.clear()).0).is_empty(), "nothing is opened yet");
    assert_eq!(again(|s| s.camera = "other".to_owned()), ["camera_lost"]);
    assert_eq!(again(|s| s.mic = "other".to_owned()), ["mic_lost"]);
    assert_eq!(again(|s| s.links[0].state = Publishing), ["destination_unreachable"]);
    assert!(again(|s| s.recording = None).is_empty());
    assert_eq!(again(|s| s.recording = Some(PathBuf::from("b.mp4"))), ["recording_failed"]);
    assert_eq!(again(|s| s.clean_feed = Some(PathBuf::from("b.mp4"))), ["clean_feed_stopped"]);
    assert_eq!(again(|s| s.hls = true), ["viewers_lost"]);
    let told_after = State { hls: true, ..state(&[("a", Publishing)]) };
    let mut board = board(&all);
    assert!(!board.follow(Some(&told_after), &told_after), "a state from before the loss answers nothing");
    board.follow(None, &told_after);
    assert_eq!(codes(&board).len(), all.len() - 2, "the first state of a process is news");
}

#[test]
fn each_of_two_destinations_on_one_host_has_its_own_word() {
    use LinkState::{Publishing, Reconnecting, Refused};
    let of = |code, id: &str| Health::new(code).with("host", "one").with("id", id);
    let mut board = HealthBoard::default();
    board.take(&of(HealthCode::DestinationRefused, "a"), 0);
    board.take(&of(HealthCode::DestinationLost, "b"), 1);
    board.take(&of(HealthCode::DestinationBack, "b"), 2);
    assert_eq!(codes(&board), ["destination_back", "destination_refused"], "the other one is still refused");
    let (before, now) = (state(&[("a", Refused), ("b", Reconnecting)]), state(&[("a", Refused), ("b", Publishing)]));
    assert!(!board.follow(Some(&before), &now));
    assert!(board.follow(Some(&now), &state(&[("a", Publishing), ("b", Publishing)])));
    assert_eq!(codes(&board), ["destination_back"], "good news stays its time");
}

fn stats(link: LinkState, picture_percent: u32, disk_minutes: u64) -> Stats {
    let links = state(&[("a", link)]).links;
    Stats { picture_percent, disk_minutes: Some(disk_minutes), links, ..Stats::default() }
}

#[test]
fn what_lasts_is_said_as_long_as_it_lasts_with_the_figures_of_now() {
    use HealthCode as H;
    let mut lasting = board(&[H::DestinationSlow, H::PictureLowered, H::DiskSaving, H::OnBattery]);
    lasting.figures(&stats(LinkState::Publishing, 41, 7));
    assert!(!lasting.expire(i64::MAX / 2), "nobody repeats it, and it is still so");
    let said = |board: &HealthBoard, code: &str, name: &str| {
        board.view().into_iter().find(|h| h.code == code).and_then(|h| h.params.get(name).cloned())
    };
    assert_eq!(said(&lasting, "picture_lowered", "percent").as_deref(), Some("41"));
    assert_eq!(said(&lasting, "disk_saving", "minutes").as_deref(), Some("7"));
    assert_eq!(said(&lasting, "on_battery", "minutes"), None);
    let mut lost = board(&[H::DestinationSlow, H::OnBattery]);
    lost.figures(&stats(LinkState::Refused, 100, 7));
    assert_eq!(codes(&lost), ["on_battery"], "one that is refused is not slow");
    for (answer, left) in [(H::PowerBack, 3), (H::DiskEnough, 2), (H::PictureRestored, 1), (H::DestinationCaughtUp, 0)] {
        lasting.take(&Health::new(answer).with("host", "one").with("id", "a"), 1);
        assert_eq!(lasting.view().iter().filter(|h| h.level == "warn").count(), left);
    }
    let all = [H::DestinationSlow, H::PictureLowered, H::DiskLow, H::OnBattery];
    let (mut over, mut restarted, mut unrecorded) = (board(&all), board(&all), board(&all));
    over.show_over();
    restarted.engine_restarted();
    assert!(over.view().is_empty() && restarted.view().is_empty());
    let recorded = State { recording: Some(PathBuf::from("a.mp4")), ..state(&[]) };
    unrecorded.follow(Some(&recorded), &state(&[]));
    assert!(!codes(&unrecorded).contains(&"disk_low".to_owned()), "nothing is recorded");
    let mut clean_only = board(&all);
    let clean = State { clean_feed: Some(PathBuf::from("a.clean.mp4")), ..state(&[]) };
    clean_only.follow(Some(&clean), &clean);
    assert!(codes(&clean_only).contains(&"disk_low".to_owned()), "it fills the disk too");
    clean_only.follow(Some(&clean), &state(&[]));
    assert!(!codes(&clean_only).contains(&"disk_low".to_owned()), "no file is written");
}

#[test]
fn with_the_show_its_problems_end_and_with_the_media_process_those_of_its_devices() {
    use HealthCode as H;
    let mut board = board(&[H::CameraLost, H::MicLost, H::BatteryLow, H::ViewersLost, H::CleanFeedFailed, H::RecordingStopped]);
    board.show_over();
    assert_eq!(codes(&board), ["mic_lost", "camera_lost"], "the camera is still gone");
    board.engine_restarted();
    assert!(codes(&board).is_empty());
}

#[test]
fn the_list_is_bounded_and_warnings_fade() {
    let mut board = HealthBoard::default();
    for n in 0..100 {
        board.take(&Health::new(HealthCode::PartRestarted).with("part", n), n);
    }
    assert_eq!(board.view().len(), MOST);
    assert_eq!(board.view()[0].params["part"], "99", "newest first");
    let mut board = HealthBoard::default();
    board.take(&Health::new(HealthCode::EncoderBehind), 200);
    board.take(&Health::new(HealthCode::EncoderBehind), 30_200);
    assert!(!board.expire(60_200), "it is told again each half minute");
    assert!(board.expire(75_200), "a warning nobody repeats is over");
}

#[test]
fn an_open_problem_is_never_pushed_out_by_news() {
    let mut board = board(&[HealthCode::CameraLost, HealthCode::EncoderBehind]);
    for n in 0..100 {
        board.take(&Health::new(HealthCode::PartRestarted).with("part", n), n);
    }
    assert_eq!(codes(&board).iter().filter(|code| *code == "camera_lost").count(), 1);
    let mut subjects: Vec<_> = board.view().into_iter().map(|h| h.subject).collect();
    assert_eq!(subjects.len(), MOST);
    subjects.sort_unstable();
    subjects.dedup();
    assert_eq!(subjects.len(), MOST, "pages tell the entries apart by it");
}

#[test]
fn what_failed_stays_until_somebody_did_something() {
    let mut board = HealthBoard::default();
    board.failed_intents(2, 1);
    board.failed_intents(25, 2);
    let view = board.view();
    assert_eq!((view.len(), view[0].at_ms, view[0].params["count"].as_str()), (1, 1.0, "25"), "since when must not move");
    assert!(!board.expire(i64::MAX / 2));
    board.failed_intents(0, 3);
    assert!(board.view().is_empty());
}

#[test]
fn a_wrong_clock_is_told_once_until_somebody_sets_it() {
    let mut board = HealthBoard::default();
    board.clock("s", "shop", 30_000, 1);
    assert!(board.view().is_empty(), "half a minute is nothing");
    board.clock("s", "shop", 95_400, 2);
    board.clock("s", "shop", 28_000, 3);
    let view = board.view();
    assert_eq!((view[0].code.as_str(), view[0].at_ms, view[0].params["seconds"].as_str()), ("clock_behind", 2.0, "95"));
    assert!(!board.expire(i64::MAX / 2), "it does not go away by itself");
    board.clock("s", "shop", -40_000, 4);
    assert_eq!(board.view().iter().map(|h| h.code.as_str()).collect::<Vec<_>>(), ["clock_ahead"]);
    board.clock("s", "shop", 200, 5);
    assert!(board.view().is_empty());
}

#[test]
fn a_platform_is_news_only_when_it_changes() {
    let mut board = HealthBoard::default();
    board.platform("s", "shop", None, 0);
    assert!(board.view().is_empty());
    board.platform("s", "shop", Some("unreachable"), 1);
    board.platform("s", "shop", Some("unreachable"), 2);
    assert_eq!((board.view().len(), board.view()[0].at_ms), (1, 1.0), "since when it is gone must not move");
    board.platform("s", "shop", Some("unauthorized"), 2);
    assert_eq!((board.view()[0].params["reason"].as_str(), board.view()[0].at_ms), ("unauthorized", 1.0), "another next step");
    board.platform("t", "shop", Some("unreachable"), 2);
    assert_eq!(board.view().len(), 2, "another shop of the same name");
    board.platform("s", "shop", None, 3);
    assert_eq!(board.view()[0].code, "platform_back");
    board.forget_shop("t");
    assert_eq!(board.view().len(), 1);
}

#[test]
fn what_was_missed_is_read_as_a_whole() {
    use HealthCode as H;
    let of = |code, id: &str| Health::new(code).with("host", "one").with("id", id);
    let mut board = board(&[H::CameraLost, H::RecordingFailed, H::OnBattery, H::EngineRestarted]);
    board.take(&of(H::DestinationLost, "b"), 1);
    board.take(&of(H::DestinationLost, "c"), 2);
    let new = board.catch_up(&[of(H::DestinationLost, "b"), Health::new(H::MicLost), Health::new(H::ViewersLost)], 9);
    assert_eq!(new.iter().map(|health| health.code).collect::<Vec<_>>(), [H::MicLost, H::ViewersLost], "for who was not told");
    // The camera is back and the power too; what the files lost is answered by files.
    assert_eq!(codes(&board), ["viewers_lost", "mic_lost", "destination_lost", "engine_restarted", "recording_failed"]);
    let lost = board.view().into_iter().find(|h| h.code == "destination_lost").expect("it is");
    assert!((lost.at_ms - 1.0).abs() < f64::EPSILON && lost.subject == "link:b", "since when stays: {lost:?}");
}

#[test]
fn that_there_is_no_media_process_is_said_until_there_is_one() {
    let mut board = HealthBoard::default();
    board.engine_away("engine_down", &BTreeMap::new(), 5);
    board.engine_away("program_missing", &BTreeMap::from([("path".to_owned(), "/x".to_owned())]), 9);
    let view = board.view();
    assert_eq!(
        (codes(&board), view[0].params["reason"].as_str(), view[0].at_ms as i64),
        (vec!["engine_away".to_owned()], "program_missing", 5)
    );
    board.engine_there();
    assert!(codes(&board).is_empty());
    board.engine_away("died", &BTreeMap::new(), 10);
    board.take(&Health::new(HealthCode::EngineRestarted).with("gap_ms", 900), 11);
    board.engine_there();
    assert_eq!(codes(&board), ["engine_restarted"], "good news stays its time");
}
