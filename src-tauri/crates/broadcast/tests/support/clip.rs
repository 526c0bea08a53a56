use bytes::Bytes;
use stallcast_media::{AudioConfig, NANOS_PER_SEC, Packet, Pts, StreamConfig, Track, VideoConfig};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Eight seconds are 375 whole AAC frames, so a loop joins without a seam.
const LOOP: i64 = 8;
const FPS: i64 = 30;

/// An encoded show: black with a white flash in the first 100 ms of every second and a 1 kHz tone at the same time.
/// Packets in the order a live encoder gives them: sound at once, pictures `look_ahead` later.
pub struct Clip {
    pub config: StreamConfig,
    packets: Vec<(i64, Packet)>,
}

impl Clip {
    /// `b_frames` 0 or 2; a keyframe each `gop` frames; about `kbps`.
    pub fn new(b_frames: u32, gop: u32, kbps: u32) -> Self {
        let (bf, gop, rate) = (b_frames.to_string(), gop.to_string(), format!("{kbps}k"));
        let picture =
            format!("color=c=black:s=320x180:r={FPS}:d={LOOP},noise=alls=40:allf=t,drawbox=c=white:t=fill:enable='lt(mod(t+0.001,1),0.1)'");
        let sound =
            format!("aevalsrc='if(lt(mod(t,1),0.1),0.8*sin(2*PI*1000*t),0)|if(lt(mod(t,1),0.1),0.8*sin(2*PI*1000*t),0)':s=48000:d={LOOP}");
        let out = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound])
            .args(["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-pix_fmt", "yuv420p", "-bf", &bf, "-b_strategy", "0"])
            .args(["-g", &gop, "-keyint_min", &gop, "-sc_threshold", "0", "-x264-params", "open-gop=0"])
            .args(["-b:v", &rate, "-maxrate", &rate, "-bufsize", &rate, "-c:a", "aac", "-b:a", "128k", "-f", "flv", "-"])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Self::from_flv(&out.stdout, i64::from(b_frames), kbps)
    }

    /// FLV has whole milliseconds; the frame grid and the sample count give the exact instants back.
    fn from_flv(flv: &[u8], b_frames: i64, kbps: u32) -> Self {
        let (mut avcc, mut asc) = (Bytes::new(), Bytes::new());
        let (mut video, mut audio) = (vec![], vec![]);
        let mut at = 13;
        while at + 11 <= flv.len() {
            let be = |from: usize, n: usize| flv[from..from + n].iter().fold(0_usize, |v, b| v << 8 | usize::from(*b));
            let (kind, size) = (flv[at], be(at + 1, 3));
            let body = &flv[at + 11..at + 11 + size];
            match (kind, body[1]) {
                (9, 0) => avcc = Bytes::copy_from_slice(&body[5..]),
                (9, 1) => {
                    let cts = i64::try_from(be(at + 13, 3)).unwrap();
                    let frame = i64::try_from(video.len()).unwrap();
                    let (dts, wait) = (frame - b_frames.min(1) * 2, (cts * FPS + 500) / 1000);
                    let payload = Bytes::copy_from_slice(&body[5..]);
                    video.push(Packet {
                        track: Track::Video,
                        pts: Pts::from_ticks(dts + wait, 30),
                        dts: Pts::from_ticks(dts, 30),
                        duration: NANOS_PER_SEC / FPS,
                        keyframe: body[0] >> 4 == 1,
                        disposable: payload[4] & 0x60 == 0,
                        payload,
                        config: None,
                    });
                }
                (8, 0) => asc = Bytes::copy_from_slice(&body[2..]),
                (8, 1) => {
                    let pts = Pts::from_ticks(i64::try_from(audio.len()).unwrap() * 1024 - 1024, 48_000);
                    let payload = Bytes::copy_from_slice(&body[2..]);
                    audio.push(Packet {
                        track: Track::Audio,
                        pts,
                        dts: pts,
                        duration: Pts::from_ticks(1024, 48_000).0,
                        keyframe: true,
                        disposable: false,
                        payload,
                        config: None,
                    });
                }
                _ => {}
            }
            at += 11 + size + 4;
        }
        assert_eq!(video.len(), 240);
        assert_eq!(video.iter().map(|p| p.pts.0).min(), Some(0), "the grid is right when the first picture is shown at 0");
        audio.truncate(375);
        assert_eq!(audio.len(), 375);
        // An encoder with B-frames also looks ahead.
        let look_ahead = if b_frames > 0 { 400_000_000 } else { 0 };
        let mut packets: Vec<(i64, Packet)> = video.into_iter().map(|p| (p.dts.0 + look_ahead + 40_000_000, p)).collect();
        packets.extend(audio.into_iter().map(|p| (p.pts.0 + p.duration * 2, p)));
        packets.sort_by_key(|(at, _)| *at);
        let config = StreamConfig {
            video: VideoConfig { width: 320, height: 180, fps: 30, kbps, avcc },
            audio: AudioConfig { rate: 48_000, channels: 2, kbps: 128, asc, priming: 1024 },
        };
        Self { config, packets }
    }

    /// The show from the start for `seconds`, each packet with the time it leaves the encoder.
    pub fn packets(&self, seconds: f64) -> impl Iterator<Item = (i64, Arc<Packet>)> + '_ {
        let until = (seconds * 1e9) as i64;
        let round = LOOP * NANOS_PER_SEC;
        (0..)
            .flat_map(move |n| {
                self.packets
                    .iter()
                    .map(move |(at, p)| (at + n * round, Packet { pts: p.pts + n * round, dts: p.dts + n * round, ..p.clone() }))
            })
            .take_while(move |(at, _)| *at < until + round)
            .filter(move |(_, p)| p.pts.0 < until)
            .map(|(at, p)| (at, Arc::new(p)))
    }

    /// Pushes the show into `sinks` in real time on a thread until stopped.
    pub fn play(self: &Arc<Self>, sink: impl Fn(Arc<Packet>) + Send + 'static) -> Player {
        let (clip, stop) = (Arc::clone(self), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            for (at, packet) in clip.packets(86_400.0) {
                let due = begun + Duration::from_nanos(u64::try_from(at).unwrap_or(0));
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                sink(packet);
            }
        });
        Player { stop, thread: Some(thread) }
    }
}

/// Stops when dropped.
pub struct Player {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
