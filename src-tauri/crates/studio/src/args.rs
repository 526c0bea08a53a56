//! The command line as `clap` reads it, and the plan of a show made of it.
//!
//! `clap` only splits words; every value is checked here, so that a wrong one gets one sentence with the next step in
//! both languages and a stable code.

use crate::destinations::check_address;
use crate::error::StudioError;
use crate::presets::{self, Preset};
use crate::selling_args::{CouponArgs, OrdersArgs, PriceArgs, ShopsArgs, StockArgs};
use crate::view::NoteView;
use clap::{Args, Parser, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use stallcast_engine::protocol::{CameraChoice, Configuration, Destination, EncoderChoice, EncoderLimits, MicChoice, Recording};
use stallcast_media::Canvas;
use std::io::Read;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// Destinations at a time.
pub const MOST_DESTINATIONS: usize = 4;
/// Longest accepted key file, bytes.
const MOST_KEY_BYTES: u64 = 64 << 10;

/// A live-selling studio on one laptop: camera, microphone, product cards, coupons, orders.
///
/// Without a subcommand it opens the window.
#[derive(Debug, Parser)]
#[command(name = "stallcast", version, about, long_about)]
pub struct CommandLine {
    /// Folder that holds everything: database, shop, secrets, logs, recordings. Default: the app data folder of this system.
    #[arg(long, global = true, value_name = "DIR", env = "STALLCAST_DATA")]
    pub data: Option<PathBuf>,
    /// File with the passphrase that protects the secrets of the data folder.
    #[arg(long, global = true, value_name = "FILE", env = "STALLCAST_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// What to do; without it the window opens.
    #[command(subcommand)]
    pub command: Option<Subcommands>,
}

/// Everything but the window.
#[derive(Debug, Subcommand)]
pub enum Subcommands {
    /// Run a whole show without a window. One Ctrl-C ends it cleanly.
    Live(Box<LiveArgs>),
    /// List cameras with their modes, and microphones.
    Devices(OutputArgs),
    /// Show what runs on this data folder.
    Status(OutputArgs),
    /// End the show that runs on this data folder, finishing its recording.
    End(OutputArgs),
    /// Show the bag of the open studio, or change it: add PRODUCT, remove NUMBER, up NUMBER, down NUMBER. A number keeps its product.
    Bag(BagArgs),
    /// Explain a NUMBER of the bag, the next one, or end the explanation. For a key, a pedal, a script.
    Explain(ExplainArgs),
    /// Change the price of a NUMBER in the bag of the open studio, and wait until the shop has it.
    Price(PriceArgs),
    /// Let pieces of a NUMBER in the bag of the open studio come or go, and wait until the shop has it.
    Stock(StockArgs),
    /// Show the coupons of the open studio, issue one (issue AMOUNT) or end one early (end ID).
    Coupon(CouponArgs),
    /// Show the orders that wait for you, send one (ship ORDER), or answer what its buyer asked for (agree ORDER, refuse ORDER).
    Orders(OrdersArgs),
    /// Show the shops whose orders come into this studio, add that of another one in the same network (add URL), rename or remove one.
    Shops(ShopsArgs),
    /// Run only the media process. The window and `live` start it by themselves.
    Engine,
    /// Run only the local shop. The window and `live --shop` start it by themselves.
    Shop(ShopArgs),
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `bag`.
#[derive(Debug, Clone, Args)]
pub struct BagArgs {
    /// add, remove, up or down; without it the bag is shown.
    #[arg(value_name = "ACTION", requires = "what")]
    pub action: Option<String>,
    /// Number in the bag; for add, the product's id or the number it had.
    #[arg(value_name = "NUMBER|PRODUCT")]
    pub what: Option<String>,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// Number in the bag, next or end.
    #[arg(value_name = "NUMBER|next|end")]
    pub what: String,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Options of `shop`.
#[derive(Debug, Clone, Args)]
pub struct ShopArgs {
    /// Address and port to listen on; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: String,
}

/// Options of `live`.
#[derive(Debug, Clone, Args)]
pub struct LiveArgs {
    /// Picture: device (the first camera that works), device:ID, file:PATH (looped), or demo.
    #[arg(long, value_name = "SOURCE", default_value = "demo")]
    pub camera: String,
    /// Sound: device, device:ID, file:PATH (looped; the camera's own path means one clock), demo, or none (silence).
    #[arg(long, value_name = "SOURCE", default_value = "demo")]
    pub mic: String,
    /// Size of the picture, even, 160 to 1920 a side.
    #[arg(long, value_name = "WxH", default_value = "720x1280")]
    pub canvas: String,
    /// Frames a second, 5 to 60.
    #[arg(long, value_name = "N", default_value = "30")]
    pub fps: String,
    /// H.264 bitrate, kbit/s, 100 to 20000.
    #[arg(long, value_name = "KBPS", default_value = "2500")]
    pub video_kbps: String,
    /// AAC bitrate, kbit/s, 32 to 320.
    #[arg(long, value_name = "KBPS", default_value = "128")]
    pub audio_kbps: String,
    /// Encode without delay (x264 zerolatency, no B-frames); the picture needs more bits.
    #[arg(long)]
    pub low_latency: bool,
    /// What encodes the picture: auto (hardware that has passed its probe, else x264) or software (x264).
    #[arg(long, value_name = "auto|software", default_value = "auto")]
    pub encoder: String,
    /// Push to this RTMP address (rtmp:// or rtmps://); repeat for up to four. Keys belong in --key-file.
    #[arg(long, value_name = "URL")]
    pub to: Vec<String>,
    /// File whose line n is the stream key of the n-th --to; an empty line means that address is complete. - reads standard input.
    #[arg(long, value_name = "FILE|-")]
    pub key_file: Option<PathBuf>,
    /// Record into this file. After a restart of the media process it goes on as FILE.part2.mp4.
    #[arg(long, value_name = "FILE.mp4")]
    pub record: Option<PathBuf>,
    /// Record the picture without overlays (no cards, coupons) too, with the same sound. Default: beside the recording as
    /// NAME.clean.mp4. Never holds up the show or its recording.
    #[arg(long, value_name = "FILE.mp4", num_args = 0..=1)]
    pub clean_feed: Option<Option<PathBuf>>,
    /// Replace the recording and the clean feed if they are already there.
    #[arg(long)]
    pub overwrite: bool,
    /// Open the local shop with its viewer page.
    #[arg(long)]
    pub shop: bool,
    /// Address and port of the shop; port 0 lets the system choose. Needs --shop. Default: 127.0.0.1:0.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Explain this product from the start: a SKU of the shop, or first. Needs --shop.
    #[arg(long, value_name = "SKU|first")]
    pub pin: Option<String>,
    /// End by itself after this time (20s, 10m, 1h30m or seconds), counted from the first packet that the first
    /// destination accepts, else from the first recorded frame.
    #[arg(long = "for", value_name = "TIME")]
    pub for_: Option<String>,
    /// If a show is running on this folder, take it over or follow it to its end instead of refusing.
    #[arg(long)]
    pub attach: bool,
    /// Print JSON lines on standard output (ready, state, stats, health, summary); logs go to standard error.
    #[arg(long)]
    pub json: bool,
}

/// A checked show.
#[derive(Debug, Clone)]
pub struct LivePlan {
    /// Sources, canvas, encoders.
    pub configuration: Configuration,
    /// Destinations with their keys.
    pub destinations: Vec<Destination>,
    /// Recording from the start.
    pub recording: Option<Recording>,
    /// The picture without overlays, from the start.
    pub clean_feed: Option<Recording>,
    /// Where the shop listens, if it is wanted; the inner `None` is the default address.
    pub shop: Option<Option<SocketAddr>>,
    /// SKU to explain, or `first`.
    pub pin: Option<String>,
    /// Seconds.
    pub for_s: Option<u64>,
    /// Join a show that already runs.
    pub attach: bool,
    /// What the destinations demand of the encoder: platforms are told by their hosts.
    pub limits: EncoderLimits,
    /// What a person must know of a destination before the show: its host, and what it is.
    pub notes: Vec<(String, NoteView)>,
}

impl LivePlan {
    /// Checks every option. Reads the key file, and nothing else from the machine but whether files exist.
    ///
    /// # Errors
    /// The first thing that is wrong, as a code with its values.
    pub fn new(args: &LiveArgs, language: &str) -> Result<Self, StudioError> {
        let camera = camera(&args.camera)?;
        let mic = mic(&args.mic)?;
        let canvas = canvas(&args.canvas, number("--fps", &args.fps, 5, 60)?)?;
        let configuration = Configuration {
            camera,
            mic,
            canvas,
            video_kbps: number("--video-kbps", &args.video_kbps, 100, 20_000)?,
            audio_kbps: number("--audio-kbps", &args.audio_kbps, 32, 320)?,
            low_latency: args.low_latency,
            encoder: encoder(&args.encoder)?,
            language: language.to_owned(),
        };
        let needs = |option: &str, given: bool, needed: &str, there: bool| {
            if given && !there { Err(StudioError::new("needs_option").with("option", option).with("needed", needed)) } else { Ok(()) }
        };
        needs("--listen", args.listen.is_some(), "--shop", args.shop)?;
        needs("--pin", args.pin.is_some(), "--shop", args.shop)?;
        let clean_beside = matches!(args.clean_feed, Some(None));
        needs("--clean-feed", clean_beside, "--record", args.record.is_some())?;
        needs("--overwrite", args.overwrite, "--record", args.record.is_some() || args.clean_feed.is_some())?;
        needs("--key-file", args.key_file.is_some(), "--to", !args.to.is_empty())?;
        if args.to.len() > MOST_DESTINATIONS {
            return Err(StudioError::new("too_many_destinations").with("most", MOST_DESTINATIONS));
        }
        let for_s = args.for_.as_deref().map(duration_s).transpose()?;
        let shop = if args.shop { Some(args.listen.as_deref().map(address).transpose()?) } else { None };
        // What an address alone can tell is told before files are looked at; a key may follow from --key-file.
        for url in &args.to {
            check_address(url, Some("key"))?;
        }
        if args.to.is_empty() && args.record.is_none() && !args.shop && !args.attach {
            return Err(StudioError::new("no_output"));
        }
        let recording = args.record.as_ref().map(|path| recording(path, args.overwrite)).transpose()?;
        let clean_feed = match (&args.clean_feed, &recording) {
            (Some(Some(path)), _) => Some(self::recording(path, args.overwrite)?),
            (Some(None), Some(beside)) => Some(self::recording(&clean_of(&beside.path), args.overwrite)?),
            _ => None,
        };
        if let (Some(recording), Some(clean)) = (&recording, &clean_feed)
            && same_file(&recording.path, &clean.path)
        {
            return Err(StudioError::new("clean_feed_same").with("path", clean.path.display()));
        }
        for path in [file_of(&configuration.camera), mic_file_of(&configuration.mic)].into_iter().flatten() {
            if !path.is_file() {
                return Err(StudioError::new("file_missing").with("path", path.display()));
            }
            // --overwrite must never eat the clip that is being shown.
            if recording.iter().chain(&clean_feed).any(|r| same_file(&r.path, path)) {
                return Err(StudioError::new("file_exists").with("path", path.display()));
            }
        }
        let keys = match &args.key_file {
            Some(path) => read_keys(path, args.to.len())?,
            None => vec![None; args.to.len()],
        };
        let mut hosts = Vec::new();
        for (url, key) in args.to.iter().zip(&keys) {
            hosts.push(check_address(url, key.as_ref().map(ExposeSecret::expose_secret))?.host().to_owned());
        }
        let known = || hosts.iter().filter_map(|host| Some((host, presets::by_host(host)?)));
        let limits = presets::limits(known().map(|(_, preset)| preset), configuration.canvas);
        let note =
            |(host, preset): (&String, &Preset)| preset.notes(&configuration).into_iter().map(|n| (host.clone(), n)).collect::<Vec<_>>();
        let notes = known().flat_map(note).collect();
        let destinations = args
            .to
            .iter()
            .zip(keys)
            .enumerate()
            .map(|(n, (url, key))| Destination { id: format!("to-{}", n + 1), url: SecretString::from(url.clone()), key, accepted: false })
            .collect();
        Ok(Self {
            configuration,
            destinations,
            recording,
            clean_feed,
            shop,
            pin: args.pin.clone(),
            for_s,
            attach: args.attach,
            limits,
            notes,
        })
    }

    /// Something would leave this machine or reach a file.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.destinations.is_empty() || self.recording.is_some() || self.shop.is_some()
    }
}

fn file_of(choice: &CameraChoice) -> Option<&Path> {
    if let CameraChoice::File { path } = choice { Some(path) } else { None }
}

fn mic_file_of(choice: &MicChoice) -> Option<&Path> {
    if let MicChoice::File { path } = choice { Some(path) } else { None }
}

fn absolute(path: &str) -> PathBuf {
    // The engine runs in a folder of its own: relative paths belong to the caller.
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path))
}

