use std::io;
use std::path::Path;

/// Never taken from a disk, so that the shop's and the studio's databases still have room: 2 % of it, at most this.
const RESERVE: u64 = 500 << 20;
/// No warning above this much room: there is time to act on the first one.
const LOW: u64 = 5 << 30;
/// Minutes at which a person is told again, once each, after the first warning at [`LOW`].
const WARN_AT: [u64; 3] = [u64::MAX, 30, 10];
/// Below so many minutes at the full bitrate the picture gets this share of it, percent.
const THRIFT: [(u64, u32); 2] = [(10, 70), (4, 50)];

/// What a disk has left for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Bytes that may still be written, the reserve taken off.
    pub usable: u64,
    /// Bytes free for this user.
    pub free: u64,
}

impl Room {
    fn new(free: u64, size: u64) -> Self {
        Self { usable: free.saturating_sub(RESERVE.min(size / 50)), free }
    }

    /// Of the disk that holds `folder`. `None` where the OS does not say.
    pub fn of(folder: &Path) -> io::Result<Option<Self>> {
        #[cfg(unix)]
        {
            let disk = rustix::fs::statvfs(folder)?;
            let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
            Ok(Some(Self::new(bytes(disk.f_bavail), bytes(disk.f_blocks))))
        }
        #[cfg(windows)]
        {
            let disk = fs4::statvfs(folder)?;
            Ok(Some(Self::new(disk.available_space(), disk.total_space())))
        }
        #[cfg(not(any(unix, windows)))]
        {
            let _ = folder;
            Ok(None)
        }
    }
}

/// Minutes of recording at `kbps` (picture and sound, kbit/s) that the disk of `folder` has room for. `None` where the OS does
/// not say. Asks the file system: not on a thread that must not wait.
#[must_use]
pub fn room_minutes(folder: &Path, kbps: u32) -> Option<u64> {
    const BYTES_A_MINUTE: u64 = 1000 / 8 * 60;
    let room = Room::of(folder).ok()??;
    Some(room.usable / (u64::from(kbps.max(1)) * BYTES_A_MINUTE))
}

/// What a person must hear of the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// It goes to an end.
    Low,
    /// Somebody made room.
    Enough,
}

/// Says when a person must hear of a filling disk: below [`LOW`] bytes, again as it becomes urgent, and when space was made.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    told: usize,
}

impl Watch {
    /// Minutes left and what to tell of them now.
    pub fn look(&mut self, room: Room, bytes_per_minute: u64) -> (u64, Option<Word>) {
        let minutes = room.usable / bytes_per_minute.max(1);
        let reached = if room.free < LOW { WARN_AT.iter().filter(|at| minutes < **at).count() } else { 0 };
        let tell = reached > self.told;
        let cleared = match self.told {
            0 => false,
            1 => room.free > LOW + LOW / 10,
            told => minutes > 2 * WARN_AT[told - 1],
        };
        let before = self.told;
        if tell || cleared {
            self.told = reached;
        }
        let enough = before > 0 && self.told == 0;
        (minutes, if tell { Some(Word::Low) } else { enough.then_some(Word::Enough) })
    }
}

/// Says how much of its full bitrate the picture gets while the room runs out: the recording lasts longer before it has
/// to stop. Comes back only when there is twice the room, so that it does not hunt.
#[derive(Debug)]
pub(crate) struct Thrift {
    percent: u32,
}

impl Default for Thrift {
    fn default() -> Self {
        Self { percent: 100 }
    }
}

impl Thrift {
    /// The new share if it changed, percent.
    pub fn look(&mut self, room: Room, full_bytes_per_minute: u64) -> Option<u32> {
        let minutes = room.usable / full_bytes_per_minute.max(1);
        let share = |factor: u64| THRIFT.iter().rev().find(|(at, _)| minutes < at * factor).map_or(100, |(_, percent)| *percent);
        let percent = if share(1) < self.percent { share(1) } else { share(2).max(self.percent) };
        (std::mem::replace(&mut self.percent, percent) != percent).then_some(percent)
    }
}

/// The system has no room for what was to be written.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER_MINUTE: u64 = 20 << 20;

    fn room(free: u64) -> Room {
        Room::new(free, 200 << 30)
    }

    #[test]
    fn a_person_is_told_when_a_show_may_not_fit_and_again_when_it_presses() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(room(100 << 30), PER_MINUTE).1, None);
        assert_eq!(watch.look(room(4 << 30), PER_MINUTE), (179, Some(Word::Low)), "below 5 GiB");
        assert_eq!(watch.look(room(2 << 30), PER_MINUTE).1, None, "once");
        assert_eq!(watch.look(room(900 << 20), PER_MINUTE), (20, Some(Word::Low)));
        assert_eq!(watch.look(room(600 << 20), PER_MINUTE), (5, Some(Word::Low)));
        assert_eq!(watch.look(room(500 << 20), PER_MINUTE), (0, None));
        assert_eq!(watch.look(room(20 << 30), PER_MINUTE).1, Some(Word::Enough), "somebody made room");
        assert_eq!(watch.look(room(20 << 30), PER_MINUTE).1, None, "once");
        assert_eq!(watch.look(room(2 << 30), PER_MINUTE), (77, Some(Word::Low)), "and it is gone again");
    }

    #[test]
    fn many_minutes_on_a_fast_stream_are_few_bytes_and_the_other_way_round() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(room(50 << 30), 1 << 30), (49, None), "50 GiB is not a full disk, whatever the stream");
        assert_eq!(watch.look(room(4 << 30), 1 << 30).1, Some(Word::Low));
    }

    #[test]
    fn the_picture_saves_room_before_the_recording_stops_and_does_not_hunt() {
        let mut thrift = Thrift::default();
        let mut look = |minutes: u64| thrift.look(Room { usable: minutes * PER_MINUTE, free: minutes * PER_MINUTE }, PER_MINUTE);
        assert_eq!([look(600), look(10)], [None, None]);
        assert_eq!([look(9), look(8), look(10), look(15)], [Some(70), None, None, None]);
        assert_eq!([look(3), look(3), look(6), look(7)], [Some(50), None, None, None]);
        assert_eq!([look(8), look(19), look(20), look(500)], [Some(70), None, Some(100), None], "space was made");
        assert_eq!(look(0), Some(50));
    }

    #[test]
    fn the_room_is_told_before_anything_is_recorded() {
        let folder = tempfile::tempdir().expect("a folder");
        let usable = Room::of(folder.path()).expect("asked").expect("told").usable;
        let minutes = room_minutes(folder.path(), 8_000).expect("told");
        // 60 MB a minute; others may write meanwhile.
        assert!(minutes.abs_diff(usable / 60_000_000) <= 2, "{minutes} minutes for {usable} bytes");
        assert_eq!(room_minutes(&folder.path().join("none"), 8_000), None);
    }

    #[test]
    fn small_disks_keep_a_small_reserve() {
        assert_eq!(Room::new(10 << 20, 100 << 20).usable, 8 << 20);
        assert_eq!(Room::new(1 << 20, 100 << 20).usable, 0);
    }
}
