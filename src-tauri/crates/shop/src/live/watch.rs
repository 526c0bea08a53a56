use super::{List, Live};
use crate::files;
use notify::event::{EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(super) const PLAYLIST: &str = "stream.m3u8";
/// The list of a long window is some kilobytes; anything larger is not ours.
const LONGEST: u64 = 1 << 20;
/// Where the system has no watch left to give (`fs.inotify.max_user_watches`), the file is looked at this often.
const LOOK_EACH: Duration = Duration::from_millis(250);

/// What the watch's own thread tells.
#[derive(Debug, Default)]
struct Seen {
    changed: Notify,
    /// The folder itself went away: what is watched is no longer what has its name.
    moved: AtomicBool,
}

/// Keeps [`Live`] at what the playlist says. Runs until cancelled.
pub(crate) async fn follow(live: Arc<Live>, cancel: CancellationToken) {
    let seen = Arc::new(Seen::default());
    let mut watcher = None;
    let mut is_told = false;
    loop {
        if seen.moved.swap(false, Ordering::AcqRel) {
            watcher = None;
        }
        if watcher.is_none() {
            // Before the file is read, so that no change falls in between.
            match watch(live.folder(), &seen) {
                Ok(armed) => watcher = Some(armed),
                Err(error) if !std::mem::replace(&mut is_told, true) => {
                    tracing::warn!(%error, "the live folder is looked at, not watched");
                }
                Err(_) => {}
            }
        }
        look(&live).await;
        tokio::select! {
            () = cancel.cancelled() => return,
            () = seen.changed.notified() => {}
            () = tokio::time::sleep(LOOK_EACH), if watcher.is_none() => {}
        }
    }
}

fn watch(folder: &Path, seen: &Arc<Seen>) -> notify::Result<RecommendedWatcher> {
    // The media process may come later than we do.
    files::create_folder(folder)?;
    let (own, seen) = (folder.to_owned(), Arc::clone(seen));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let (of_list, of_folder) = match &event {
            // Reading is no change; ours would wake us for ever.
            Ok(Event { kind: EventKind::Access(_), .. }) => (false, false),
            Ok(event) => {
                let gone = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
                let named = |name: &std::ffi::OsStr| event.paths.iter().any(|path| path.file_name() == Some(name));
                (named(PLAYLIST.as_ref()) || event.need_rescan(), gone && event.paths.contains(&own))
            }
            Err(_) => (true, true),
        };
        if of_folder {
            seen.moved.store(true, Ordering::Release);
        }
        if of_list || of_folder {
            seen.changed.notify_one();
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Reads the list once.
pub(crate) async fn look(live: &Live) {
    let path = live.folder().join(PLAYLIST);
    let text = match tokio::fs::metadata(&path).await {
        Ok(found) if found.is_file() && found.len() <= LONGEST => tokio::fs::read_to_string(&path).await.ok(),
        _ => None,
    };
    let list = text.and_then(|text| List::read(&text)).map(Arc::new);
    live.list.send_if_modified(|now| {
        let differs = *now != list;
        if differs {
            *now = list;
        }
        differs
    });
}