/// Picture source as typed.
///
/// # Errors
/// `bad_source`.
pub fn camera(text: &str) -> Result<CameraChoice, StudioError> {
    match text.split_once(':') {
        None if text == "demo" => Ok(CameraChoice::Demo),
        None if text == "device" => Ok(CameraChoice::Device { id: None }),
        Some(("device", id)) if !id.is_empty() => Ok(CameraChoice::Device { id: Some(id.to_owned()) }),
        Some(("file", path)) if !path.is_empty() => Ok(CameraChoice::File { path: absolute(path) }),
        _ => Err(StudioError::new("bad_source").with("option", "--camera").with("value", text).with("extra", "")),
    }
}

/// Sound source as typed.
///
/// # Errors
/// `bad_source`.
pub fn mic(text: &str) -> Result<MicChoice, StudioError> {
    match text.split_once(':') {
        None if text == "demo" => Ok(MicChoice::Demo),
        None if text == "none" => Ok(MicChoice::None),
        None if text == "device" => Ok(MicChoice::Device { id: None }),
        Some(("device", id)) if !id.is_empty() => Ok(MicChoice::Device { id: Some(id.to_owned()) }),
        Some(("file", path)) if !path.is_empty() => Ok(MicChoice::File { path: absolute(path) }),
        _ => Err(StudioError::new("bad_source").with("option", "--mic").with("value", text).with("extra", " / none")),
    }
}

