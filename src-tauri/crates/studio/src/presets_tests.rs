use super::*;
use crate::sources::first_configuration;
use stallcast_engine::Target;
use std::collections::BTreeSet;

fn show(width: u32, height: u32, fps: u32, video_kbps: u32) -> Configuration {
    Configuration { canvas: Canvas { width, height, fps }, video_kbps, ..first_configuration("en") }
}

fn codes(preset: &str, configuration: &Configuration) -> Vec<String> {
    by_id(preset).expect(preset).notes(configuration).into_iter().map(|n| n.code).collect()
}

#[test]
fn the_file_keeps_its_own_rules() {
    let all: Presets = toml::from_str(include_str!("../presets.toml")).expect("presets.toml");
    assert!(all.preset.len() >= 20);
    let mut ids = BTreeSet::new();
    let mut patterns = BTreeSet::new();
    for p in &all.preset {
        let id = &p.id;
        assert!(ids.insert(id.clone()), "{id} twice");
        assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{id}");
        for words in [Some(&p.name), Some(&p.find), p.gate.as_ref(), p.last_step.as_ref()].into_iter().flatten() {
            assert!(!words.zh.trim().is_empty() && !words.en.trim().is_empty(), "{id}");
            assert!(!words.zh.contains(['!', '！']) && !words.en.contains('!'), "{id}: wording");
        }
        for words in [Some(&p.find), p.gate.as_ref(), p.last_step.as_ref()].into_iter().flatten() {
            assert!(words.zh.ends_with('。') && words.en.ends_with('.'), "{id}: a sentence has an end");
            assert!(words.zh.chars().any(|c| c > '\u{2E7F}'), "{id}: no Chinese");
        }
        for server in &p.servers {
            let target = Target::parse("t", server, Some("key")).unwrap_or_else(|e| panic!("{id} {server}: {e}"));
            assert!(target.tls() || !p.rtmps_only, "{id} takes RTMPS only");
            assert_eq!(by_host(target.host()).map(|found| found.id.as_str()), Some(id.as_str()), "{server} is not told by its host");
        }
        for host in &p.hosts {
            assert!(patterns.insert(host.clone()), "{host} twice");
            let plain = host.strip_prefix("*.").unwrap_or(host);
            assert!(!plain.contains('*') && plain.contains('.'), "{host}");
        }
        let most = &p.most;
        assert!(most.keyframe_s.get().is_none_or(|s| (1..=10).contains(&s)), "{id}");
        assert_eq!(most.short_side.get().is_some(), most.long_side.get().is_some(), "{id}: one side alone says nothing");
        let figures = [most.video_kbps, most.audio_kbps, most.fps, most.short_side, most.keyframe_s, most.b_frames];
        let stated = figures.iter().any(|f| f.get().is_some());
        assert_eq!(stated, p.source != Source::Unknown, "{id}: figures and their source belong together");
        assert!(!p.firm || p.source == Source::Official, "{id}: only the platform itself can demand");
        assert!(p.ladder.is_sorted_by_key(|r| r.2), "{id}");
    }
    assert_eq!(all.preset.last().map(|p| p.id.as_str()), Some(CUSTOM), "what nobody knows comes last");
}

#[test]
fn hosts_tell_their_platform() {
    for (host, id) in [
        ("push-rtmp-l6.douyincdn.com", Some("douyin")),
        ("tx.push.yximgs.com", Some("kuaishou")),
        ("A.RTMPS.YouTube.com", Some("youtube")),
        ("live-fra.twitch.tv", Some("twitch")),
        ("fra02.contribute.live-video.net", Some("twitch")),
        ("a1b2.global-contribute.live-video.net", Some("ivs")),
        ("douyincdn.com.evil.example", None),
        ("notwitch.tv", None),
        ("127.0.0.1", None),
    ] {
        assert_eq!(by_host(host).map(|p| p.id.as_str()), id, "{host}");
    }
    assert_eq!(of(CUSTOM, "live-fra.twitch.tv").map(|p| p.id.as_str()), Some("twitch"), "a custom address is recognised");
    assert_eq!(of("douyin", "127.0.0.1").map(|p| p.id.as_str()), Some("douyin"));
    assert!(of("from_the_future", "127.0.0.1").is_none());
}

#[test]
fn the_strictest_of_the_chosen_decides() {
    let of = |ids: &[&str], c: &Configuration| limits(ids.iter().filter_map(|id| by_id(id)), c.canvas);
    let hd = show(1920, 1080, 60, 12_000);
    assert_eq!(of(&[], &hd), EncoderLimits::default());
    assert_eq!(of(&["douyin", "wechat_channels", CUSTOM], &hd), EncoderLimits::default(), "hearsay does not change the picture");
    let both = of(&["youtube", "twitch"], &hd);
    assert_eq!((both.keyframe_s, both.b_frames, both.video_kbps, both.audio_kbps), (2, 2, Some(6000), Some(160)));
    let strict = of(&["youtube", "chzzk", "facebook"], &show(1280, 720, 30, 6000));
    assert_eq!((strict.keyframe_s, strict.b_frames, strict.video_kbps, strict.audio_kbps), (1, 0, Some(4000), Some(128)));
    assert_eq!((strict.video(6000), strict.video(2500), strict.audio(320)), (4000, 2500, 128));
}

#[test]
fn what_is_outside_of_a_platforms_limits_is_said() {
    let usual = first_configuration("en");
    for p in all().iter().filter(|p| !matches!(p.id.as_str(), "twitch" | "chzzk" | "soop")) {
        assert!(p.notes(&usual).is_empty(), "{}: the picture of a first start fits everywhere", p.id);
    }
    assert_eq!(codes("twitch", &usual), ["wants_landscape"]);
    assert_eq!(codes("chzzk", &usual), ["keyframe", "b_frames"]);
    assert_eq!(codes("chzzk", &Configuration { low_latency: true, ..usual.clone() }), ["keyframe"]);
    assert_eq!(codes("twitch", &show(1920, 1080, 30, 9000)), ["lowered_video"]);
    assert_eq!(codes("douyin", &show(1920, 1080, 60, 9000)), ["above_video", "above_fps"]);
    assert_eq!(codes("ivs", &show(1440, 1440, 30, 4000)), ["above_size"]);
    // 720p30 has a lower maximum than 1080p30.
    assert_eq!(codes("facebook", &show(720, 1280, 30, 5000)), ["lowered_video"]);
    assert_eq!(codes("facebook", &show(1080, 1920, 30, 5000)), Vec::<String>::new());
}
