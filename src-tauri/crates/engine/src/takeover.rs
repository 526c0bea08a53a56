//! What a media process that is started in the place of a dead one is given: sources, settings, and the show.

use crate::client::Connection;
use crate::error::{EngineError, failure};
use crate::port::Port as _;
use crate::protocol::{Command, Event, Failure, GoLive};
use crate::remembered::{Remembered, next_parts};
use crate::supervisor::EngineEvent;
use bytes::Bytes;
use stallcast_clock::spawn_thread;
use stallcast_media::{Health, HealthCode};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Longest wait for the disk to say which parts of a recording are there.
const FILES_LIMIT: Duration = Duration::from_millis(500);

/// What became of a show whose process died.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The new process has it, or there was none.
    Over,
    /// It does not go on, and why.
    Lost(Failure),
    /// The new process died as well: the next one is asked.
    Died,
}

/// Gives the new process what the old one had. `spared`: without opening the sources.
pub(crate) async fn take_over(connection: &Connection, remembered: &Mutex<Remembered>, spared: bool, tell: impl Fn(EngineEvent)) -> Taken {
    let lock = || remembered.lock().unwrap_or_else(PoisonError::into_inner);
    let (sources, settings, show) = {
        let remembered = lock();
        (remembered.sources(spared), remembered.settings(), remembered.show())
    };
    let sources = sources.map(|sources| (Command::Restore(sources), Bytes::new()));
    for (command, attachment) in sources.into_iter().chain(settings) {
        if let Err(e) = connection.order(command, attachment).await {
            tracing::warn!(error = %e, "the new media process refused what the old one had");
        }
    }
    let Some(show) = show else { return Taken::Over };
    let mut go = match with_new_files(show, &tell).await {
        Ok(go) => go,
        Err(refused) => {
            lock().over();
            return Taken::Lost(refused);
        }
    };
    // Or ended meanwhile.
    if !lock().has_show() {
        return Taken::Over;
    }
    loop {
        match connection.order(Command::GoLive(go.clone()), Bytes::new()).await {
            Err(EngineError::Refused(refused)) if refused.code != "already_live" => {
                // Never the command itself: it holds keys.
                tracing::error!(code = refused.code, "the new media process does not take up the show");
                let Some(spared) = without_a_file(&mut go, &refused) else {
                    lock().over();
                    return Taken::Lost(refused);
                };
                tell(EngineEvent::Event(Event::Health(spared)));
            }
            Ok(_) | Err(EngineError::Refused(_)) => {
                tracing::info!("the show goes on");
                return Taken::Over;
            }
            Err(e) => {
                tracing::error!(error = %e, "the new media process does not answer");
                return Taken::Died;
            }
        }
    }
}

/// Files in new parts. A disk that does not even say which are there costs its file, not the show; refused where there is nothing else.
async fn with_new_files(mut go: GoLive, tell: impl Fn(EngineEvent)) -> Result<GoLive, Failure> {
    let (named, asked) = oneshot::channel();
    let wanted = go.clone();
    let looks = spawn_thread("rec:next", move || drop(named.send(next_parts(wanted))));
    if let (Ok(_), Ok(Ok(go))) = (looks, tokio::time::timeout(FILES_LIMIT, asked).await) {
        return Ok(go);
    }
    tracing::error!("the disk of the recording does not answer");
    let files = [(HealthCode::RecordingFailed, go.recording.take()), (HealthCode::CleanFeedFailed, go.clean_feed.take())];
    for (code, path) in files.into_iter().filter_map(|(code, file)| Some((code, file?.path))) {
        if go.destinations.is_empty() && go.hls_dir.is_none() {
            return Err(failure("path_unwritable", &[("path", &path.display()), ("detail", &"the disk does not answer")]));
        }
        let health = Health::new(code).with("path", path.display()).with("reason", "the disk does not answer");
        tell(EngineEvent::Event(Event::Health(health)));
    }
    Ok(go)
}

/// What is written to the disk costs itself, not the show: takes out what the refusal names, else the next of it, and says so.
/// `None` if then nobody would get the show, or it is not about files.
fn without_a_file(go: &mut GoLive, refused: &Failure) -> Option<Health> {
    let reason = refused.params.get("detail").unwrap_or(&refused.code);
    let is_meant = |path: &Path| refused.params.get("path").is_none_or(|named| *named == path.display().to_string());
    let health = if let Some(file) = go.recording.take_if(|file| is_meant(file.path.as_path())) {
        Health::new(HealthCode::RecordingFailed).with("path", file.path.display())
    } else {
        go.hls_dir.take_if(|dir| is_meant(dir.as_path()))?;
        Health::new(HealthCode::ViewersLost)
    };
    (!go.destinations.is_empty() || go.hls_dir.is_some()).then(|| health.with("reason", reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Destination, EncoderLimits, Recording};

    /// For a destination, for viewers and for a file.
    fn go() -> GoLive {
        GoLive {
            destinations: vec![Destination { id: "a".to_owned(), url: "rtmp://host/live".into(), key: None, accepted: true }],
            hls_dir: Some("/data/live".into()),
            recording: Some(Recording { path: "/disk/show.part2.mp4".into(), overwrite: false }),
            clean_feed: None,
            for_s: None,
            limits: EncoderLimits::default(),
            live_since_ms: None,
        }
    }

    #[test]
    fn only_what_was_refused_is_left_out() {
        let named = |path: &str| failure("path_unwritable", &[("path", &path), ("detail", &"read-only")]);
        let spared = |go: &mut GoLive, refused: &Failure| without_a_file(go, refused).map(|health| health.code);
        let mut show = go();
        assert_eq!(spared(&mut show, &named("/data/live")), Some(HealthCode::ViewersLost));
        assert!(show.recording.is_some() && show.hls_dir.is_none(), "the recording can be written");
        let mut show = go();
        let health = without_a_file(&mut show, &named("/disk/show.part2.mp4")).expect("the show goes on");
        assert_eq!((health.code, health.params["reason"].as_str()), (HealthCode::RecordingFailed, "read-only"));
        assert!(show.recording.is_none() && show.hls_dir.is_some(), "viewers can be served");
        assert_eq!(spared(&mut show, &named("/somewhere/else")), None, "nothing of this show");
        assert!(show.hls_dir.is_some());
        // Without a name one after the other, the least first.
        let mut show = go();
        let nameless = failure("internal", &[]);
        assert_eq!(spared(&mut show, &nameless), Some(HealthCode::RecordingFailed));
        assert_eq!(spared(&mut show, &nameless), Some(HealthCode::ViewersLost));
        assert_eq!(spared(&mut show, &nameless), None);
    }

    #[test]
    fn a_show_that_nobody_would_get_is_over() {
        let refused = failure("path_unwritable", &[("path", &"/data/live")]);
        let mut show = GoLive { destinations: vec![], ..go() };
        assert_eq!(without_a_file(&mut show, &refused), None);
    }
}