fn canvas(text: &str, fps: u32) -> Result<Canvas, StudioError> {
    let bad = || StudioError::new("bad_canvas").with("value", text);
    let (w, h) = text.split_once(['x', 'X', '×']).ok_or_else(bad)?;
    let side = |s: &str| -> Option<u32> {
        let n: u32 = s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse().ok()).flatten()?;
        ((160..=1920).contains(&n) && n.is_multiple_of(2)).then_some(n)
    };
    match (side(w), side(h)) {
        (Some(width), Some(height)) => Ok(Canvas { width, height, fps }),
        _ => Err(bad()),
    }
}

fn encoder(text: &str) -> Result<EncoderChoice, StudioError> {
    match text {
        "auto" => Ok(EncoderChoice::Auto),
        "software" => Ok(EncoderChoice::Software),
        _ => Err(StudioError::new("bad_value").with("name", "--encoder").with("detail", format!("{text} (auto, software)"))),
    }
}

fn number(option: &str, text: &str, least: u32, most: u32) -> Result<u32, StudioError> {
    let bad = || StudioError::new("bad_value").with("name", option).with("detail", format!("{text} ({least}–{most})"));
    let n: u32 = text.parse().map_err(|_| bad())?;
    if (least..=most).contains(&n) { Ok(n) } else { Err(bad()) }
}

