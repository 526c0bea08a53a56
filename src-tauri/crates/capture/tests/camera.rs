//! Cameras, against an imitation UVC camera in user space. Timing is asserted on medians: shared machines have tails.
#![cfg(target_os = "linux")]

mod support;

#[path = "../examples/probe.rs"]
#[expect(dead_code, reason = "its main is for the command line")]
mod probe;

use support::{Cameras, Picture, Running, median, own_executable, probe_words, steps};

const MS: i64 = 1_000_000;

const CONF: &str = "\
mode=YUYV 640 480 30 pattern
mode=YUYV 640 480 15 pattern
mode=NV12 640 360 30 pattern
mode=MJPG 1280 720 30 clip.mjpg
mode=NV12 320 240 30000/1001 pattern
mode=GREY 160 120 30 pattern
";

fn cameras() -> Cameras {
    Cameras::new("Fake UVC Camera: Fake", CONF)
}

fn run(cameras: &Cameras, words: &str) -> Running {
    support::probe(cameras.command(&own_executable()), words)
}

fn camera(cameras: &Cameras, canvas: &str, seconds: &str) -> Running {
    run(cameras, &format!("camera - {canvas} {seconds}"))
}

/// Not a test of its own: the process that sees nothing but the imitation camera.
#[test]
fn probe_child() {
    if let Some(words) = probe_words() {
        probe::run(&words);
    }
}

/// Pictures in order, none twice, at their distance.
fn assert_paced(pictures: &[Picture], period_ms: i64) {
    assert!(pictures.len() > 10, "{} pictures", pictures.len());
    let numbers = steps(pictures.iter().map(|p| p.number));
    assert!(numbers.iter().all(|step| *step >= 1), "order: {numbers:?}");
    assert_eq!(median(numbers), 1);
    let distance = median(steps(pictures.iter().map(|p| p.stamp)));
    assert!((distance / MS - period_ms).abs() <= 1, "{} ms apart", distance / MS);
    let ages: Vec<i64> = pictures.iter().map(|p| p.arrival - p.stamp).collect();
    assert!(ages.iter().all(|age| *age >= 0), "stamped before it was there");
    // The imitation stamps the start of the exposure, one period before the picture is there.
    let age = median(ages) / MS;
    assert!((period_ms - 2..period_ms + 30).contains(&age), "{age} ms old");
}

#[test]
fn yuyv_comes_in_order_with_the_drivers_stamps() {
    let cameras = cameras();
    let mut run = camera(&cameras, "640x480@30", "3");
    assert!(run.wait_for("opened").starts_with("opened Yuyv 640x480 30.000"), "{:?}", run.seen);
    assert_eq!(run.end(), 0);
    assert!(run.seen[0].ends_with("as Fake UVC Camera: Fake"));
    let pictures = run.pictures();
    assert!(pictures.len() >= 75, "{} pictures in 3 s", pictures.len());
    assert_paced(&pictures, 33);
    assert!(pictures.iter().all(|p| p.bytes == 640 * 480 * 2));
    assert_eq!(run.count("health"), 0);
}

#[test]
fn nv12_and_fractional_rates_are_taken_as_they_are() {
    let cameras = cameras();
    let mut run = camera(&cameras, "640x360@30", "1.5");
    assert!(run.wait_for("opened").starts_with("opened Nv12 640x360 30.000"), "{:?}", run.seen);
    run.end();
    assert_paced(&run.pictures(), 33);
    let mut run = camera(&cameras, "320x240@30", "1.5");
    assert!(run.wait_for("opened").starts_with("opened Nv12 320x240 29.970"), "{:?}", run.seen);
    run.end();
    assert_paced(&run.pictures(), 33);
}

/// JPEGs as a camera gives them; the imitation repeats them.
fn clip() -> Vec<u8> {
    let made = std::process::Command::new("ffmpeg")
        .args(
            "-hide_banner -loglevel error -f lavfi -i testsrc2=s=1280x720:r=30 -frames:v 8 -c:v mjpeg -q:v 8 -pix_fmt yuvj422p -f mjpeg -"
                .split(' '),
        )
        .output()
        .expect("ffmpeg");
    assert!(made.status.success());
    made.stdout
}

