//! What happens at one instant only: the test stops the thread that reaches a named place there.
#![expect(clippy::unwrap_used, reason = "a test")]
#![cfg(debug_assertions)]

mod support;

use stallcast_broadcast::{RecordingSink, recover};
use stallcast_clock::failpoint::on_failpoint;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;
use support::clip::Clip;
use support::look::look;

const LIMIT: Duration = Duration::from_secs(10);

/// The place, and what the thread that reaches it first does there.
type Trap = (&'static str, Box<dyn FnOnce() + Send>);

static TRAPS: Mutex<Vec<Trap>> = Mutex::new(Vec::new());
/// One test at a time: the places are those of the whole process.
static TURN: Mutex<()> = Mutex::new(());

fn set_trap(place: &'static str, act: impl FnOnce() + Send + 'static) {
    TRAPS.lock().unwrap().push((place, Box::new(act)));
    on_failpoint(|place| {
        let mut traps = TRAPS.lock().unwrap();
        let found = traps.iter().position(|(p, _)| *p == place).map(|at| traps.remove(at));
        drop(traps);
        if let Some((_, act)) = found {
            act();
        }
    });
}

#[test]
fn nobody_repairs_a_recording_while_it_is_made_plain() {
    let _turn = TURN.lock();
    let clip = Clip::new(2, 60, 800);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("show.mp4");
    let (tell, told) = std::sync::mpsc::channel();
    let repaired: PathBuf = path.clone();
    set_trap("failpoint:recording.copied", move || {
        let _ = tell.send(recover(&repaired).map_err(|e| e.kind()));
    });
    let sink = RecordingSink::start(&path, false, clip.config.clone(), |_| {}).unwrap();
    for (_, packet) in clip.packets(4.0) {
        sink.push(packet);
    }
    sink.finish(LIMIT);
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), Err(io::ErrorKind::WouldBlock));
    look(&path).assert_sound(4.0);
    assert_eq!(recover(&path).unwrap(), None, "it is free, and needs no repair");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
