//! Recordings that a power cut left unfinished, found at the next start and made whole while nobody waits for it.

use crate::Studio;
use stallcast_clock::spawn_thread;
use stallcast_engine::protocol::Recording;
use stallcast_media::{Health, HealthCode};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Where the newest recordings outside of the recordings folder are: JSON, one path or a list of them.
const NOTE: &str = "recording.json";
/// Files of the folder that are looked at, newest first by name: a name begins with its date.
const MOST: usize = 200;
/// How long a killed process may take to let go of its file: the kernel ends it only when its last write is through, and a
/// busy disk takes seconds for that.
const LET_GO: Duration = Duration::from_secs(60);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(250);

impl Studio {
    /// Remembers where recordings of a show go that the folder does not show.
    pub(crate) fn note_recordings<'a>(&self, recordings: impl IntoIterator<Item = &'a Recording>) {
        let here = self.recordings_folder();
        let elsewhere = recordings.into_iter().map(|recording| &recording.path).filter(|path| path.parent() != Some(&here));
        let paths: Vec<String> =
            elsewhere.filter_map(|path| Some(std::path::absolute(path).ok()?.to_string_lossy().into_owned())).collect();
        if paths.is_empty() {
            return;
        }
        let noted = serde_json::to_vec(&paths).map_err(io::Error::other);
        if let Err(error) = noted.and_then(|text| crate::private_file::replace(&self.data().join(NOTE), &text)) {
            tracing::warn!(%error, "where the recording goes is not remembered");
        }
    }

    /// Finishes what was left, on a thread of its own. Only while no show runs: what grows is not left over.
    pub(crate) fn finish_leftovers(&self) {
        let (files, studio, runtime) = (self.leftovers(), self.clone(), Handle::current());
        if files.is_empty() {
            return;
        }
        let body = move || {
            let _entered = runtime.enter();
            let tell = |file: &Path, length: Duration| {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                tracing::info!(path = %file.display(), seconds = length.as_secs(), "a recording that was cut off is whole again");
                let health = Health::new(HealthCode::RecordingRepaired);
                let health = health.with("name", name).with("minutes", length.as_secs().div_ceil(60).max(1));
                studio.hub().health(health, studio.now_ms());
            };
            for file in finish_all(files, LET_GO, tell, || thread::sleep(LOOK)) {
                tracing::warn!(path = %file.display(), "a recording is still being written by somebody; it stays as it is");
            }
        };
        if let Err(error) = spawn_thread("leftovers", body) {
            tracing::warn!(%error, "recordings that were cut off stay as they are");
        }
    }

    fn leftovers(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.recordings_folder()).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let mut files: Vec<PathBuf> =
            folder.filter(|p| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("mp4")) && p.is_file()).collect();
        files.sort_unstable_by(|a, b| b.cmp(a));
        files.truncate(MOST);
        let noted = fs::read_to_string(self.data().join(NOTE)).map(|text| noted(&text)).unwrap_or_default();
        files.extend(noted.iter().flat_map(|path| stallcast_engine::recording_parts(path)));
        files
    }
}

/// Finishes each, those that somebody still writes as soon as nobody does; returns those that are held beyond `limit`.
/// `tell` hears of each that was unfinished, `pause` is called between two looks.
fn finish_all(mut files: Vec<PathBuf>, limit: Duration, tell: impl Fn(&Path, Duration), mut pause: impl FnMut()) -> Vec<PathBuf> {
    let begun = Instant::now();
    loop {
        files.retain(|file| match stallcast_engine::finish_recording(file) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Ok(Some(length)) => {
                tell(file, length);
                false
            }
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(path = %file.display(), %error, "a recording stays as it is");
                false
            }
        });
        if files.is_empty() || begun.elapsed() >= limit {
            return files;
        }
        pause();
    }
}

fn noted(text: &str) -> Vec<PathBuf> {
    // Before there were clean feeds it was one path.
    serde_json::from_str::<Vec<PathBuf>>(text).or_else(|_| serde_json::from_str(text).map(|one| vec![one])).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_an_older_version_is_understood() {
        assert_eq!(noted(r#""/a/b.mp4""#), [PathBuf::from("/a/b.mp4")]);
        assert_eq!(noted(r#"["/a/b.mp4","/a/b.clean.mp4"]"#).len(), 2);
        assert!(noted("{}").is_empty() && noted("").is_empty());
    }

    #[test]
    #[cfg(unix)]
    fn what_a_dying_process_still_holds_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.mp4");
        fs::write(&path, b"\0\0\0\x08free").unwrap();
        let mut held = Some(fs::File::open(&path).unwrap());
        held.as_ref().unwrap().try_lock().unwrap();
        let finish = |limit, pause: &mut dyn FnMut()| finish_all(vec![path.clone()], limit, |_, _| (), pause);
        assert!(finish(Duration::ZERO, &mut || ()) == [path.as_path()], "it is held");
        let mut looks = 0;
        let mut let_go_later = || {
            looks += 1;
            if looks == 3 {
                held = None;
            }
        };
        assert!(finish(Duration::from_secs(60), &mut let_go_later).is_empty());
        assert_eq!(looks, 3, "looked at until it was free, and once more");
    }
}