#[test]
fn jpegs_are_cut_to_their_own_length_and_can_be_decoded() {
    let cameras = cameras();
    let clip = clip();
    cameras.put("clip.mjpg", &clip);
    let mut run = camera(&cameras, "1280x720@30", "1.5");
    assert!(run.wait_for("opened").starts_with("opened Mjpeg 1280x720 30.000"), "{:?}", run.seen);
    run.end();
    let pictures = run.pictures();
    assert!(pictures.len() > 20);
    let total: usize = pictures[..8].iter().map(|p| p.bytes).sum();
    assert_eq!(total, clip.len(), "eight pictures in a row are the whole clip, not a byte more");
}

#[test]
fn junk_instead_of_jpegs_is_refused_and_passing_junk_is_left_out() {
    let cameras = cameras();
    let mut junk: Vec<u8> = (0..200_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    junk.extend([0xFF, 0xD9]);
    cameras.put("clip.mjpg", &junk);
    let mut run = camera(&cameras, "1280x720@30", "2");
    assert!(run.wait_for("refused").starts_with("refused Unusable"));
    assert_eq!(run.end(), 3);

    cameras.put("clip.mjpg", &clip());
    let mut run = camera(&cameras, "1280x720@30", "30");
    run.wait_for_many("frame", 10);
    cameras.fault("truncate");
    run.wait_for("health CameraLost");
    cameras.fault("");
    run.wait_for("health CameraBack");
    run.wait_for_many("frame", 10);
}

#[test]
fn a_camera_somebody_else_holds_is_busy_and_one_that_is_forbidden_is_denied() {
    let cameras = cameras();
    for (fault, kind) in
        [("open=16", "Busy"), ("reqbufs=16", "Busy"), ("sfmt=16", "Busy"), ("open=13", "Denied"), ("streamon=28", "Unusable")]
    {
        cameras.fault(fault);
        let mut run = camera(&cameras, "640x480@30", "1");
        let line = run.wait_for("refused");
        assert!(line.starts_with(&format!("refused {kind} ")), "{fault}: {line}");
        assert_eq!(run.end(), 3);
    }
    cameras.fault("");
    cameras.unplug();
    let mut run = camera(&cameras, "640x480@30", "1");
    assert!(run.wait_for("refused").starts_with("refused Missing"));
}

#[test]
fn unplugged_it_is_lost_and_plugged_in_again_it_is_back() {
    let cameras = cameras();
    let mut run = camera(&cameras, "640x480@30", "60");
    run.wait_for_many("frame", 15);
    for round in 0..2 {
        cameras.unplug();
        assert_eq!(run.wait_for("health"), "health CameraLost Fake UVC Camera: Fake", "round {round}");
        cameras.plug();
        assert_eq!(run.wait_for("health"), "health CameraBack Fake UVC Camera: Fake", "round {round}");
        run.wait_for_many("frame", 15);
    }
    let stamps = steps(run.pictures().iter().map(|p| p.stamp));
    assert!(stamps.iter().all(|step| *step > 0), "stamps rise over every loss");
    assert_eq!((run.count("health CameraLost"), run.count("health CameraBack")), (2, 2));
}

#[test]
fn plugged_in_elsewhere_it_is_found_by_its_name() {
    let cameras = cameras();
    let mut run = camera(&cameras, "640x480@30", "60");
    run.wait_for_many("frame", 5);
    cameras.unplug();
    run.wait_for("health CameraLost");
    cameras.add(3, "Fake UVC Camera: Fake", CONF);
    run.wait_for("health CameraBack");
    run.wait_for_many("frame", 5);
}

#[test]
fn a_stall_is_noticed_within_two_seconds_and_the_camera_goes_on_afterwards() {
    let cameras = cameras();
    let mut run = camera(&cameras, "640x480@30", "60");
    run.wait_for_many("frame", 15);
    cameras.fault("stall");
    let stalled = std::time::Instant::now();
    run.wait_for("health CameraLost");
    assert!(stalled.elapsed().as_millis() < 2500, "{:?}", stalled.elapsed());
    cameras.fault("");
    run.wait_for("health CameraBack");
    run.wait_for_many("frame", 15);
}

#[test]
fn one_failed_dequeue_costs_a_few_pictures_and_nobody_is_told() {
    let cameras = cameras();
    let mut run = camera(&cameras, "640x480@30", "60");
    run.wait_for_many("frame", 15);
    cameras.fault("dqbuf1=5");
    run.wait_for_many("frame", 60);
    let gaps = steps(run.pictures().iter().map(|p| p.stamp));
    let longest = gaps.iter().max().copied().unwrap_or(0) / MS;
    assert!((40..900).contains(&longest), "the fault was felt and overcome: {longest} ms");
    assert_eq!(run.count("health"), 0);
}

#[test]
fn errors_without_end_are_a_loss_and_can_be_overcome() {
    let cameras = cameras();
    let mut run = camera(&cameras, "640x480@30", "60");
    run.wait_for_many("frame", 15);
    cameras.fault("dqbuf=71");
    run.wait_for("health CameraLost");
    cameras.fault("");
    run.wait_for("health CameraBack");
}

#[test]
fn whatever_mode_another_program_left_behind_it_opens() {
    let cameras = cameras();
    for mode in 0..6 {
        cameras.leave_in(mode);
        let mut run = camera(&cameras, "640x480@30", "0.7");
        assert!(run.wait_for("opened").starts_with("opened Yuyv 640x480 30.000"), "left in {mode}: {:?}", run.seen);
        run.end();
        assert_paced(&run.pictures(), 33);
    }
}

#[test]
fn pictures_the_driver_marks_as_damaged_and_missing_stamps_do_not_hurt() {
    let cameras = cameras();
    cameras.fault("nots");
    let mut run = camera(&cameras, "640x480@30", "2");
    run.end();
    let pictures = run.pictures();
    let ages = median(pictures.iter().map(|p| p.arrival - p.stamp).collect());
    assert!(ages < 15 * MS, "without a stamp the arrival counts: {} ms", ages / MS);
    let mut run = camera(&cameras, "640x480@30", "60");
    run.wait_for_many("frame", 5);
    cameras.fault("flagerr");
    run.wait_for("health CameraLost");
    cameras.fault("");
    run.wait_for("health CameraBack");
}

#[test]
fn closing_is_quick_even_in_a_stall() {
    let cameras = cameras();
    let mut run = camera(&cameras, "640x480@30", "2");
    run.wait_for_many("frame", 5);
    cameras.fault("stall");
    assert_eq!(run.end(), 0);
    let closed = run.seen.iter().find_map(|line| line.strip_prefix("closed ")?.parse::<u64>().ok());
    assert!(closed.is_some_and(|ms| ms < 2000), "{closed:?}");
}

#[test]
fn the_list_has_cameras_with_modes_and_no_metadata_nodes() {
    let cameras = cameras();
    cameras.add(1, "Fake UVC Camera: Meta", "meta=1\n");
    std::fs::write(cameras.root().join("dev/video-extra"), "").expect("a name that is no camera");
    let mut run = run(&cameras, "devices");
    assert_eq!(run.end(), 0);
    let list: serde_json::Value = serde_json::from_str(&run.seen[0]).expect("JSON");
    let found = list["cameras"].as_array().expect("an array");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0]["id"].as_str(), found[0]["name"].as_str()), (Some("/dev/video0"), Some("Fake UVC Camera: Fake")));
    let modes = found[0]["modes"].as_array().expect("modes");
    assert_eq!(modes.len(), 5, "all but grey: {modes:?}");
    assert!(modes.iter().any(|m| m["format"] == "NV12" && m["fps"].as_f64().is_some_and(|fps| (fps - 29.97).abs() < 0.001)));
}
