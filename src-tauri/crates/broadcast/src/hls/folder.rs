use super::parse::{number, part_number};
use super::playlist::{Part, Playlist, Segment};
use crate::fmp4::Fragment;
use crate::replace;
use bytes::Bytes;
use stallcast_media::NANOS_PER_MS;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(super) const PLAYLIST: &str = "stream.m3u8";
/// A file stays this long after it left the playlist: a viewer may have read the list just before.
const LINGER: Duration = Duration::from_secs(20);
/// The same of a part, which leaves long after it was the newest.
const PART_LINGERS: Duration = Duration::from_secs(6);
/// An interrupted playlist younger than this goes on; an older one was another show.
const GO_ON_MS: i64 = 60_000;
/// Number of the first segment of all. Not 0: hls.js (1.7) takes a part of segment 0 for none and fetches it for ever.
const FIRST: u64 = 1;

/// What is in the folder.
pub(super) struct Folder {
    dir: PathBuf,
    epoch_ms: i64,
    list: Playlist,
    /// Bytes of the growing segment's parts: its own file is written when it is whole.
    growing: Vec<Bytes>,
    /// Name of our init segment, once it is written.
    init: Option<String>,
    next_init: u64,
    /// The next part does not follow the last listed one.
    seam: bool,
    /// A part of this segment is missing: nothing more of it is listed.
    skipping: bool,
    /// Files that left the playlist, and when they may go.
    retired: Vec<(Instant, String)>,
}

impl Folder {
    /// Goes on from what an interrupted run left, or clears away what an ended one did. `part_target` in nanoseconds.
    pub fn open(dir: &Path, epoch_ms: i64, part_target: i64) -> io::Result<Self> {
        let path = dir.join(PLAYLIST);
        let old = match fs::read_to_string(&path) {
            Ok(text) => Playlist::parse(&text),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) if e.kind() == io::ErrorKind::InvalidData => None,
            Err(e) => return Err(e),
        };
        let mut names: Vec<String> = vec![];
        for entry in fs::read_dir(dir)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        let of_segment = |n: &String| number(n, "seg-", ".m4s").or_else(|| part_number(n));
        let next_init = names.iter().filter_map(|n| number(n, "init-", ".mp4")).max().map_or(0, |n| n + 1);
        let next = names.iter().filter_map(of_segment).max().map_or(FIRST, |n| n + 1);
        let mut list = old.unwrap_or_else(|| Playlist { sequence: next, ..Playlist::default() });
        // Another length of parts is another list for a player that already reads this one.
        let recent = list.end_ms().is_some_and(|end| (epoch_ms - end).abs() < GO_ON_MS) && list.part_target == part_target;
        let growing: io::Result<Vec<Bytes>> =
            list.open.iter().flat_map(|s| &s.parts).map(|p| fs::read(dir.join(&p.name)).map(Bytes::from)).collect();
        let goes_on = !list.ended && recent && growing.is_ok();
        if !goes_on {
            // To a player that still reads the old one, what comes is another timeline under numbers that go on.
            list.discontinuities += u64::from(!list.ended && list.end_ms().is_some());
            list.clear();
            list.part_target = part_target;
            match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        let growing = growing.ok().filter(|_| goes_on).unwrap_or_default();
        let due = Instant::now() + LINGER;
        let mut retired = vec![];
        let listed = list.names();
        for name in names {
            let ours = of_segment(&name).or_else(|| number(&name, "init-", ".mp4")).is_some();
            if ours && !listed.contains(&*name) {
                retired.push((due, name));
            } else if name.starts_with('.') && name.ends_with(".tmp") {
                let _ = fs::remove_file(dir.join(name));
            }
        }
        let dir = dir.to_owned();
        Ok(Self { dir, epoch_ms, list, growing, init: None, next_init, seam: goes_on, skipping: false, retired })
    }

    /// What comes does not follow what is there, and needs another init segment.
    pub fn begin_anew(&mut self) {
        self.init = None;
        self.seam = true;
    }