/// `20s`, `10m`, `1h30m`, or seconds, as seconds; at least one, at most a week.
///
/// # Errors
/// `bad_duration`.
pub fn duration_s(text: &str) -> Result<u64, StudioError> {
    let bad = || StudioError::new("bad_duration").with("value", text);
    let mut total: u64 = 0;
    let mut digits = String::new();
    let mut last_unit = u64::MAX;
    for c in text.chars() {
        let unit = match c {
            '0'..='9' if digits.len() < 9 => {
                digits.push(c);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(bad()),
        };
        // Units must fall, so that `30m1h` or `5s5s` is refused and not guessed at.
        if unit >= last_unit {
            return Err(bad());
        }
        last_unit = unit;
        total += digits.parse::<u64>().map_err(|_| bad())? * unit;
        digits.clear();
    }
    if !digits.is_empty() {
        if last_unit != u64::MAX {
            return Err(bad());
        }
        total = digits.parse().map_err(|_| bad())?;
    }
    if (1..=7 * 86_400).contains(&total) { Ok(total) } else { Err(bad()) }
}

/// `127.0.0.1:0`, `[::1]:8080`, `localhost:8080`.
///
/// # Errors
/// `bad_address`.
pub fn address(text: &str) -> Result<SocketAddr, StudioError> {
    let bad = || StudioError::new("bad_address").with("value", text);
    text.parse().or_else(|_| text.to_socket_addrs().map_err(|_| bad())?.next().ok_or_else(bad))
}

fn recording(path: &Path, overwrite: bool) -> Result<Recording, StudioError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("mp4")) {
        return Err(StudioError::new("bad_record").with("path", path.display()));
    }
    if path.exists() && !overwrite {
        return Err(StudioError::new("file_exists").with("path", path.display()));
    }
    if path.is_dir() || path.parent().is_none_or(|folder| !folder.is_dir()) {
        return Err(StudioError::new("path_unwritable").with("path", path.display()));
    }
    Ok(Recording { path, overwrite })
}

/// The clean feed's file beside a recording: `NAME.clean.mp4`.
pub(crate) fn clean_of(recording: &Path) -> PathBuf {
    recording.with_extension("clean.mp4")
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn read_keys(path: &Path, destinations: usize) -> Result<Vec<Option<SecretString>>, StudioError> {
    let missing = || StudioError::new("key_file_missing").with("path", path.display());
    let mut text = zeroize::Zeroizing::new(String::new());
    if path == Path::new("-") {
        std::io::stdin().lock().take(MOST_KEY_BYTES).read_to_string(&mut text).map_err(|_| missing())?;
    } else {
        std::fs::File::open(path).and_then(|f| f.take(MOST_KEY_BYTES).read_to_string(&mut text)).map_err(|_| missing())?;
    }
    let keys = parse_keys(&text);
    if keys.len() != destinations {
        return Err(StudioError::new("key_file_count").with("lines", keys.len()).with("destinations", destinations));
    }
    Ok(keys)
}

/// One key a line. The last line break ends the last line and starts no new one; trailing blanks of a line are not part of a key.
fn parse_keys(text: &str) -> Vec<Option<SecretString>> {
    text.lines().map(str::trim).map(|key| (!key.is_empty()).then(|| SecretString::from(key.to_owned()))).collect()
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