    /// Writes one part and lists it; true if the list has something new.
    pub fn add(&mut self, init: &[u8], fragment: &Fragment) -> io::Result<bool> {
        if self.skipping {
            self.skipping = !fragment.closes;
            return Ok(false);
        }
        let written = self.write(init, fragment);
        if let Err(error) = &written {
            // What comes next does not follow what is listed.
            self.seam = true;
            self.skipping = !fragment.closes;
            if error.kind() == io::ErrorKind::NotFound && fs::create_dir_all(&self.dir).is_ok() {
                // Somebody cleared it away, the init segment with it.
                self.init = None;
            }
        }
        self.sweep();
        written
    }

    fn write(&mut self, init: &[u8], fragment: &Fragment) -> io::Result<bool> {
        let init = match &self.init {
            Some(name) => name.clone(),
            None => {
                let name = format!("init-{}.mp4", self.next_init);
                replace::write(&self.dir.join(&name), init)?;
                self.next_init += 1;
                self.init.insert(name).clone()
            }
        };
        // Both stay as they were if anything below fails.
        let (mut list, mut growing) = (self.list.clone(), self.growing.clone());
        if self.seam {
            self.close(&mut list, &mut growing)?;
        }
        // A hole in the pictures makes a part last longer than players were told: they are shown its beginning.
        let duration = fragment.duration.min(list.part_target);
        let part = Part { name: list.next_part(), duration };
        replace::write(&self.dir.join(&part.name), &fragment.bytes)?;
        growing.push(fragment.bytes.clone());
        let segment = Segment {
            name: format!("seg-{}.m4s", list.next()),
            init,
            duration: 0,
            date_ms: self.epoch_ms + fragment.start.0 / NANOS_PER_MS,
            discontinuity: self.seam && !list.segments.is_empty(),
            parts: vec![],
        };
        let segment = list.open.get_or_insert(segment);
        segment.duration += duration;
        segment.parts.push(part);
        if fragment.closes {
            self.close(&mut list, &mut growing)?;
        }
        // Players refuse a list without one whole segment.
        let is_shown = !list.segments.is_empty();
        if is_shown {
            replace::write(&self.dir.join(PLAYLIST), list.render().as_bytes())?;
        }
        self.seam = fragment.closes && fragment.duration > duration;
        self.follow(list, growing);
        Ok(is_shown)
    }

    /// Makes the growing segment a whole one, if there is one.
    fn close(&self, list: &mut Playlist, growing: &mut Vec<Bytes>) -> io::Result<()> {
        if let Some(segment) = &list.open {
            replace::write(&self.dir.join(&segment.name), &growing.concat())?;
            growing.clear();
            list.close();
        }
        Ok(())
    }

    /// The list that players read now.
    fn follow(&mut self, list: Playlist, growing: Vec<Bytes>) {
        let now = Instant::now();
        let listed = list.names();
        for name in self.list.names().difference(&listed) {
            let lingers = if part_number(name).is_some() { PART_LINGERS } else { LINGER };
            self.retired.push((now + lingers, (*name).to_owned()));
        }
        (self.list, self.growing) = (list, growing);
    }

    /// Deletes what left the playlist long enough ago.
    fn sweep(&mut self) {
        let (now, listed) = (Instant::now(), self.list.names());
        let dir = &self.dir;
        self.retired.retain(|(due, name)| {
            if now < *due {
                return true;
            }
            // A number given back after a crash may be in use again.
            if !listed.contains(&**name)
                && let Err(error) = fs::remove_file(dir.join(name))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::debug!(%name, %error, "old segment not removed");
            }
            false
        });
    }

    /// Marks the stream as ended. Without one segment there is nothing to mark.
    pub fn end(&mut self) -> io::Result<()> {
        let (mut list, mut growing) = (self.list.clone(), self.growing.clone());
        self.close(&mut list, &mut growing)?;
        if list.segments.is_empty() {
            return Ok(());
        }
        list.ended = true;
        replace::write(&self.dir.join(PLAYLIST), list.render().as_bytes())?;
        self.follow(list, growing);
        Ok(())
    }
}
